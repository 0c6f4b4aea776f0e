import type { Complete } from '../../base/options.js';
import { type AverageOptions, perClass } from './confusion.js';
import type { Metric } from './metric.js';

/**
 * F1 score of each class: 2·precision·recall / (precision + recall), or 0 if no sample of the class was predicted
 * correctly. Adds one dispatch per step, which confusionMatrix, precision, recall and f1 share.
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 64, metrics: [f1()] });
 */
export function f1(): Metric<'f1', number[]>;
/**
 * An average of the F1 scores of the classes: one number, which early stopping and schedules can monitor as
 * `validation.f1`. scikit-learn's `f1_score(y_true, y_pred, average=…)` with its default `zero_division`. Use
 * `{ ...f1({ average: 'macro' }), name: 'macroF1' }` beside `f1()`.
 * @throws {MlpError} `bad-option` if `average` is not known
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 64, metrics: [f1({ average: 'macro' })] });
 */
export function f1(options: Complete<AverageOptions>): Metric<'f1'>;
export function f1(options: AverageOptions = {}): Metric<'f1', number[] | number> {
  return perClass('f1', ({ right, predicted, actual }) => (2 * right) / (predicted + actual), options);
}
