import { perClass } from './confusion.js';
import type { Metric } from './metric.js';

/** For each class, the share of its samples that were taken for it; 0 where none is. One dispatch a step for all of its kind. */
export function recall(): Metric<'recall', number[]> {
  return perClass('recall', (right, _, actual) => right / actual);
}
