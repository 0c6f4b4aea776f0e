import shader from '../../shaders/layer/transpose.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, program } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/**
 * Describes B = Aᵀ, B[n, m] = A[m, n], with `shaders/layer/transpose.wgsl`. `matmul` transposes its operands by itself, by the
 * options `transposeA` and `transposeB`.
 * @param A (M, N)
 * @param B (N, M), overwritten; not in A's buffer
 * @throws {ShapeError} if the shapes do not fit together, or if B is in A's buffer
 * @example gpu.run([transpose(A, B)]);
 */
export function transpose(A: Tensor, B: Tensor): Dispatch {
  const [rows = 1, columns = 1] = A.shape;
  if (A.shape.length !== 2 || B.shape.length !== 2 || B.shape[0] !== columns || B.shape[1] !== rows) {
    throw new ShapeError(
      `transpose: A is ${formatShape(A.shape)} and B is ${formatShape(B.shape)}; they are (M, N) and (N, M).`,
    );
  }
  const tiles = Math.ceil(rows / 32) * Math.ceil(columns / 32);
  return dispatch(shader, {
    label: `transpose ${rows}×${columns}`,
    // The grid has a workgroup for every 64 numbers, and a workgroup takes a tile.
    programs: [program(shader, {}, linearGrid(64 * tiles))],
    uniforms: { dims: { rows, columns } },
    buffers: { A, B },
  });
}
