import { perClass } from './confusion.js';
import type { Metric } from './metric.js';

/**
 * F1 score of each class: 2·precision·recall / (precision + recall), or 0 if no sample of the class was predicted
 * correctly. Adds one dispatch per step, which confusionMatrix, precision, recall and f1 share.
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 64, metrics: [f1()] });
 */
export function f1(): Metric<'f1', number[]> {
  return perClass('f1', (right, predicted, actual) => (2 * right) / (predicted + actual));
}
