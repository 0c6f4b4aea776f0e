import shader from '../../shaders/optimizer/sgd.wgsl';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type UpdateOptions, updateParts } from './update.js';

/** Hyperparameters of `sgdUpdate`. */
export interface SgdHyperparameters extends UpdateOptions {
  /** Decay of the velocity, in [0, 1). Default: 0, which needs no velocity. */
  readonly momentum?: number | undefined;
  /** The share of each gradient that the velocity leaves out, in [0, 1]. Default: 0. */
  readonly dampening?: number | undefined;
  /** The factor of p in g ← gradient + weightDecay·p, ≥ 0. Default: 0. */
  readonly weightDecay?: number | undefined;
  /** True for Nesterov momentum: p ← p − learningRate·(g + momentum·v). Default: false. */
  readonly nesterov?: boolean | undefined;
}

/** The update of an `sgdUpdate`. */
export interface SgdComputation {
  readonly kind: 'sgd';
  readonly parameters: Tensor;
  readonly gradients: Tensor;
  readonly velocity: Tensor | undefined;
  readonly hyper: SgdHyperparameters;
  readonly step: StepValues | typeof PER_STEP;
}

/** An `sgdUpdate` dispatch, and the update that it computes. */
export interface SgdDispatch extends Dispatch {
  /** @internal */
  readonly computes: SgdComputation;
}

/**
 * Describes a dispatch that updates parameters by stochastic gradient descent, in PyTorch's order of operations:
 * - g ← gradient + weightDecay·p
 * - v ← momentum·v + (1 − dampening)·g; v ← g in step 0 and without momentum
 * - p ← p − learningRate·v; with `nesterov`: p ← p − learningRate·(g + momentum·v)
 *
 * Kernel: `shaders/optimizer/sgd.wgsl`.
 * @param parameters p, `count` elements of any shape, read and written
 * @param gradients `count` elements
 * @param velocity v, `count` elements, read and written; `undefined` without momentum
 * @param step learning rate, and number of the step, from 0 on; `PER_STEP` in a recorded plan, which sets them at each
 * replay
 * @returns an `SgdDispatch`, which plans can fuse; a plain `Dispatch` if `hyper.adjustment` is given
 * @throws {ShapeError} if the numbers of elements differ, momentum has no velocity, or penalties have no mask
 * @example
 * gpu.run([sgdUpdate(p, dp, undefined, {}, { first: 0, rows: 0, index: 0, learning_rate: 0.1 })]);
 */
export function sgdUpdate(
  parameters: Tensor,
  gradients: Tensor,
  velocity: Tensor | undefined,
  hyper: SgdHyperparameters,
  step: StepValues | typeof PER_STEP,
): Dispatch | SgdDispatch {
  const { momentum = 0, dampening = 0, weightDecay = 0, nesterov = false, adjustment } = hyper;
  const keptVelocity = velocityOf('sgd', velocity, momentum);
  const { label, grid, overrides, numbers, buffers } = updateParts('sgd', parameters, gradients, keptVelocity, hyper);
  const described = dispatch(shader, {
    label,
    programs: [program(shader, { ...overrides, MOMENTUM: keptVelocity !== undefined, NESTEROV: nesterov }, grid)],
    uniforms: {
      hyper: { ...numbers, momentum, dampening, weight_decay: weightDecay },
      step,
    },
    buffers: { ...buffers, velocity: keptVelocity },
    flops: 6 * numbers.count,
  });
  return adjustment === undefined
    ? { ...described, computes: { kind: 'sgd', parameters, gradients, velocity: keptVelocity, hyper, step } }
    : described;
}

/**
 * The velocity, or `undefined` without momentum: dampening then has no effect, as in PyTorch.
 * @throws {ShapeError} if momentum has no velocity
 */
export function velocityOf(kernel: string, velocity: Tensor | undefined, momentum: number): Tensor | undefined {
  if (momentum === 0) return undefined;
  if (velocity === undefined) throw new ShapeError(`${kernel}: momentum = ${momentum} needs a velocity.`);
  return velocity;
}
