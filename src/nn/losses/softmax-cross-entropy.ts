import { assertOption } from '../../base/check.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import { checkWeights } from '../../base/values.js';
import { softmaxCrossEntropyRows } from '../../kernels/softmax-cross-entropy.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Loss } from './loss.js';

/** Options of `softmaxCrossEntropy`. */
export interface SoftmaxCrossEntropyOptions {
  /**
   * Share of each label, from 0 to 1, that is spread evenly over all classes. PyTorch's `label_smoothing`. Default: 0.
   * Example: `labelSmoothing: 0.1`.
   */
  readonly labelSmoothing?: number | undefined;
  /**
   * One weight per class, ≥ 0: a factor of the loss of its samples. PyTorch's `weight`. Default: none.
   * Example: `classWeights: [1, 2, 1]`.
   */
  readonly classWeights?: ArrayLike<number> | undefined;
}

const NAMES: OptionNames<SoftmaxCrossEntropyOptions> = { labelSmoothing: 1, classWeights: 1 };

/**
 * Softmax cross-entropy of logits: −Σₖ wₖ·tₖ·ln softmax(z)ₖ for the logits z of each row, where w are the class weights
 * and t = (1 − labelSmoothing)·y + labelSmoothing / classes for the label y; mean over the batch. Without class weights
 * the gradient is (softmax(z) − t) / batch. PyTorch's `CrossEntropyLoss`.
 *
 * Logits are (batch, classes). Labels are class indices or rows of probabilities. If labels are class indices and there
 * are class weights, the sum of the losses is divided by the sum of the labels' class weights instead of the number of
 * rows. If the samples of a data set have weights, the loss of each row is multiplied by its weight; the divisor stays
 * the same.
 *
 * The last layer is linear or has the activation `softmax`; of the latter the loss takes the logits.
 * @throws {MlpError} `bad-loss` if an option is out of range
 * @example const trainer = await model.trainer({ loss: softmaxCrossEntropy(), optimizer: adam(), batchSize: 64 });
 */
export function softmaxCrossEntropy(options: SoftmaxCrossEntropyOptions = {}): Loss {
  const { labelSmoothing = 0, ...given } = checkOptions('softmaxCrossEntropy', options, NAMES, 'bad-loss');
  assertOption('softmaxCrossEntropy:', { labelSmoothing }, 'a number in [0, 1]', 'bad-loss');
  const classWeights = given.classWeights && checkWeights('softmaxCrossEntropy: classWeights', given.classWeights);
  return {
    spec: { type: 'softmaxCrossEntropy', labelSmoothing, classWeights: classWeights ?? null },
    link: 'softmax',
    weighsClasses: classWeights !== undefined,
    classWeights,
    record(plan, logits, labels, results) {
      const weights = classWeights && plan.constant('class weights', classWeights);
      const form = { labelSmoothing, classWeights: weights };
      plan.add(softmaxCrossEntropyRows(logits, labels, results, PER_STEP, form));
    },
  };
}
