import { checkWeights } from '../../base/check.js';
import { elementwiseLossRows } from '../../kernels/elementwise-loss.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Loss } from './loss.js';

export interface BinaryCrossEntropyOptions {
  /** The weight of a target of 1, against a 0: a number > 0 for all outputs, or one for each. PyTorch's pos_weight. */
  readonly positiveWeight?: number | readonly number[];
}

/**
 * max(z, 0) − z·y + ln(1 + e^−|z|) for each logit z and its target y, mean over batch and outputs; gradient
 * (σ(z) − y) / (batch·outputs). With a positiveWeight w it is −w·y·ln σ(z) − (1 − y)·ln(1 − σ(z)), as PyTorch's
 * BCEWithLogitsLoss.
 *
 * Targets are rows of numbers from 0 to 1; for one output also the classes 0 and 1. The last layer gives logits; one with
 * activation `sigmoid` is trained on what it has before that.
 * @throws {MlpError} `bad-loss` for a weight outside of its range
 */
export function binaryCrossEntropy(options: BinaryCrossEntropyOptions = {}): Loss {
  const { positiveWeight = 1 } = options;
  const each = typeof positiveWeight === 'number' ? [positiveWeight] : positiveWeight;
  checkWeights('binaryCrossEntropy', { positiveWeight: each });
  return {
    spec: { type: 'binaryCrossEntropy', positiveWeight },
    link: 'logistic',
    record(plan, logits, labels, results) {
      const [, columns = 1] = logits.shape;
      const row = typeof positiveWeight === 'number' ? Array.from({ length: columns }, () => positiveWeight) : each;
      const positiveWeights = positiveWeight === 1 ? undefined : plan.constant('positive weights', row);
      plan.add(elementwiseLossRows({ name: 'binaryCrossEntropy', positiveWeights }, logits, labels, results, PER_STEP));
    },
  };
}
