import shader from '../../shaders/inspect/histogram.wgsl';
import { MlpError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/**
 * Describes how many values are in each of equal parts of a range; `shaders/inspect/histogram.wgsl` tells how.
 * @param X (rows, columns)
 * @param counts (bins), added to
 * @param range its ends, finite, the first the smaller; values outside count in the bin at its end
 * @param step how many rows count; without it all do
 * @throws {MlpError} `bad-option` for a range that is none
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
    throw new MlpError(
      'bad-option',
      `histogram: range = ${low} to ${high}; both are finite, the first is the smaller.`,
    );
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
