import type { Metric } from './metric.js';
import { columnsOf, total, values, wantsValues } from './values.js';

/** |a − y|, mean over rows and outputs. One dispatch a step, which r2 shares. */
export function mae(): Metric<'mae'> {
  return {
    name: 'mae',
    accumulator: values,
    unfit: wantsValues,
    value: (sums, task) =>
      total(columnsOf(sums, task).flat(), ({ absolutes }) => absolutes) / (sums.rows * task.outputs),
  };
}
