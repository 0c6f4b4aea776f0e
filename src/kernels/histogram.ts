import shader from '../../shaders/inspect/histogram.wgsl';
import { MlpError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/**
 * Describes a dispatch that counts the values in each of `bins` equal parts of a range: counts[b] += 1 for each x with
 * b = ⌊(x − low)/(high − low)·bins⌋. Values outside of the range count in the first or last bin; values that are not
 * finite do not count.
 * Kernel: `shaders/inspect/histogram.wgsl`.
 * @param X (rows, columns)
 * @param counts (bins), read and written
 * @param range low and high, both finite, low < high
 * @param step `rows` is the number of rows that count; `PER_STEP` in a recorded plan, which sets it at each replay.
 * Default: all rows count.
 * @throws {MlpError} `bad-option` if `range` is not finite, or low ≥ high
 * @example
 * gpu.run([histogram(X, counts, [-1, 1])]);
 */
export function histogram(
  X: Tensor,
  counts: Tensor<'u32'>,
  range: readonly [low: number, high: number],
  step?: StepValues | typeof PER_STEP,
): Dispatch {
  const [low, high] = range;
  const bins = counts.length;
  if (!(Number.isFinite(low) && Number.isFinite(high) && low < high)) {
    throw new MlpError('bad-option', `histogram: range = ${low} to ${high}; both must be finite, the first smaller.`);
  }
  return dispatch(shader, {
    label: `histogram of ${X.length} in ${bins}`,
    programs: [program(shader, { BATCH: step !== undefined }, linearGrid(X.length))],
    uniforms: {
      dims: { count: X.length, columns: X.shape[1] ?? 1, bins, low, scale: bins / (high - low) },
      step: step ?? { first: 0, rows: 0, index: 0, learning_rate: 0 },
    },
    buffers: { X, counts },
    flops: 2 * X.length,
  });
}
