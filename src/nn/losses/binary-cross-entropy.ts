import { checkOptions, type OptionNames } from '../../base/options.js';
import { checkWeights } from '../../base/values.js';
import { elementwiseLossRows } from '../../kernels/elementwise-loss.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Loss } from './loss.js';

/** Options of `binaryCrossEntropy`. */
export interface BinaryCrossEntropyOptions {
  /**
   * Weight of the term of target 1, relative to the term of target 0: a number > 0 for all outputs, or a number for
   * each output. PyTorch's `pos_weight`. Default: 1.
   * Example: `positiveWeight: 2`.
   */
  readonly positiveWeight?: number | ArrayLike<number> | undefined;
}

const NAMES: OptionNames<BinaryCrossEntropyOptions> = { positiveWeight: 1 };

/**
 * Binary cross-entropy of logits: −w·y·ln σ(z) − (1 − y)·ln(1 − σ(z)) for each logit z and its target y, where w is
 * `positiveWeight`; mean over batch and outputs. For w = 1 it is computed as max(z, 0) − z·y + ln(1 + e^−|z|), and its
 * gradient is (σ(z) − y) / (batch·outputs). PyTorch's `BCEWithLogitsLoss`.
 *
 * Logits are (batch, outputs). Targets are rows of numbers from 0 to 1, or for one output also the classes 0 and 1. The
 * last layer is linear or has the activation `sigmoid`; of the latter the loss takes the pre-activations.
 * @throws {MlpError} `bad-loss` if a weight is out of range
 * @example const trainer = await model.trainer({ loss: binaryCrossEntropy(), optimizer: adam(), batchSize: 32 });
 */
export function binaryCrossEntropy(options: BinaryCrossEntropyOptions = {}): Loss {
  const { positiveWeight: given = 1 } = checkOptions('binaryCrossEntropy', options, NAMES, 'bad-loss');
  const each = checkWeights('binaryCrossEntropy: positiveWeight', typeof given === 'number' ? [given] : given);
  const positiveWeight = typeof given === 'number' ? given : each;
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
