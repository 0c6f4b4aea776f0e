import { classCounts } from '../../kernels/class-counts.js';
import { PER_STEP } from '../../plan/dispatch.js';
import { type Accumulator, type Metric, type Sums, type Task, wantsClasses } from './metric.js';

const classesOf = ({ link, outputs }: Task): number => (link === 'logistic' ? 2 : outputs);

/** One dispatch a step, for every metric that is made of the confusion matrix. */
export const confusion: Accumulator = {
  dtype: 'u32',
  shape: (_, task) => [classesOf(task), classesOf(task)],
  record(plan, outputs, labels, sums, { link }) {
    if (sums.dtype === 'u32') plan.add(classCounts(outputs, labels, sums, PER_STEP, { logistic: link === 'logistic' }));
  },
};

/** A row for each actual class, a column for each that was predicted. */
export function matrixOf({ accumulators }: Sums, task: Task): number[][] {
  const counts = accumulators.get(confusion) ?? new Float64Array(0);
  const classes = classesOf(task);
  return Array.from({ length: classes }, (_, actual) => [...counts.slice(actual * classes, (actual + 1) * classes)]);
}

/** For each class, a number made of how often it was right, predicted, and actual; 0 where it was never right. */
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
