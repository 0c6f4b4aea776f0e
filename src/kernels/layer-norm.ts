import shader from '../../shaders/norm/layer-norm.wgsl';
import backward from '../../shaders/norm/layer-norm-backward.wgsl';
import ofParameters from '../../shaders/norm/layer-norm-parameters.wgsl';
import { type Dispatch, dispatch } from '../plan/dispatch.js';
import { type Tensor, unaligned } from '../plan/tensor.js';
import { activationGradientOf, type WithActivationGradient } from './activation-gradient.js';
import { resolveActivation } from './activations.js';
import { LONG_SUM } from './long-sum.js';
import { checkNorm } from './norm.js';
import { totalPrograms } from './total.js';

/**
 * Describes a dispatch that normalises each row over its columns: Y = (X − mean)/√(variance + ε)·weight + bias, with
 * the biased variance.
 * Kernel: `shaders/norm/layer-norm.wgsl`.
 * @param X (rows, columns)
 * @param Y (rows, columns), overwritten; not in the buffer of X
 * @param statistics (2, rows), overwritten: mean, then 1/√(variance + ε)
 * @throws {ShapeError} if the shapes do not fit together
 * @example
 * gpu.run([layerNormRows(X, Y, statistics, { epsilon: 1e-5 })]);
 */
export function layerNormRows(
  X: Tensor,
  Y: Tensor,
  statistics: Tensor,
  {
    epsilon,
    parameters,
  }: {
    /** ε, added to the variance, > 0. */
    readonly epsilon: number;
    /** (2, columns): weight, then bias. Default: none, so that each row of Y has mean 0 and variance 1. */
    readonly parameters?: Tensor | undefined;
  },
): Dispatch {
  const [rows = 1, columns = 1] = X.shape;
  checkNorm('layerNormRows', X, { Y }, { parameters }, [2, columns]);
  checkNorm('layerNormRows', X, {}, { statistics }, [2, rows]);
  return dispatch(shader, {
    kernel: 'layer-norm',
    label: `layer-norm ${rows}×${columns}`,
    programs: totalPrograms(shader, { AFFINE: parameters !== undefined, LONG: columns > LONG_SUM }, rows),
    uniforms: { dims: { rows, columns, epsilon } },
    buffers: { X, parameters, statistics, Y },
    flops: 8 * X.length,
  });
}

/**
 * Describes a dispatch that computes dX = ∂loss/∂X of `layerNormRows`, with x̂ = (X − mean)·ρ, ρ = 1/√(variance + ε) and
 * g = dY ⊙ weight:
 * - dX = ρ·(g − (Σ g + x̂·Σ g·x̂)/columns), the sums over the columns of a row; times f′ with `activationGradient`
 *
 * Kernel: `shaders/norm/layer-norm-backward.wgsl`.
 * @param X (rows, columns), as in the forward pass
 * @param dY (rows, columns): ∂loss/∂Y
 * @param dX (rows, columns), overwritten; not in the buffer of X or dY
 * @param statistics (2, rows), as the forward pass wrote them
 * @throws {ShapeError} if the shapes do not fit together
 * @throws {MlpError} `unknown-activation` or `bad-activation` if the activation of `activationGradient` is not valid
 * @example
 * gpu.run([layerNormRowsBackward(X, dY, dX, statistics)]);
 */
export function layerNormRowsBackward(
  X: Tensor,
  dY: Tensor,
  dX: Tensor,
  statistics: Tensor,
  {
    parameters,
    ...options
  }: WithActivationGradient & {
    /** (2, columns): weight, then bias, as in the forward pass. Default: none. */
    readonly parameters?: Tensor | undefined;
  } = {},
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
        LONG: columns > LONG_SUM,
      },
      rows,
    ),
    uniforms: { dims: { rows, columns, kept_offset: start?.offset ?? 0 } },
    buffers: { X, parameters, statistics, dY, kept: start?.base, dX },
    flops: 12 * X.length,
  });
}

/**
 * Describes a dispatch that computes the gradients of weight and bias of `layerNormRows`: ∂loss/∂weight = Σᵣ dY·x̂ and
 * ∂loss/∂bias = Σᵣ dY, with x̂ = (X − mean)/√(variance + ε).
 * Kernel: `shaders/norm/layer-norm-parameters.wgsl`.
 * @param X (rows, columns), as in the forward pass
 * @param dY (rows, columns): ∂loss/∂Y; 0 in rows that do not count
 * @param gradients (2, columns), overwritten: ∂loss/∂weight, then ∂loss/∂bias
 * @param statistics (2, rows), as the forward pass wrote them
 * @throws {ShapeError} if the shapes do not fit together
 * @example
 * gpu.run([layerNormParameters(X, dY, gradients, statistics)]);
 */
export function layerNormParameters(X: Tensor, dY: Tensor, gradients: Tensor, statistics: Tensor): Dispatch {
  const [rows = 1, columns = 1] = X.shape;
  checkNorm('layerNormParameters', X, { dY }, { gradients }, [2, columns]);
  checkNorm('layerNormParameters', X, {}, { statistics }, [2, rows]);
  return dispatch(ofParameters, {
    kernel: 'layer-norm',
    label: `layer-norm ${rows}×${columns} dweight, dbias`,
    programs: totalPrograms(ofParameters, { LONG: rows > LONG_SUM }, columns),
    uniforms: { dims: { rows, columns } },
    buffers: { X, statistics, dY, gradients },
    flops: 5 * X.length,
  });
}
