import shader from '../../shaders/optimizer/rmsprop.wgsl';
import { type Dispatch, dispatch, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type UpdateOptions, updateParts } from './update.js';

export interface RmspropHyperparameters extends UpdateOptions {
  readonly weightDecay: number;
  readonly decay: number;
  readonly epsilon: number;
  readonly momentum: number;
  readonly centered: boolean;
}

/** Rows of the state that `rmspropUpdate` keeps. */
export function rmspropRows({ momentum, centered }: Pick<RmspropHyperparameters, 'momentum' | 'centered'>): number {
  return 1 + Number(centered) + Number(momentum > 0);
}

/**
 * Describes an update of RMSprop, in PyTorch's order; `shaders/optimizer/rmsprop.wgsl` tells how.
 * @param parameters read and written
 * @param gradients as many elements
 * @param state (1, and one more with `centered` and with `momentum`, ⌈count/4⌉·4), read and written; zeros at first
 * @param step the learning rate, and the number of the step; a plan fills it in at each replay
 * @throws {ShapeError} if the numbers of elements do not fit
 */
export function rmspropUpdate(
  parameters: Tensor,
  gradients: Tensor,
  state: Tensor,
  hyper: RmspropHyperparameters,
  step: StepValues | typeof PER_STEP,
): Dispatch {
  const { weightDecay, decay, epsilon, momentum, centered } = hyper;
  const { label, grid, overrides, numbers, buffers } = updateParts(
    'rmsprop',
    parameters,
    gradients,
    state,
    hyper,
    rmspropRows(hyper),
  );
  return dispatch(shader, {
    label,
    programs: [program(shader, { ...overrides, CENTERED: centered, MOMENTUM: momentum > 0 }, grid)],
    uniforms: {
      hyper: { ...numbers, weight_decay: weightDecay, decay, rest: 1 - decay, epsilon, momentum },
      step,
    },
    buffers: { ...buffers, state },
    flops: 15 * numbers.count,
  });
}
