import { VALUE_SUMS, valueSums } from '../../kernels/value-sums.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Sums, Tally, Task } from './metric.js';

/** Slots of a column: as many invocations add up a batch. */
const SLOTS = 64;
/** Where a slot has c, what its targets are relative to: no sum. */
const ORIGIN = 1;

/** One dispatch a step, for every metric of regression. */
export const values: Tally = {
  dtype: 'f32',
  shape: (batch, { outputs }) => [outputs, Math.min(batch, SLOTS), VALUE_SUMS],
  record(plan, outputs, labels, sums) {
    if (sums.dtype === 'f32') plan.add(valueSums(outputs, labels, sums, PER_STEP));
  },
  since: (now, before) => now.map((sum, i) => (i % VALUE_SUMS === ORIGIN ? sum : sum - (before[i] ?? 0))),
};

/** The sums of a slot; `shaders/loss/value-sums.wgsl` has the formulas. */
export interface Slot {
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

/** The slots of each column. */
export function columnsOf({ tallies }: Sums, { outputs }: Task): Slot[][] {
  const sums = tallies.get(values) ?? new Float64Array(0);
  const slots: Slot[] = [];
  for (let i = 0; i < sums.length; i += VALUE_SUMS) {
    const [count = 0, origin = 0, first = 0, second = 0, squares = 0, absolutes = 0] = sums.subarray(i, i + VALUE_SUMS);
    slots.push({ count, origin, first, second, squares, absolutes });
  }
  const perColumn = slots.length / outputs;
  return Array.from({ length: outputs }, (_, column) => slots.slice(column * perColumn, (column + 1) * perColumn));
}

/** The sum of something of each slot. */
export function total(slots: readonly Slot[], of: (slot: Slot) => number): number {
  return slots.reduce((sum, slot) => sum + of(slot), 0);
}

/** For metrics of regression. */
export function wantsValues({ link }: Task): string | undefined {
  return link === 'identity' ? undefined : 'measures values, but the loss learns classes. Use accuracy()';
}
