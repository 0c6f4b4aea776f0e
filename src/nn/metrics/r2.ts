import type { Metric } from './metric.js';
import { columnsOf, type Slot, total, values, wantsValues } from './values.js';

/**
 * The coefficient of determination: 1 − Σ(a − y)² / Σ(y − mean of y)², mean over the outputs. 1 is perfect, and 0 as good as
 * the mean alone. Where all y are the same it is 1 if all are met and else 0, as in scikit-learn. One dispatch a step, which mae
 * shares.
 */
export function r2(): Metric<'r2'> {
  return {
    name: 'r2',
    tally: values,
    unfit: wantsValues,
    value: (sums, task) => columnsOf(sums, task).reduce((sum, slots) => sum + determination(slots), 0) / task.outputs,
  };
}

function determination(slots: readonly Slot[]): number {
  const mean = total(slots, ({ count, origin, first }) => count * origin + first) / total(slots, ({ count }) => count);
  // Of each slot Σ(y − mean)², from its sums relative to its origin.
  const spread = total(slots, ({ count, origin, first, second }) => {
    const shift = mean - origin;
    return second - 2 * shift * first + count * shift * shift;
  });
  const squares = total(slots, (slot) => slot.squares);
  if (spread <= 0) return squares === 0 ? 1 : 0;
  return 1 - squares / spread;
}
