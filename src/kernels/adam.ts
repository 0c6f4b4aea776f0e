import shader from '../../shaders/optimizer/adam.wgsl';
import { type Dispatch, dispatch, PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type UpdateOptions, updateParts } from './update.js';

export interface AdamHyperparameters extends UpdateOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** True if weights decay by themselves (AdamW), and not through the gradient. */
  readonly decoupled: boolean;
}

/** 1 − β₁ᵗ and √(1 − β₂ᵗ) of the step with this number, from 0 on, whose t is one more. */
export function adamCorrections(
  { beta1, beta2 }: Pick<AdamHyperparameters, 'beta1' | 'beta2'>,
  index: number,
): readonly [number, number] {
  return [1 - beta1 ** (index + 1), Math.sqrt(1 - beta2 ** (index + 1))];
}

/**
 * Describes an update of Adam or AdamW, in PyTorch's order; `shaders/optimizer/adam.wgsl` tells how.
 * @param parameters read and written
 * @param gradients as many elements
 * @param state (2, ⌈count/4⌉·4): both moments, read and written; zeros before the first step
 * @param step the learning rate, and the number of the step, 0 for the first; a plan fills it in at each replay, and
 * behind the learning rate `adamCorrections`
 * @throws {ShapeError} if the numbers of elements do not fit
 */
export function adamUpdate(
  parameters: Tensor,
  gradients: Tensor,
  state: Tensor,
  hyper: AdamHyperparameters,
  step: StepValues | typeof PER_STEP,
): Dispatch {
  const { beta1, beta2, epsilon, weightDecay, decoupled } = hyper;
  const kernel = decoupled ? 'adamw' : 'adam';
  const { label, grid, overrides, numbers, buffers } = updateParts(kernel, parameters, gradients, state, hyper, 2);
  return dispatch(shader, {
    label,
    programs: [program(shader, { ...overrides, DECOUPLED: decoupled }, grid)],
    uniforms: {
      hyper: { ...numbers, weight_decay: weightDecay, rest1: 1 - beta1, beta2, rest2: 1 - beta2, epsilon },
      step: step === PER_STEP ? step : corrected(hyper, step),
    },
    buffers: { ...buffers, state },
    flops: 16 * numbers.count,
  });
}

function corrected(
  hyper: AdamHyperparameters,
  step: StepValues,
): StepValues & { readonly correction1: number; readonly correction2: number } {
  const [correction1, correction2] = adamCorrections(hyper, step.index);
  return { ...step, correction1, correction2 };
}
