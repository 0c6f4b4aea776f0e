import shader from '../../shaders/sgd.wgsl';
import { ShapeError } from '../errors.js';
import { type Dispatch, dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../gpu/dispatch.js';
import type { Tensor } from '../gpu/tensor.js';

export interface SgdHyperparameters {
  readonly momentum?: number;
  readonly dampening?: number;
  readonly weightDecay?: number;
  readonly nesterov?: boolean;
  /** Watches for parameters that are not finite: whose each block of 64 elements is, and where to note the step. */
  readonly watch?: { readonly owners: Tensor<'u32'>; readonly status: Tensor<'u32'> };
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
 * @throws {ShapeError} if the numbers of elements differ
 */
export function sgdUpdate(
  parameters: Tensor,
  gradients: Tensor,
  velocity: Tensor,
  hyper: SgdHyperparameters,
  step: StepValues | typeof PER_STEP,
): SgdDispatch {
  const { momentum = 0, dampening = 0, weightDecay = 0, nesterov = false, watch } = hyper;
  const count = parameters.length;
  if (gradients.length !== count || velocity.length !== count) {
    throw new ShapeError(
      `sgdUpdate: there are ${count} parameters, ${gradients.length} gradients and ${velocity.length} velocities; they must be as many.`,
    );
  }
  for (const { label, start, storage } of [parameters, gradients, velocity]) {
    // The kernel takes four at a time.
    if (4 * start + 16 * Math.ceil(count / 4) > storage.byteLength) {
      throw new ShapeError(
        `sgdUpdate: "${label}" has ${count} elements up to the end of its buffer; make the buffer a multiple of 16 bytes.`,
      );
    }
  }
  const described = dispatch(shader, {
    label: `sgd ${count}`,
    programs: [program(shader, { NESTEROV: nesterov, CHECKED: watch !== undefined }, linearGrid(Math.ceil(count / 4)))],
    uniforms: {
      // Without momentum there is no velocity to dampen, as in PyTorch.
      hyper: { count, momentum, dampening: momentum === 0 ? 0 : dampening, weight_decay: weightDecay },
      step,
    },
    buffers: { gradients, owners: watch?.owners, parameters, velocity, status: watch?.status },
    flops: 6 * count,
  });
  return { ...described, update: { parameters, gradients, velocity, hyper, step } };
}
