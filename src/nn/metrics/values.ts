import { VALUE_SUMS, valueSums } from '../../kernels/value-sums.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Accumulator, Sums, Task } from './metric.js';

/** Partial sums of a column: as many invocations add up a batch. */
const PARTIALS = 64;
/** The place of c in a partial sum, what its targets are relative to: no sum. */
const ORIGIN = 1;

/** One dispatch a step, for every metric of regression. */
export const values: Accumulator = {
  dtype: 'f32',
  shape: (batch, { outputs }) => [outputs, Math.min(batch, PARTIALS), VALUE_SUMS],
  record(plan, outputs, labels, sums) {
    if (sums.dtype === 'f32') plan.add(valueSums(outputs, labels, sums, PER_STEP));
  },
  since: (now, before) => now.map((sum, i) => (i % VALUE_SUMS === ORIGIN ? sum : sum - (before[i] ?? 0))),
};

/** The sums of one invocation over its rows of a column; `shaders/loss/value-sums.wgsl` has the formulas. */
export interface PartialSums {
  /** n: rows. */
  readonly count: number;
  /** c: what the targets are relative to. */
  readonly origin: number;
  /** Σ(y − c) and Σ(y − c)². */
  readonly first: number;
  readonly second: number;
  /** Σ(a − y)² and Σ|a − y|. */
  readonly squares: number;
  readonly absolutes: number;
}

/** The partial sums of each column. */
export function columnsOf({ accumulators }: Sums, { outputs }: Task): PartialSums[][] {
  const sums = accumulators.get(values) ?? new Float64Array(0);
  const partials: PartialSums[] = [];
  for (let i = 0; i < sums.length; i += VALUE_SUMS) {
    const [count = 0, origin = 0, first = 0, second = 0, squares = 0, absolutes = 0] = sums.subarray(i, i + VALUE_SUMS);
    partials.push({ count, origin, first, second, squares, absolutes });
  }
  const perColumn = partials.length / outputs;
  return Array.from({ length: outputs }, (_, column) => partials.slice(column * perColumn, (column + 1) * perColumn));
}

/** The sum of a number of each partial sum. */
export function total(partials: readonly PartialSums[], of: (one: PartialSums) => number): number {
  return partials.reduce((sum, one) => sum + of(one), 0);
}

/** For metrics of regression. */
export function wantsValues({ link }: Task): string | undefined {
  return link === 'identity' ? undefined : 'measures values, but the loss learns classes. Use accuracy()';
}
