import type { Complete } from '../../base/options.js';
import { type AverageOptions, perClass } from './confusion.js';
import type { Metric } from './metric.js';

/**
 * Recall of each class: the share of the samples of the class that were predicted as the class, or 0 if none was. Adds
 * one dispatch per step, which confusionMatrix, precision, recall and f1 share.
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 64, metrics: [recall()] });
 */
export function recall(): Metric<'recall', number[]>;
/**
 * An average of the recalls of the classes: one number, which early stopping and schedules can monitor as
 * `validation.recall`. scikit-learn's `recall_score(y_true, y_pred, average=…)` with its default `zero_division`.
 * @throws {MlpError} `bad-option` if `average` is not known
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 64, metrics: [recall({ average: 'macro' })] });
 */
export function recall(options: Complete<AverageOptions>): Metric<'recall'>;
export function recall(options: AverageOptions = {}): Metric<'recall', number[] | number> {
  return perClass('recall', ({ right, actual }) => right / actual, options);
}
