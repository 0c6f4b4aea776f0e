import { checkOptions } from '../../base/options.js';
import { confusion, matrixOf } from './confusion.js';
import { type Metric, wantsClasses } from './metric.js';

/**
 * Confusion matrix: element [i][j] is the number of samples of class i that the model predicted as class j. A single
 * logistic output has two classes: it predicts 1 if its probability is ≥ ½, else 0. Adds one dispatch per step, which
 * confusionMatrix, precision, recall and f1 share.
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 64, metrics: [confusionMatrix()] });
 */
export function confusionMatrix(): Metric<'confusionMatrix', number[][]>;
export function confusionMatrix(options?: object): Metric<'confusionMatrix', number[][]> {
  checkOptions('confusionMatrix', options, {}, 'bad-metric');
  return {
    name: 'confusionMatrix',
    accumulator: confusion,
    unfit: wantsClasses,
    value: matrixOf,
  };
}
