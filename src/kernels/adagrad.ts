import shader from '../../shaders/optimizer/adagrad.wgsl';
import { type Dispatch, dispatch, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type UpdateOptions, updateParts } from './update.js';

export interface AdagradHyperparameters extends UpdateOptions {
  readonly weightDecay: number;
  readonly learningRateDecay: number;
  readonly initialAccumulator: number;
  readonly epsilon: number;
}

/**
 * Describes an update of Adagrad, in PyTorch's order; `shaders/optimizer/adagrad.wgsl` tells how.
 * @param parameters read and written
 * @param gradients as many elements
 * @param squares (⌈count/4⌉·4): sums of squares, read and written; what it has before step 0 does not matter
 * @param step the learning rate, and the number of the step, 0 for the first; a plan fills it in at each replay
 * @throws {ShapeError} if the numbers of elements do not fit
 */
export function adagradUpdate(
  parameters: Tensor,
  gradients: Tensor,
  squares: Tensor,
  hyper: AdagradHyperparameters,
  step: StepValues | typeof PER_STEP,
): Dispatch {
  const { weightDecay, learningRateDecay, initialAccumulator, epsilon } = hyper;
  const { label, grid, overrides, numbers, buffers } = updateParts('adagrad', parameters, gradients, squares, hyper, 1);
  return dispatch(shader, {
    label,
    programs: [program(shader, overrides, grid)],
    uniforms: {
      hyper: {
        ...numbers,
        weight_decay: weightDecay,
        initial: initialAccumulator,
        rate_decay: learningRateDecay,
        epsilon,
      },
      step,
    },
    buffers: { ...buffers, squares },
    flops: 9 * numbers.count,
  });
}
