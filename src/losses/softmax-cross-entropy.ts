import { PER_STEP } from '../gpu/dispatch.js';
import { softmaxCrossEntropyRows } from '../kernels/softmax-cross-entropy.js';
import type { Loss } from './loss.js';

/**
 * −Σₖ yₖ·log softmax(logits)ₖ for each row, mean over the batch; gradient (softmax(logits) − y) / batch.
 * Logits are (batch, classes); labels are class indices or rows of probabilities.
 */
export function softmaxCrossEntropy(): Loss {
  return {
    spec: { type: 'softmaxCrossEntropy' },
    record(plan, logits, labels, results) {
      plan.add(softmaxCrossEntropyRows(logits, labels, results, PER_STEP));
    },
  };
}
