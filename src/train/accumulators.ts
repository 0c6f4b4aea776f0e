import type { Sums, Tally } from '../nn/metrics/metric.js';
import type { DeviceMemory } from '../plan/memory.js';
import { Tensor } from '../plan/tensor.js';
import type { Results } from './step.js';

/** What steps add to, and how many rows a batch has. */
type Counting = Pick<Results, 'losses' | 'totals' | 'tallies'>;

/** Before the first step. */
export const NOTHING: Sums = { loss: 0, weight: 0, correct: 0, rows: 0, tallies: new Map() };

/** A tally's tensor. */
export function tallyTensor(memory: DeviceMemory, shape: readonly number[], { dtype }: Tally): Tensor | Tensor<'u32'> {
  return dtype === 'u32' ? Tensor.empty(memory, shape, 'tally', dtype) : Tensor.empty(memory, shape, 'tally');
}

/** The tensors that hold sums, in the order in which `sumsOf` takes them. */
export function counters({ totals, tallies }: Counting): readonly (Tensor | Tensor<'u32'>)[] {
  return [totals, ...tallies.values()];
}

/** Sums begin anew. */
export function clear(results: Counting): void {
  for (const tensor of counters(results)) {
    if (tensor.dtype === 'u32') tensor.write(new Uint32Array(tensor.length));
    else tensor.write(new Float32Array(tensor.length));
  }
}

/** Sums over the rows of a batch, in float64, of sums over steps. @param bytes of each counter */
export function sumsOf(results: Counting, bytes: readonly ArrayBuffer[], rows: number): Sums {
  const read = counters(results).map(({ dtype, length }, i) => {
    const copied = bytes[i] ?? new ArrayBuffer(4 * length);
    return Float64Array.from(
      dtype === 'u32' ? new Uint32Array(copied, 0, length) : new Float32Array(copied, 0, length),
    );
  });
  const [totals = new Float64Array(0), ...counts] = read;
  const batch = results.losses.length;
  const part = (number: number): number =>
    totals.subarray(number * batch, (number + 1) * batch).reduce((sum, value) => sum + value, 0);
  return {
    loss: part(0),
    correct: part(1),
    weight: totals.length > 2 * batch ? part(2) : rows,
    rows,
    tallies: new Map([...results.tallies.keys()].map((tally, i) => [tally, counts[i] ?? new Float64Array(0)])),
  };
}

/** What was added since an earlier report. */
export function difference(now: Sums, before: Sums): Sums {
  const tallies = [...now.tallies].map(([tally, counts]): [Tally, Float64Array] => {
    const old = before.tallies.get(tally);
    const { since = (sum, less) => sum.map((count, i) => count - (less[i] ?? 0)) } = tally;
    return [tally, old === undefined ? counts : since(counts, old)];
  });
  return {
    loss: now.loss - before.loss,
    weight: now.weight - before.weight,
    correct: now.correct - before.correct,
    rows: now.rows - before.rows,
    tallies: new Map(tallies),
  };
}

/** The mean of the first rows, in float64. */
export function mean(losses: Float32Array, rows: number): number {
  return losses.subarray(0, rows).reduce((sum, loss) => sum + loss, 0) / rows;
}
