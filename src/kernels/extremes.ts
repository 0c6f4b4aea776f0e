import shader from '../../shaders/inspect/extremes.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/**
 * Describes the smallest and the largest value of each column, over this and earlier calls; `shaders/inspect/extremes.wgsl`
 * tells how.
 * @param X (rows, columns)
 * @param extremes (2, columns), read and written; before the first call ±the largest number
 * @param step how many rows count; without it all do
 * @throws {ShapeError} if the shapes do not fit together
 */
export function columnExtremes(X: Tensor, extremes: Tensor, step?: StepValues | typeof PER_STEP): Dispatch {
  const [rows = 1, columns = 1] = X.shape;
  if (X.shape.length !== 2 || extremes.shape.join() !== `2,${columns}`) {
    throw new ShapeError(
      `columnExtremes: X is ${formatShape(X.shape)} and extremes are ${formatShape(extremes.shape)}; they are (rows, columns) and (2, columns).`,
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

const ALL: StepValues = { first: 0, rows: 0, index: 0, learning_rate: 0 };
