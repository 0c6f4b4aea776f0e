import shader from '../../shaders/layer/maxout.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, program } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/**
 * Describes Y = the largest of each unit's pieces; `shaders/layer/maxout.wgsl` tells how.
 * @param Z (rows, units·pieces): piece k of unit u is column u·pieces + k
 * @param Y (rows, units), overwritten
 * @throws {ShapeError} if Z's columns are no multiple of Y's, or the rows differ
 */
export function maxout(Z: Tensor, Y: Tensor): Dispatch {
  return describe(Z, undefined, Y);
}

/**
 * Describes dZ = dY at the largest piece of each unit, at the first of equals, and 0 at the others.
 * @param dY (rows, units)
 * @param Z (rows, units·pieces)
 * @param dZ as Z, overwritten
 * @throws {ShapeError} if Z's columns are no multiple of dY's, the rows differ, or dZ is not as Z
 */
export function maxoutBackward(dY: Tensor, Z: Tensor, dZ: Tensor): Dispatch {
  return describe(Z, dY, dZ);
}

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
