import shader from '../../shaders/layer/learned-activation.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, program } from '../plan/dispatch.js';
import { type Tensor, unaligned } from '../plan/tensor.js';

/** The activations whose parameter can be learned. */
export type LearnedActivation = 'prelu' | 'swish';

/**
 * Describes Y = g(Z, p); `shaders/layer/learned-activation.wgsl` tells how.
 * @param Z (rows, columns)
 * @param p (columns) elements, or one for all
 * @param Y as Z, overwritten
 * @throws {ShapeError} if shapes do not fit together
 */
export function learnedActivation(Z: Tensor, p: Tensor, Y: Tensor, activation: LearnedActivation): Dispatch {
  return describe(Z, p, { dY: undefined, Y, dp: undefined }, activation);
}

/**
 * Describes dZ = dY ⊙ ∂g/∂z, and dp = the column sums of dY ⊙ ∂g/∂p.
 * @param dY (rows, columns), as Z
 * @param results dZ as Z, and dp (columns) elements also where p is one for all; overwritten
 * @throws {ShapeError} if shapes do not fit together
 */
export function learnedActivationBackward(
  dY: Tensor,
  Z: Tensor,
  p: Tensor,
  { dZ, dp }: { readonly dZ: Tensor; readonly dp: Tensor },
  activation: LearnedActivation,
): Dispatch {
  return describe(Z, p, { dY, Y: dZ, dp }, activation);
}

function describe(
  Z: Tensor,
  p: Tensor,
  { dY, Y, dp }: { readonly dY: Tensor | undefined; readonly Y: Tensor; readonly dp: Tensor | undefined },
  activation: LearnedActivation,
): Dispatch {
  const [rows = 1, columns = 1] = Z.shape;
  const fits = Y.length === Z.length && (dY ?? Z).length === Z.length && (dp?.length ?? columns) === columns;
  if (Z.shape.length !== 2 || !fits || (p.length !== columns && p.length !== 1)) {
    const [given, result] =
      dY === undefined ? ['', 'Y'] : [`, dY ${formatShape(dY.shape)}, dp ${formatShape(dp?.shape ?? [])}`, 'dZ'];
    throw new ShapeError(
      `learnedActivation: Z is ${formatShape(Z.shape)}, p ${formatShape(p.shape)}, ${result} ${formatShape(Y.shape)}${given}; all are (rows, columns), but p and dp (columns), p or (1).`,
    );
  }
  const backward = dY !== undefined;
  const overrides = { BACKWARD: backward, SWISH: activation === 'swish', SHARED: p.length === 1 };
  const from = unaligned(p);
  const to = dp === undefined ? undefined : unaligned(dp);
  return dispatch(shader, {
    label: `learned-activation ${rows}×${columns} ${backward ? `⊙ ${activation}′` : activation}`,
    programs: [program(shader, overrides, linearGrid(backward ? columns : Z.length))],
    uniforms: { dims: { rows, columns, p_offset: from.offset, dp_offset: to?.offset ?? 0 } },
    buffers: { Z, p: from.base, dY, Y, dp: to?.base },
    flops: (backward ? 4 : 2) * Z.length,
  });
}
