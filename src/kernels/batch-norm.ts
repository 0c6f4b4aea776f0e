import shader from '../../shaders/norm/batch-norm.wgsl';
import backward from '../../shaders/norm/batch-norm-backward.wgsl';
import { type Dispatch, dispatch, type PER_STEP, type StepValues } from '../plan/dispatch.js';
import { type Tensor, unaligned } from '../plan/tensor.js';
import { type ActivationGradient, activationGradientOf, type WithActivationGradient } from './activation-gradient.js';
import { resolveActivation } from './activations.js';
import { LONG_SUM } from './long-sum.js';
import { checkNorm } from './norm.js';
import { totalPrograms } from './total.js';

/** Options and further tensors of `batchNormRows`. */
export interface BatchNormOptions {
  /** ε, added to the variance, > 0. Example: `epsilon: 1e-5`. */
  readonly epsilon: number;
  /**
   * (2, columns): weight, then bias. Default: none, so that each column of Y has mean 0 and variance 1.
   * Example: `parameters: parameters`.
   */
  readonly parameters?: Tensor | undefined;
  /**
   * (2, columns): running mean, then running variance. Without the batch's `statistics` they normalise X; with
   * `statistics` and `momentum` they are updated. Default: none.
   * Example: `running: running`.
   */
  readonly running?: Tensor | undefined;
  /**
   * The share of the running statistics that a batch replaces, in [0, 1]. Default: none, they are not updated.
   * Example: `momentum: 0.1`.
   */
  readonly momentum?: number | undefined;
}

/**
 * Describes a dispatch that normalises each column over the valid rows: Y = (X − mean)/√(variance + ε)·weight + bias,
 * with the mean and biased variance of the batch or the running ones. A batch with one valid row has no variance: Y is
 * then the bias, or 0, and the running statistics stay.
 * Kernel: `shaders/norm/batch-norm.wgsl`.
 * @param X (rows, columns)
 * @param Y (rows, columns), overwritten; not in the buffer of X
 * @param statistics (2, columns), overwritten: mean, then 1/√(variance + ε) of the batch; `undefined` to normalise by
 * the running statistics
 * @param step `rows` is the number of valid rows; `PER_STEP` in a recorded plan, which sets it at each replay
 * @throws {ShapeError} if the shapes do not fit together
 * @example
 * gpu.run([batchNormRows(X, Y, statistics, { epsilon: 1e-5 }, { first: 0, rows: 32, index: 0, learning_rate: 0 })]);
 */
export function batchNormRows(
  X: Tensor,
  Y: Tensor,
  statistics: Tensor | undefined,
  { epsilon, parameters, running, momentum }: BatchNormOptions,
  step: StepValues | typeof PER_STEP,
): Dispatch {
  const [rows = 1, columns = 1] = X.shape;
  const pair = [2, columns];
  const isRunning = statistics === undefined;
  checkNorm('batchNormRows', X, { Y }, { parameters, statistics, running }, pair);
  const updates = !isRunning && momentum !== undefined;
  return dispatch(shader, {
    kernel: 'batch-norm',
    label: `batch-norm ${rows}×${columns}${isRunning ? ' running' : ''}`,
    programs: totalPrograms(
      shader,
      { RUNNING: isRunning, UPDATE: updates, AFFINE: parameters !== undefined, LONG: !isRunning && rows > LONG_SUM },
      columns,
    ),
    uniforms: { dims: { rows, columns, epsilon, momentum: momentum ?? 0 }, step },
    buffers: { X, parameters, running: isRunning || updates ? running : undefined, statistics, Y },
    flops: (isRunning ? 4 : 8) * X.length,
  });
}

/** Options and further tensors of `batchNormRowsBackward`. */
export interface NormGradients extends WithActivationGradient {
  /** (2, columns): weight, then bias, as in the forward pass. Default: none. */
  readonly parameters?: Tensor | undefined;
  /** (2, columns), overwritten: ∂loss/∂weight, then ∂loss/∂bias. Given together with `parameters`. Default: none. */
  readonly gradients?: Tensor | undefined;
  /** Multiplies dX by f′ of the activation below. Default: none. */
  readonly activationGradient?: ActivationGradient | undefined;
}

