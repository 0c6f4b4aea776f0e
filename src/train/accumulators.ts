import type { Complete } from '../base/options.js';
import type { Owner } from '../base/owner.js';
import type { LossOutputs } from '../kernels/softmax-cross-entropy.js';
import type { Purpose } from '../nn/layers/layer.js';
import type { Accumulator, Sums, Task } from '../nn/metrics/metric.js';
import type { DeviceMemory } from '../plan/memory.js';
import { Tensor } from '../plan/tensor.js';

/**
 * The result tensors of steps of one purpose: losses and hits for each row, accumulators of metrics, first step that is
 * not finite.
 */
export type Accumulators = Complete<Omit<LossOutputs, 'gradient'>> & {
  readonly metrics: ReadonlyMap<Accumulator, Tensor | Tensor<'u32'>>;
};

/** The sums of steps, as they are read back. */
export type ReadSums = Omit<Sums, 'tallies'>;

/**
 * The accumulators of each purpose. They are separate, so that training, evaluation and gradients do not affect each
 * other's sums.
 */
export type AccumulatorsByPurpose = Readonly<Record<Purpose, Accumulators>>;

/** The tensors that sums are read from. `losses` holds only the latest batch, so its length is the batch size. */
type Counting = Pick<Accumulators, 'losses' | 'totals' | 'metrics'>;

/** Allocates accumulators. @param sums sums in `totals`: 3 if the loss weighs classes, 2 otherwise */
export function allocateAccumulators(
  memory: DeviceMemory,
  owner: Owner,
  batch: number,
  layers: number,
  sums: number,
  metrics: Iterable<Accumulator>,
  task: Task,
): Accumulators {
  const allocate = (accumulator: Accumulator): Tensor | Tensor<'u32'> => {
    const args = [memory, accumulator.shape(batch, task), 'accumulator'] as const;
    return accumulator.dtype === 'u32' ? Tensor.empty(...args, 'u32') : Tensor.empty(...args);
  };
  return {
    losses: owner.own(Tensor.empty(memory, [batch, 1], 'losses')),
    totals: owner.own(Tensor.empty(memory, [2 * sums, batch], 'totals')),
    packed: owner.own(Tensor.empty(memory, [5, batch], 'totals and losses')),
    status: owner.own(Tensor.empty(memory, [1 + layers], 'status', 'u32')),
    metrics: new Map([...metrics].map((accumulator) => [accumulator, owner.own(allocate(accumulator))])),
  };
}

/** The value in `status` as long as everything is finite. */
export const ALL_FINITE = 0xffffffff;

/** The sums before the first step. */
export const ZERO_SUMS: ReadSums = { loss: 0, weight: 0, correct: 0, rows: 0, accumulators: new Map() };

/** The tensors that hold sums, in the order in which `sumsOf` takes them. */
export function counters({ totals, metrics }: Counting): readonly (Tensor | Tensor<'u32'>)[] {
  return [totals, ...metrics.values()];
}

/** Sets all sums to 0. */
export function clear(accumulators: Counting): void {
  for (const tensor of counters(accumulators)) {
    if (tensor.dtype === 'u32') tensor.write(new Uint32Array(tensor.length));
    else tensor.write(new Float32Array(tensor.length));
  }
}

/**
 * Adds up the rows of the batch in float64.
 * @param bytes contents of each tensor of `counters`
 * @param rows rows of all steps so far
 */
export function sumsOf(accumulators: Counting, bytes: readonly ArrayBuffer[], rows: number): ReadSums {
  const read = counters(accumulators).map(({ dtype, length }, i) => {
    const copied = bytes[i] ?? new ArrayBuffer(4 * length);
    return Float64Array.from(
      dtype === 'u32' ? new Uint32Array(copied, 0, length) : new Float32Array(copied, 0, length),
    );
  });
  const [totals = new Float64Array(0), ...counts] = read;
  const batch = accumulators.losses.length;
  const sumOfRow = (number: number): number =>
    totals.subarray(number * batch, (number + 1) * batch).reduce((sum, value) => sum + value, 0);
  // The first half of the rows has the sums, the second half their low parts.
  const sums = totals.length / (2 * batch);
  const sumOf = (number: number): number => sumOfRow(number) + sumOfRow(sums + number);
  return {
    loss: sumOf(0),
    correct: sumOf(1),
    weight: sums > 2 ? sumOf(2) : rows,
    rows,
    accumulators: new Map(
      [...accumulators.metrics.keys()].map((accumulator, i) => [accumulator, counts[i] ?? new Float64Array(0)]),
    ),
  };
}

/** The sums of the steps since an earlier report. */
export function difference(now: ReadSums, before: ReadSums): ReadSums {
  const differences = [...now.accumulators].map(([accumulator, counts]): [Accumulator, Float64Array] => {
    const old = before.accumulators.get(accumulator);
    const { since = (sum, less) => sum.map((count, i) => count - (less[i] ?? 0)) } = accumulator;
    return [accumulator, old === undefined ? counts : since(counts, old)];
  });
  return {
    loss: now.loss - before.loss,
    weight: now.weight - before.weight,
    correct: now.correct - before.correct,
    rows: now.rows - before.rows,
    accumulators: new Map(differences),
  };
}

/** The mean loss of sums; 0 if all rows are of classes with weight 0. A sum that is not finite stays so. */
export function meanLoss({ loss, weight }: Pick<ReadSums, 'loss' | 'weight'>): number {
  return weight === 0 && Number.isFinite(loss) ? 0 : loss / weight;
}

/** The mean loss of the first rows, in float64. */
export function mean(losses: Float32Array, rows: number): number {
  return losses.subarray(0, rows).reduce((sum, loss) => sum + loss, 0) / rows;
}
