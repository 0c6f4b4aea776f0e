import { VALUE_SUMS, valueSums } from '../../kernels/value-sums.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Accumulator, Sums, Task } from './metric.js';

/** Partial sums per output column, and so invocations that sum up a column of a batch. */
const PARTIALS = 64;
/** Numbers of a partial sum in the tensor: high parts, then low parts. */
const PAIRS = 2 * VALUE_SUMS;

/** Sums of outputs and targets: one dispatch per step, shared by all regression metrics. */
export const values: Accumulator = {
  dtype: 'f32',
  shape: (batch, { outputs }) => [outputs, Math.min(batch, PARTIALS), 2, VALUE_SUMS],
  record(plan, outputs, labels, sums) {
    if (sums.dtype === 'f32') plan.add(valueSums(outputs, labels, sums, PER_STEP));
  },
  since(now, before) {
    const differences = new Float64Array(now.length);
    for (let i = 0; i < now.length; i += PAIRS)
      differences.set(differenceOf(partialOf(now, i), partialOf(before, i)), i);
    return differences;
  },
};

/** The sums of one invocation over its rows of a column; `shaders/loss/value-sums.wgsl` has the formulas. */
export interface PartialSums {
  /** n: number of rows. */
  readonly count: number;
  /** c: origin of the targets. */
  readonly origin: number;
  /** Σ(y − c). */
  readonly first: number;
  /** Σ(y − c)². */
  readonly second: number;
  /** Σ(a − y)². */
  readonly squares: number;
  /** Σ|a − y|. */
  readonly absolutes: number;
}

/** The partial sum that begins at an index of the tensor. */
function partialOf(sums: Float64Array, start: number): PartialSums {
  const of = (number: number): number => (sums[start + number] ?? 0) + (sums[start + VALUE_SUMS + number] ?? 0);
  return { count: of(0), origin: of(1), first: of(2), second: of(3), squares: of(4), absolutes: of(5) };
}

/** The numbers of a partial sum without those of an earlier time, whose targets are taken relative to another origin. */
function differenceOf(now: PartialSums, before: PartialSums): number[] {
  const shift = before.origin - now.origin;
  const first = before.first + before.count * shift;
  const second = before.second + shift * (before.first + first);
  return [
    now.count - before.count,
    now.origin,
    now.first - first,
    now.second - second,
    now.squares - before.squares,
    now.absolutes - before.absolutes,
  ];
}

/** The partial sums of each output column. */
export function columnsOf({ accumulators }: Sums, { outputs }: Task): PartialSums[][] {
  const sums = accumulators.get(values) ?? new Float64Array(0);
  const partials: PartialSums[] = [];
  for (let i = 0; i < sums.length; i += PAIRS) partials.push(partialOf(sums, i));
  const perColumn = partials.length / outputs;
  return Array.from({ length: outputs }, (_, column) => partials.slice(column * perColumn, (column + 1) * perColumn));
}

/** Adds up one number of each partial sum. */
export function total(partials: readonly PartialSums[], of: (one: PartialSums) => number): number {
  return partials.reduce((sum, one) => sum + of(one), 0);
}

/** `Metric.unfit` of regression metrics: they need a regression loss. */
export function wantsValues({ link }: Task): string | undefined {
  return link === 'identity' ? undefined : 'measures values, but the loss learns classes. Use accuracy()';
}
