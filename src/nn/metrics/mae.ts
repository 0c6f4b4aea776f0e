import type { Metric } from './metric.js';
import { columnsOf, total, values, wantsValues } from './values.js';

/**
 * Mean absolute error: |a − y| for each output a and its target y; mean over rows and outputs. Adds one dispatch per
 * step, which mae and r2 share.
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 64, metrics: [mae()] });
 */
export function mae(): Metric<'mae'> {
  return {
    name: 'mae',
    accumulator: values,
    unfit: wantsValues,
    value: (sums, task) =>
      total(columnsOf(sums, task).flat(), ({ absolutes }) => absolutes) / (sums.rows * task.outputs),
  };
}
