import shader from '../../shaders/layer/learned-activation.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, program } from '../plan/dispatch.js';
import { type Tensor, unaligned } from '../plan/tensor.js';
import { LONG_SUM } from './long-sum.js';

/** The activations whose parameter can be learned. */
export type LearnedActivation = 'prelu' | 'swish';

/**
 * Describes a dispatch that computes Y = g(Z, p), an activation with a learned parameter:
 * - prelu: z if z > 0, else p·z
 * - swish: z·σ(p·z), where σ is the sigmoid
 *
 * Kernel: `shaders/layer/learned-activation.wgsl`.
 * @param Z (rows, columns)
 * @param p (columns) elements, or one element for all columns
 * @param Y (rows, columns), overwritten; not in the buffer of Z
 * @throws {ShapeError} if the shapes do not fit together
 * @example
 * gpu.run([learnedActivation(Z, p, Y, 'prelu')]);
 */
export function learnedActivation(Z: Tensor, p: Tensor, Y: Tensor, activation: LearnedActivation): Dispatch {
  return describe(Z, p, { dY: undefined, Y, dp: undefined }, activation);
}

/**
 * Describes a dispatch that computes dZ = dY ⊙ ∂g/∂z and dp = the column sums of dY ⊙ ∂g/∂p, the gradients of
 * `learnedActivation`.
 * @param dY (rows, columns): ∂loss/∂Y
 * @param Z (rows, columns), as in the forward pass
 * @param p (columns) elements, or one element for all columns, as in the forward pass
 * @throws {ShapeError} if the shapes do not fit together
 * @example
 * gpu.run([learnedActivationBackward(dY, Z, p, { dZ, dp }, 'prelu')]);
 */
export function learnedActivationBackward(
  dY: Tensor,
  Z: Tensor,
  p: Tensor,
  {
    dZ,
    dp,
  }: {
    /** (rows, columns), overwritten: ∂loss/∂Z. */
    readonly dZ: Tensor;
    /** (columns) elements, overwritten; if p is one element, its gradient is their sum. */
    readonly dp: Tensor;
  },
  activation: LearnedActivation,
): Dispatch {
  return describe(Z, p, { dY, Y: dZ, dp }, activation);
}

/** Describes the forward pass, or with dY the backward pass, which writes dZ to `Y`. */
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
      `learnedActivation: Z is ${formatShape(Z.shape)}, p ${formatShape(p.shape)}, ${result} ${formatShape(Y.shape)}${given}; all are (rows, columns), except dp (columns) and p (columns) or (1).`,
    );
  }
  const backward = dY !== undefined;
  const overrides = {
    BACKWARD: backward,
    SWISH: activation === 'swish',
    SHARED: p.length === 1,
    LONG: backward && rows > LONG_SUM,
  };
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
