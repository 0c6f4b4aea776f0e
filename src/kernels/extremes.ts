import shader from '../../shaders/inspect/extremes.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/**
 * Describes a dispatch that finds the smallest and the largest value of each column, over this call and earlier ones:
 * extremes[0, c] ← min(extremes[0, c], X[r, c]), extremes[1, c] ← max(extremes[1, c], X[r, c]). NaN is ignored.
 * Kernel: `shaders/inspect/extremes.wgsl`.
 * @param X (rows, columns)
 * @param extremes (2, columns), read and written; before the first call the largest float32, then its negative
 * @param step `rows` is the number of rows that count; `PER_STEP` in a recorded plan, which sets it at each replay.
 * Default: all rows count.
 * @throws {ShapeError} if the shapes do not fit together
 * @example
 * gpu.run([columnExtremes(X, extremes)]);
 */
export function columnExtremes(X: Tensor, extremes: Tensor, step?: StepValues | typeof PER_STEP): Dispatch {
  const [rows = 1, columns = 1] = X.shape;
  if (X.shape.length !== 2 || extremes.shape.join() !== `2,${columns}`) {
    throw new ShapeError(
      `columnExtremes: X is ${formatShape(X.shape)} and extremes are ${formatShape(extremes.shape)}; they must be (rows, columns) and (2, columns).`,
    );
  }
  return dispatch(shader, {
    label: `extremes ${rows}×${columns}`,
    programs: [program(shader, { BATCH: step !== undefined }, linearGrid(columns))],
    uniforms: { dims: { count: X.length, columns }, step: step ?? ALL },
    buffers: { X, extremes },
    flops: 2 * X.length,
  });
}

/** Step values for all rows; the kernel does not read them. */
const ALL: StepValues = { first: 0, rows: 0, index: 0, learning_rate: 0 };
