import shader from '../../shaders/sgd.wgsl';
import { type Dispatch, dispatch, type PER_STEP, program, type StepValues } from '../gpu/dispatch.js';
import type { Tensor } from '../gpu/tensor.js';
import { type UpdateOptions, updateParts } from './update.js';

export interface SgdHyperparameters extends UpdateOptions {
  readonly momentum?: number;
  readonly dampening?: number;
  readonly weightDecay?: number;
  readonly nesterov?: boolean;
}

/** An `sgdUpdate` dispatch, and what it updates. */
export interface SgdDispatch extends Dispatch {
  readonly update: {
    readonly parameters: Tensor;
    readonly gradients: Tensor;
    readonly velocity: Tensor;
    readonly hyper: SgdHyperparameters;
    readonly step: StepValues | typeof PER_STEP;
  };
}

/**
 * Describes an update of stochastic gradient descent, in PyTorch's order; `shaders/sgd.wgsl` tells how.
 * @param parameters read and written
 * @param gradients as many elements
 * @param velocity as many elements, read and written; zeros before the first step
 * @param step the learning rate, and the number of the step, 0 for the first; a plan fills it in at each replay
 * @returns an `SgdDispatch`, unless gradients are adjusted first: then it is more than what fusions know
 * @throws {ShapeError} if the numbers of elements differ
 */
export function sgdUpdate(
  parameters: Tensor,
  gradients: Tensor,
  velocity: Tensor,
  hyper: SgdHyperparameters,
  step: StepValues | typeof PER_STEP,
): Dispatch | SgdDispatch {
  const { momentum = 0, dampening = 0, weightDecay = 0, nesterov = false, adjustment } = hyper;
  const { label, grid, overrides, numbers, buffers } = updateParts('sgd', parameters, gradients, velocity, hyper);
  const described = dispatch(shader, {
    label,
    programs: [program(shader, { ...overrides, NESTEROV: nesterov }, grid)],
    uniforms: {
      // Without momentum there is no velocity to dampen, as in PyTorch.
      hyper: { ...numbers, momentum, dampening: momentum === 0 ? 0 : dampening, weight_decay: weightDecay },
      step,
    },
    buffers: { ...buffers, velocity },
    flops: 6 * numbers.count,
  });
  return adjustment === undefined
    ? { ...described, update: { parameters, gradients, velocity, hyper, step } }
    : described;
}
