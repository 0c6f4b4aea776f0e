import type { Complete } from '../../base/options.js';
import { type AverageOptions, perClass } from './confusion.js';
import type { Metric } from './metric.js';

/**
 * Precision of each class: the share of the samples predicted as the class that belong to it, or 0 if none does. Adds
 * one dispatch per step, which confusionMatrix, precision, recall and f1 share.
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 64, metrics: [precision()] });
 */
export function precision(): Metric<'precision', number[]>;
/**
 * An average of the precisions of the classes: one number, which early stopping and schedules can monitor as
 * `validation.precision`. scikit-learn's `precision_score(y_true, y_pred, average=…)` with its default `zero_division`.
 * @throws {MlpError} `bad-option` if `average` is not known
 * @example const metrics = [precision({ average: 'binary' }), recall({ average: 'binary' })];
 */
export function precision(options: Complete<AverageOptions>): Metric<'precision'>;
export function precision(options: AverageOptions = {}): Metric<'precision', number[] | number> {
  return perClass('precision', ({ right, predicted }) => right / predicted, options);
}
