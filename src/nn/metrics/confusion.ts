import { classCounts } from '../../kernels/class-counts.js';
import { PER_STEP } from '../../plan/dispatch.js';
import { type Accumulator, type Metric, type Sums, type Task, wantsClasses } from './metric.js';

/** Number of classes. */
const classesOf = ({ link, outputs }: Task): number => (link === 'logistic' ? 2 : outputs);

/** Counts of the confusion matrix: one dispatch per step, shared by all metrics that follow from it. */
export const confusion: Accumulator = {
  dtype: 'u32',
  shape: (_, task) => [classesOf(task), classesOf(task)],
  record(plan, outputs, labels, sums, { link }) {
    if (sums.dtype === 'u32') plan.add(classCounts(outputs, labels, sums, PER_STEP, { logistic: link === 'logistic' }));
  },
};

/** The confusion matrix: a row for each actual class, a column for each predicted class. */
export function matrixOf({ accumulators }: Sums, task: Task): number[][] {
  const counts = accumulators.get(confusion) ?? new Float64Array(0);
  const classes = classesOf(task);
  return Array.from({ length: classes }, (_, actual) => [...counts.slice(actual * classes, (actual + 1) * classes)]);
}

/**
 * A metric with a value for each class, which is 0 if no sample of the class was predicted correctly.
 * @param ratio the value of a class, from the number of its correct predictions, its predictions and its samples
 */
export function perClass<Name extends string>(
  name: Name,
  ratio: (right: number, predicted: number, actual: number) => number,
): Metric<Name, number[]> {
  const add = (sum: number, count: number): number => sum + count;
  return {
    name,
    accumulator: confusion,
    unfit: wantsClasses,
    value(sums, task) {
      const matrix = matrixOf(sums, task);
      return matrix.map((row, k) => {
        const right = row[k] ?? 0;
        const predicted = matrix.map((other) => other[k] ?? 0).reduce(add, 0);
        return right === 0 ? 0 : ratio(right, predicted, row.reduce(add, 0));
      });
    },
  };
}
