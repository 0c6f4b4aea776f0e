import type { Metric } from './metric.js';
import { columnsOf, type PartialSums, total, values, wantsValues } from './values.js';

/**
 * The coefficient of determination: 1 − Σ(a − y)² / Σ(y − mean of y)², mean over the outputs. 1 is perfect, and 0 as good as
 * the mean alone. Where all y are the same it is 1 if all are met and else 0, as in scikit-learn. One dispatch a step, which mae
 * shares.
 */
export function r2(): Metric<'r2'> {
  return {
    name: 'r2',
    accumulator: values,
    unfit: wantsValues,
    value: (sums, task) =>
      columnsOf(sums, task).reduce((sum, partials) => sum + determination(partials), 0) / task.outputs,
  };
}

function determination(partials: readonly PartialSums[]): number {
  const mean =
    total(partials, ({ count, origin, first }) => count * origin + first) / total(partials, ({ count }) => count);
  // Of each partial sum Σ(y − mean)², from its sums relative to its origin.
  const spread = total(partials, ({ count, origin, first, second }) => {
    const shift = mean - origin;
    return second - 2 * shift * first + count * shift * shift;
  });
  const squares = total(partials, ({ squares: own }) => own);
  if (spread <= 0) return squares === 0 ? 1 : 0;
  return 1 - squares / spread;
}
