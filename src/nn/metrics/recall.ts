import { perClass } from './confusion.js';
import type { Metric } from './metric.js';

/**
 * Recall of each class: the share of the samples of the class that were predicted as the class, or 0 if none was. Adds
 * one dispatch per step, which confusionMatrix, precision, recall and f1 share.
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 64, metrics: [recall()] });
 */
export function recall(): Metric<'recall', number[]> {
  return perClass('recall', (right, _, actual) => right / actual);
}
