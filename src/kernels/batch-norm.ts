import shader from '../../shaders/norm/batch-norm.wgsl';
import backward from '../../shaders/norm/batch-norm-backward.wgsl';
import { type Dispatch, dispatch, type PER_STEP, type StepValues } from '../plan/dispatch.js';
import { type Tensor, unaligned } from '../plan/tensor.js';
import { type ActivationGradient, activationGradientOf, type WithActivationGradient } from './activation-gradient.js';
import { resolveActivation } from './activations.js';
import { checkNorm } from './norm.js';
import { totalPrograms } from './total.js';

/** Options of batch normalisation, and its tensors beside X. */
export interface BatchNormOptions {
  readonly epsilon: number;
  /** (2, columns): weight, then bias; without them Y has mean 0 and variance 1. */
  readonly parameters?: Tensor | undefined;
  /** (2, columns): mean and variance, for all rows alike, or, with `momentum`, what is to be updated. */
  readonly running?: Tensor | undefined;
  /** The share of the running statistics that a batch replaces. */
  readonly momentum?: number | undefined;
}

/**
 * Describes the normalisation of each column over the valid rows; `shaders/norm/batch-norm.wgsl` tells how.
 * @param X (rows, columns)
 * @param Y (rows, columns), overwritten; not in X's buffer
 * @param statistics (2, columns), overwritten: mean and 1/√(variance + ε) of the batch; without it the running ones are used
 * @param step how many rows are valid; a plan fills it in at each replay
 * @throws {ShapeError} if the shapes do not fit together
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
    programs: totalPrograms(shader, { RUNNING: isRunning, UPDATE: updates, AFFINE: parameters !== undefined }, columns),
    uniforms: { dims: { rows, columns, epsilon, momentum: momentum ?? 0 }, step },
    buffers: { X, parameters, running: isRunning || updates ? running : undefined, statistics, Y },
    flops: (isRunning ? 4 : 8) * X.length,
  });
}

/** The tensors that the gradients of batch normalisation are made of. */
export interface NormGradients extends WithActivationGradient {
  /** (2, columns): weight, then bias. */
  readonly parameters?: Tensor | undefined;
  /** (2, columns): their gradients, overwritten; there if they are. */
  readonly gradients?: Tensor | undefined;
  /** Multiplies dX by f′. */
  readonly activationGradient?: ActivationGradient | undefined;
}

/**
 * Describes ∂loss/∂X and the gradients of weight and bias; `shaders/norm/batch-norm-backward.wgsl` tells how.
 * @param X (rows, columns), as the forward half had it
 * @param dY (rows, columns)
 * @param dX (rows, columns), overwritten; not in X's or dY's buffer
 * @param statistics (2, columns), as the forward half left them
 * @param step how many rows are valid; a plan fills it in at each replay
 * @throws {ShapeError} if the shapes do not fit together
 */
export function batchNormRowsBackward(
  X: Tensor,
  dY: Tensor,
  dX: Tensor,
  statistics: Tensor,
  { parameters, gradients, ...options }: NormGradients,
  step: StepValues | typeof PER_STEP,
): Dispatch {
  const activationGradient = activationGradientOf(options);
  const [rows = 1, columns = 1] = X.shape;
  checkNorm(
    'batchNormRowsBackward',
    X,
    { dY, dX, activationGradient: activationGradient?.at },
    { parameters, statistics, gradients },
    [2, columns],
  );
  const { index, alpha, name } = resolveActivation(activationGradient?.activation ?? 'linear');
  const start = activationGradient && unaligned(activationGradient.at);
  return dispatch(backward, {
    kernel: 'batch-norm',
    label: `batch-norm ${rows}×${columns} backward${activationGradient === undefined ? '' : ` ⊙ ${name}′`}`,
    programs: totalPrograms(
      backward,
      {
        AFFINE: parameters !== undefined,
        ACTIVATION_GRADIENT: activationGradient !== undefined,
        ACTIVATION: index,
        ALPHA: alpha,
      },
      columns,
    ),
    uniforms: { dims: { rows, columns, kept_offset: start?.offset ?? 0 }, step },
    buffers: { X, parameters, statistics, dY, kept: start?.base, gradients, dX },
    flops: 12 * X.length,
  });
}
