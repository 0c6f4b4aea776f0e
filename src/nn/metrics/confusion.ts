import { assertWord } from '../../base/check.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
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
 * Averages over the classes, as scikit-learn names and defines them: `macro` is the plain mean of the classes' values,
 * `weighted` their mean weighted by the number of samples of each class, `micro` the value of the counts of all classes
 * together, and `binary` the value of class 1 of two classes. Classes that neither occur nor are predicted do not count;
 * if there are no samples, the average is 0.
 */
export type Average = 'macro' | 'weighted' | 'micro' | 'binary';

/** Options of `precision`, `recall` and `f1`. */
export interface AverageOptions {
  /**
   * Average to report, one number, instead of a value for each class. Default: none, a value for each class.
   * Example: `average: 'macro'`.
   */
  readonly average?: Average | undefined;
}

const NAMES: OptionNames<AverageOptions> = { average: 1 };

/** Counts of one class, or of all classes together. */
interface ClassCounts {
  /** Number of correct predictions. */
  readonly right: number;
  /** Number of predictions. */
  readonly predicted: number;
  /** Number of samples. */
  readonly actual: number;
}

const sumOf = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

/** Computes each average from the counts of the classes. */
const averages: Readonly<
  Record<Average, (classes: readonly ClassCounts[], score: (counts: ClassCounts) => number) => number>
> = {
  macro(classes, score) {
    const known = classes.filter(({ predicted, actual }) => predicted + actual > 0);
    return sumOf(known.map(score)) / Math.max(1, known.length);
  },
  weighted: (classes, score) =>
    sumOf(classes.map((counts) => counts.actual * score(counts))) /
    Math.max(1, sumOf(classes.map(({ actual }) => actual))),
  micro: (classes, score) =>
    score({
      right: sumOf(classes.map(({ right }) => right)),
      predicted: sumOf(classes.map(({ predicted }) => predicted)),
      actual: sumOf(classes.map(({ actual }) => actual)),
    }),
  binary: ([, positive], score) => (positive === undefined ? 0 : score(positive)),
};

/**
 * A metric with a value for each class, which is 0 if no sample of the class was predicted correctly, or an average.
 * @param ratio the value of a class, from its counts
 * @throws {MlpError} `bad-option` if an option or the average is not known
 */
export function perClass<Name extends string>(
  name: Name,
  ratio: (counts: ClassCounts) => number,
  options: AverageOptions,
): Metric<Name, number[] | number> {
  const { average } = checkOptions(name, options, NAMES);
  if (average !== undefined) assertWord(`${name}:`, { average }, Object.keys(averages));
  const score = (counts: ClassCounts): number => (counts.right === 0 ? 0 : ratio(counts));
  return {
    name,
    accumulator: confusion,
    unfit: (task) => wantsClasses(task) ?? (average === 'binary' ? wantsTwo(task) : undefined),
    value(sums, task) {
      const classes = countsOf(matrixOf(sums, task));
      return average === undefined ? classes.map(score) : averages[average](classes, score);
    },
  };
}

function wantsTwo(task: Task): string | undefined {
  const classes = classesOf(task);
  return classes === 2 ? undefined : `has average "binary", but there are ${classes} classes. Use "macro"`;
}

/** The counts of each class. */
function countsOf(matrix: readonly (readonly number[])[]): ClassCounts[] {
  return matrix.map((row, k) => ({
    right: row[k] ?? 0,
    predicted: sumOf(matrix.map((other) => other[k] ?? 0)),
    actual: sumOf(row),
  }));
}
