import shader from '../../shaders/norm/layer-norm.wgsl';
import backward from '../../shaders/norm/layer-norm-backward.wgsl';
import ofParameters from '../../shaders/norm/layer-norm-parameters.wgsl';
import { type Dispatch, dispatch } from '../plan/dispatch.js';
import { type Tensor, unaligned } from '../plan/tensor.js';
import { activationGradientOf, type WithActivationGradient } from './activation-gradient.js';
import { resolveActivation } from './activations.js';
import { checkNorm } from './norm.js';
import { totalPrograms } from './total.js';

/**
 * Describes the normalisation of each row over its columns; `shaders/norm/layer-norm.wgsl` tells how.
 * @param X (rows, columns)
 * @param Y (rows, columns), overwritten; not in X's buffer
 * @param statistics (2, rows), overwritten: mean and 1/√(variance + ε)
 * @param options parameters (2, columns): weight, then bias; without them Y has mean 0 and variance 1
 * @throws {ShapeError} if the shapes do not fit together
 */
export function layerNormRows(
  X: Tensor,
  Y: Tensor,
  statistics: Tensor,
  { epsilon, parameters }: { readonly epsilon: number; readonly parameters?: Tensor | undefined },
): Dispatch {
  const [rows = 1, columns = 1] = X.shape;
  checkNorm('layerNormRows', X, { Y }, { parameters }, [2, columns]);
  checkNorm('layerNormRows', X, {}, { statistics }, [2, rows]);
  return dispatch(shader, {
    kernel: 'layer-norm',
    label: `layer-norm ${rows}×${columns}`,
    programs: totalPrograms(shader, { AFFINE: parameters !== undefined }, rows),
    uniforms: { dims: { rows, columns, epsilon } },
    buffers: { X, parameters, statistics, Y },
    flops: 8 * X.length,
  });
}

/**
 * Describes ∂loss/∂X; `shaders/norm/layer-norm-backward.wgsl` tells how.
 * @param X (rows, columns), as the forward half had it
 * @param dY (rows, columns)
 * @param dX (rows, columns), overwritten; not in X's or dY's buffer
 * @param statistics (2, rows), as the forward half left them
 * @param options parameters (2, columns), as the forward half had them; an activation gradient, to multiply dX by f′
 * @throws {ShapeError} if the shapes do not fit together
 */
export function layerNormRowsBackward(
  X: Tensor,
  dY: Tensor,
  dX: Tensor,
  statistics: Tensor,
  { parameters, ...options }: WithActivationGradient & { readonly parameters?: Tensor | undefined } = {},
): Dispatch {
  const activationGradient = activationGradientOf(options);
  const [rows = 1, columns = 1] = X.shape;
  checkNorm('layerNormRowsBackward', X, { dY, dX, activationGradient: activationGradient?.at }, { parameters }, [
    2,
    columns,
  ]);
  checkNorm('layerNormRowsBackward', X, {}, { statistics }, [2, rows]);
  const { index, alpha, name } = resolveActivation(activationGradient?.activation ?? 'linear');
  const start = activationGradient && unaligned(activationGradient.at);
  return dispatch(backward, {
    kernel: 'layer-norm',
    label: `layer-norm ${rows}×${columns} backward${activationGradient === undefined ? '' : ` ⊙ ${name}′`}`,
    programs: totalPrograms(
      backward,
      {
        AFFINE: parameters !== undefined,
        ACTIVATION_GRADIENT: activationGradient !== undefined,
        ACTIVATION: index,
        ALPHA: alpha,
      },
      rows,
    ),
    uniforms: { dims: { rows, columns, kept_offset: start?.offset ?? 0 } },
    buffers: { X, parameters, statistics, dY, kept: start?.base, dX },
    flops: 12 * X.length,
  });
}

/**
 * Describes the gradients of weight and bias; `shaders/norm/layer-norm-parameters.wgsl` tells how.
 * @param X (rows, columns), as the forward half had it
 * @param dY (rows, columns); 0 in rows that do not count
 * @param gradients (2, columns), overwritten
 * @param statistics (2, rows), as the forward half left them
 * @throws {ShapeError} if the shapes do not fit together
 */
export function layerNormParameters(X: Tensor, dY: Tensor, gradients: Tensor, statistics: Tensor): Dispatch {
  const [rows = 1, columns = 1] = X.shape;
  checkNorm('layerNormParameters', X, { dY }, { gradients }, [2, columns]);
  checkNorm('layerNormParameters', X, {}, { statistics }, [2, rows]);
  return dispatch(ofParameters, {
    kernel: 'layer-norm',
    label: `layer-norm ${rows}×${columns} dweight, dbias`,
    programs: totalPrograms(ofParameters, {}, columns),
    uniforms: { dims: { rows, columns } },
    buffers: { X, statistics, dY, gradients },
    flops: 5 * X.length,
  });
}
