import { checkOptions } from '../../base/options.js';
import type { Metric } from './metric.js';
import { columnsOf, total, values, wantsValues } from './values.js';

/**
 * Mean absolute error: |a − y| for each output a and its target y; mean over rows and outputs, in the
 * units of the targets. Adds one dispatch per
 * step, which mae and r2 share.
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 64, metrics: [mae()] });
 */
export function mae(): Metric<'mae'>;
export function mae(options?: object): Metric<'mae'> {
  checkOptions('mae', options, {}, 'bad-metric');
  return {
    name: 'mae',
    accumulator: values,
    unfit: wantsValues,
    value: (sums, task) =>
      columnsOf(sums, task).reduce(
        (sum, partials, output) =>
          sum + (task.targetScale?.[output] ?? 1) * total(partials, ({ absolutes }) => absolutes),
        0,
      ) /
      (sums.rows * task.outputs),
  };
}
