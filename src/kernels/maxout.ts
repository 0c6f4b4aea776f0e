import shader from '../../shaders/layer/maxout.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, program } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/**
 * Describes a dispatch that computes Y[r, u] = maxₖ Z[r, u·pieces + k], the largest of the pieces of each unit.
 * Kernel: `shaders/layer/maxout.wgsl`.
 * @param Z (rows, units·pieces): piece k of unit u is column u·pieces + k
 * @param Y (rows, units), overwritten
 * @throws {ShapeError} if the columns of Z are no multiple of those of Y, or the rows differ
 * @example
 * gpu.run([maxout(Z, Y)]);
 */
export function maxout(Z: Tensor, Y: Tensor): Dispatch {
  return describe(Z, undefined, Y);
}

/**
 * Describes a dispatch that computes the gradient of `maxout`: dZ is dY at the largest piece of each unit, or the first
 * of several equal ones, and 0 at the other pieces.
 * @param dY (rows, units): ∂loss/∂Y
 * @param Z (rows, units·pieces), as in the forward pass
 * @param dZ (rows, units·pieces), overwritten: ∂loss/∂Z
 * @throws {ShapeError} if the columns of Z are no multiple of those of dY, the rows differ, or dZ is not as large as Z
 * @example
 * gpu.run([maxoutBackward(dY, Z, dZ)]);
 */
export function maxoutBackward(dY: Tensor, Z: Tensor, dZ: Tensor): Dispatch {
  return describe(Z, dY, dZ);
}

/** Describes the forward pass, or with dY the backward pass. */
function describe(Z: Tensor, dY: Tensor | undefined, result: Tensor): Dispatch {
  const outer = dY ?? result;
  const [rows = 1, units = 1] = outer.shape;
  const [rowsOfZ, columns = 1] = Z.shape;
  const matrices = outer.shape.length === 2 && Z.shape.length === 2;
  if (!matrices || rowsOfZ !== rows || columns % units !== 0 || (dY !== undefined && result.length !== Z.length)) {
    const more = dY === undefined ? '' : ` and dZ ${formatShape(result.shape)}`;
    throw new ShapeError(
      `maxout: Z is ${formatShape(Z.shape)}, ${dY === undefined ? 'Y' : 'dY'} ${formatShape(outer.shape)}${more}; Z${more && ' and dZ'} must be (rows, units·pieces), the other (rows, units).`,
    );
  }
  const pieces = columns / units;
  return dispatch(shader, {
    label: `maxout ${rows}×${units} of ${pieces}${dY === undefined ? '' : ' back'}`,
    programs: [program(shader, { BACKWARD: dY !== undefined }, linearGrid(outer.length))],
    uniforms: { dims: { count: outer.length, pieces } },
    buffers: { Z, dY, Y: result },
    flops: Z.length,
  });
}
