import { perClass } from './confusion.js';
import type { Metric } from './metric.js';

/** For each class, the share of the samples taken for it that are of it; 0 where none is. One dispatch a step for all of its kind. */
export function precision(): Metric<'precision', number[]> {
  return perClass('precision', (right, predicted) => right / predicted);
}
