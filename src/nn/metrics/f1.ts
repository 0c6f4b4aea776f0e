import { perClass } from './confusion.js';
import type { Metric } from './metric.js';

/** For each class, 2·precision·recall / (precision + recall); 0 where none is right. One dispatch a step for all of its kind. */
export function f1(): Metric<'f1', number[]> {
  return perClass('f1', (right, predicted, actual) => (2 * right) / (predicted + actual));
}
