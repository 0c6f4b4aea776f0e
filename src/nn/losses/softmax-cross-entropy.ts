import { assertOption, checkWeights } from '../../base/check.js';
import { softmaxCrossEntropyRows } from '../../kernels/softmax-cross-entropy.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Loss } from './loss.js';

export interface SoftmaxCrossEntropyOptions {
  /** From 0 to 1: the share of each label that is spread evenly over all classes. */
  readonly labelSmoothing?: number;
  /** For each class a number ≥ 0: what its samples count. */
  readonly classWeights?: readonly number[];
}

/**
 * −Σₖ wₖ·tₖ·log softmax(logits)ₖ for each row, where t = (1 − labelSmoothing)·y + labelSmoothing / classes; mean over the batch.
 * Gradient, without class weights w: (softmax(logits) − t) / batch. As PyTorch's CrossEntropyLoss.
 *
 * Logits are (batch, classes); labels are class indices or rows of probabilities. With class weights the losses of class
 * indices are divided by the sum of their classes' weights, not by their number. Samples of a data set may have weights too:
 * each loss is multiplied by its own, and divided as without.
 * @throws {MlpError} `bad-loss` for a number outside of its range
 */
export function softmaxCrossEntropy(options: SoftmaxCrossEntropyOptions = {}): Loss {
  const { labelSmoothing = 0, classWeights } = options;
  assertOption('softmaxCrossEntropy:', { labelSmoothing }, 'a number in [0, 1]', 'bad-loss');
  if (classWeights !== undefined) checkWeights('softmaxCrossEntropy', { classWeights });
  return {
    spec: { type: 'softmaxCrossEntropy', labelSmoothing, classWeights: classWeights ?? null },
    link: 'softmax',
    weighsClasses: classWeights !== undefined,
    record(plan, logits, labels, results) {
      const weights = classWeights && plan.constant('class weights', classWeights);
      const form = { labelSmoothing, classWeights: weights };
      plan.add(softmaxCrossEntropyRows(logits, labels, results, PER_STEP, form));
    },
  };
}
