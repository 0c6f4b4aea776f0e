import shader from '../../shaders/layer/column-sum.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, program } from '../plan/dispatch.js';
import { type Tensor, unaligned } from '../plan/tensor.js';
import { LONG_SUM } from './long-sum.js';

/**
 * Describes a dispatch that computes sums[c] = Σᵣ X[r, c], such as the gradient of a bias.
 * Kernel: `shaders/layer/column-sum.wgsl`.
 * @param X (rows, columns)
 * @param sums (columns) elements, overwritten
 * @throws {ShapeError} if X is not a matrix, or `sums` does not have one element for each column
 * @example
 * gpu.run([columnSum(dY, db)]);
 */
export function columnSum(X: Tensor, sums: Tensor): Dispatch {
  const [rows = 1, columns = 1] = X.shape;
  if (X.shape.length !== 2 || sums.length !== columns) {
    throw new ShapeError(
      `columnSum: X is ${formatShape(X.shape)} and sums has ${sums.length} elements; they must be (rows, columns) and (columns).`,
    );
  }
  const { base, offset } = unaligned(sums);
  return dispatch(shader, {
    label: `column-sum ${rows}×${columns}`,
    programs: [program(shader, { LONG: rows > LONG_SUM }, linearGrid(columns))],
    uniforms: { dims: { rows, columns, sums_offset: offset } },
    buffers: { X, sums: base },
    flops: rows * columns,
  });
}
