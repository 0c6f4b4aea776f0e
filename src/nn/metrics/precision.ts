import { perClass } from './confusion.js';
import type { Metric } from './metric.js';

/**
 * Precision of each class: the share of the samples predicted as the class that belong to it, or 0 if none does. Adds
 * one dispatch per step, which confusionMatrix, precision, recall and f1 share.
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 64, metrics: [precision()] });
 */
export function precision(): Metric<'precision', number[]> {
  return perClass('precision', (right, predicted) => right / predicted);
}