/**
 * Describes a dispatch that computes the gradients of `batchNormRows`, with x̂ = (X − mean)·ρ:
 * - ρ = 1/√(variance + ε)
 * - dbias = Σᵣ dY and dweight = Σᵣ dY·x̂, the sums over the valid rows
 * - dX = weight·ρ·(dY − (dbias + x̂·dweight)/rows), times f′ with `activationGradient`; 0 in rows that are not valid
 *
 * Kernel: `shaders/norm/batch-norm-backward.wgsl`.
 * @param X (rows, columns), as in the forward pass
 * @param dY (rows, columns): ∂loss/∂Y
 * @param dX (rows, columns), overwritten; not in the buffer of X or dY
 * @param statistics (2, columns), as the forward pass wrote them
 * @param step `rows` is the number of valid rows; `PER_STEP` in a recorded plan, which sets it at each replay
 * @throws {ShapeError} if the shapes do not fit together
 * @throws {MlpError} `unknown-activation` or `bad-activation` if the activation of `activationGradient` is not valid
 * @example
 * gpu.run([batchNormRowsBackward(X, dY, dX, statistics, {}, { first: 0, rows: 32, index: 0, learning_rate: 0 })]);
 */
export function batchNormRowsBackward(
  X: Tensor,
  dY: Tensor,
  dX: Tensor,
  statistics: Tensor,
  { parameters, gradients, ...options }: NormGradients,
  step: StepValues | typeof PER_STEP,
): Dispatch {
  checkNorm('batchNormRowsBackward', X, { dY }, { parameters, statistics, gradients }, [2, X.shape[1] ?? 1]);
  return describeBackward('batchNormRowsBackward', dY, dX, options, step, {
    RUNNING: false,
    epsilon: 0,
    buffers: { X, parameters, statistics, gradients },
  });
}

/**
 * Describes a dispatch that computes dX = weight/√(running variance + ε)·dY, the gradient of `batchNormRows` by running
 * statistics, times f′ with `activationGradient`; 0 in rows that are not valid. No gradient reaches the parameters.
 *
 * Kernel: `shaders/norm/batch-norm-backward.wgsl`.
 * @param dY (rows, columns): ∂loss/∂Y
 * @param dX (rows, columns), overwritten; not in the buffer of dY
 * @param running (2, columns): running mean, then running variance, as in the forward pass
 * @param step `rows` is the number of valid rows; `PER_STEP` in a recorded plan, which sets it at each replay
 * @throws {ShapeError} if the shapes do not fit together
 * @throws {MlpError} `unknown-activation` or `bad-activation` if the activation of `activationGradient` is not valid
 * @example
 * gpu.run([batchNormRunningBackward(dY, dX, running, { epsilon: 1e-5 }, { first: 0, rows: 32, index: 0, learning_rate: 0 })]);
 */
export function batchNormRunningBackward(
  dY: Tensor,
  dX: Tensor,
  running: Tensor,
  { epsilon, parameters, ...options }: Pick<BatchNormOptions, 'epsilon' | 'parameters'> & WithActivationGradient,
  step: StepValues | typeof PER_STEP,
): Dispatch {
  checkNorm('batchNormRunningBackward', dY, {}, { parameters, running }, [2, dY.shape[1] ?? 1]);
  return describeBackward('batchNormRunningBackward', dY, dX, options, step, {
    RUNNING: true,
    epsilon,
    buffers: { X: undefined, parameters, statistics: running, gradients: undefined },
  });
}

/** Describes a backward dispatch. @param form the statistics that the forward half took, and the tensors for them */
function describeBackward(
  what: string,
  dY: Tensor,
  dX: Tensor,
  options: WithActivationGradient,
  step: StepValues | typeof PER_STEP,
  form: {
    readonly RUNNING: boolean;
    readonly epsilon: number;
    readonly buffers: Readonly<Record<'X' | 'parameters' | 'statistics' | 'gradients', Tensor | undefined>>;
  },
): Dispatch {
  const { RUNNING, epsilon, buffers } = form;
  const activationGradient = activationGradientOf(options);
  const [rows = 1, columns = 1] = dY.shape;
  checkNorm(what, dY, { dX, activationGradient: activationGradient?.at }, {}, [2, columns]);
  const { index, alpha, name } = resolveActivation(activationGradient?.activation ?? 'linear');
  const start = activationGradient && unaligned(activationGradient.at);
  const statistics = RUNNING ? ' running' : '';
  return dispatch(backward, {
    kernel: 'batch-norm',
    label: `batch-norm ${rows}×${columns}${statistics} backward${activationGradient === undefined ? '' : ` ⊙ ${name}′`}`,
    programs: totalPrograms(
      backward,
      {
        RUNNING,
        AFFINE: buffers.parameters !== undefined,
        ACTIVATION_GRADIENT: activationGradient !== undefined,
        ACTIVATION: index,
        ALPHA: alpha,
        LONG: rows > LONG_SUM,
      },
      columns,
    ),
    uniforms: { dims: { rows, columns, kept_offset: start?.offset ?? 0, epsilon }, step },
    buffers: { ...buffers, dY, kept: start?.base, dX },
    flops: (RUNNING ? 2 : 12) * dY.length,
  });
}
