import shader from '../../shaders/optimizer/sgd.wgsl';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type UpdateOptions, updateParts } from './update.js';

export interface SgdHyperparameters extends UpdateOptions {
  readonly momentum?: number;
  readonly dampening?: number;
  readonly weightDecay?: number;
  readonly nesterov?: boolean;
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
 * Describes an update of stochastic gradient descent, in PyTorch's order; `shaders/optimizer/sgd.wgsl` tells how.
 * @param parameters read and written
 * @param gradients as many elements
 * @param velocity as many elements, read and written; without momentum there is none
 * @param step the learning rate, and the number of the step, 0 for the first; a plan fills it in at each replay
 * @returns an `SgdDispatch`, unless gradients are adjusted first: then it is more than what fusions know
 * @throws {ShapeError} if the numbers of elements differ, or momentum has no velocity
 */
export function sgdUpdate(
  parameters: Tensor,
  gradients: Tensor,
  velocity: Tensor | undefined,
  hyper: SgdHyperparameters,
  step: StepValues | typeof PER_STEP,
): Dispatch | SgdDispatch {
  const { momentum = 0, dampening = 0, weightDecay = 0, nesterov = false, adjustment } = hyper;
  const moving = velocityOf('sgd', velocity, momentum);
  const { label, grid, overrides, numbers, buffers } = updateParts('sgd', parameters, gradients, moving, hyper);
  const described = dispatch(shader, {
    label,
    programs: [program(shader, { ...overrides, MOMENTUM: moving !== undefined, NESTEROV: nesterov }, grid)],
    uniforms: {
      hyper: { ...numbers, momentum, dampening, weight_decay: weightDecay },
      step,
    },
    buffers: { ...buffers, velocity: moving },
    flops: 6 * numbers.count,
  });
  return adjustment === undefined
    ? { ...described, computes: { kind: 'sgd', parameters, gradients, velocity: moving, hyper, step } }
    : described;
}

/** The velocity, if there is momentum; without, there is nothing to keep or to dampen, as in PyTorch. @throws {ShapeError} */
export function velocityOf(kernel: string, velocity: Tensor | undefined, momentum: number): Tensor | undefined {
  if (momentum === 0) return undefined;
  if (velocity === undefined) throw new ShapeError(`${kernel}: momentum = ${momentum} needs a velocity.`);
  return velocity;
}
