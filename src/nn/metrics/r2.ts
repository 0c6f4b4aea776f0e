import { checkOptions } from '../../base/options.js';
import type { Metric } from './metric.js';
import { columnsOf, type PartialSums, total, values, wantsValues } from './values.js';

/**
 * Coefficient of determination R²: 1 − Σ(a − y)² / Σ(y − ȳ)² for each output, where a are its values, y its targets and
 * ȳ the mean target; mean over the outputs. A perfect model has 1, and a model that always predicts ȳ has 0. If all
 * targets of an output are equal, its R² is 1 if every prediction is exact, else 0, as in scikit-learn. Adds one
 * dispatch per step, which mae and r2 share.
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 64, metrics: [r2()] });
 */
export function r2(): Metric<'r2'>;
export function r2(options?: object): Metric<'r2'> {
  checkOptions('r2', options, {}, 'bad-metric');
  return {
    name: 'r2',
    accumulator: values,
    unfit: wantsValues,
    value: (sums, task) =>
      columnsOf(sums, task).reduce((sum, partials) => sum + determination(partials), 0) / task.outputs,
  };
}

/**
 * Relative error of the mean of equal targets: some roundings in float64. The spread of targets that differ is larger
 * than the one that it causes, for any number of rows below 2⁵⁰, since float32 has 24 bits.
 */
const ROUNDING = 2 ** -50;

/** R² of one output. */
function determination(partials: readonly PartialSums[]): number {
  const mean =
    total(partials, ({ count, origin, first }) => count * origin + first) / total(partials, ({ count }) => count);
  // Σ(y − mean)²: each partial sum gives its part, from its sums relative to its origin.
  const spread = total(partials, ({ count, origin, first, second }) => {
    const shift = mean - origin;
    return second - 2 * shift * first + count * shift * shift;
  });
  const squares = total(partials, ({ squares: own }) => own);
  if (spread <= total(partials, ({ count }) => count) * (ROUNDING * mean) ** 2) return squares === 0 ? 1 : 0;
  return 1 - squares / spread;
}
