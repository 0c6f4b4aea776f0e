import shader from '../../shaders/optimizer/adam.wgsl';
import { type Dispatch, dispatch, PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type UpdateOptions, updateParts } from './update.js';

/** Hyperparameters of `adamUpdate`. */
export interface AdamHyperparameters extends UpdateOptions {
  /** β₁ in [0, 1): decay of the mean of gradients. */
  readonly beta1: number;
  /** β₂ in [0, 1): decay of the mean of squared gradients. */
  readonly beta2: number;
  /** Added to √v / √(1 − β₂ᵗ), > 0. */
  readonly epsilon: number;
  /** Decay of the parameters, ≥ 0; `decoupled` has the formulas; 0 for no decay. */
  readonly weightDecay: number;
  /** True for AdamW, p ← p·(1 − learningRate·weightDecay); false for Adam, g ← gradient + weightDecay·p. */
  readonly decoupled: boolean;
}

/**
 * Computes the bias corrections 1 − β₁ᵗ and √(1 − β₂ᵗ) of a step, t = index + 1. A plan appends them to the step values
 * of `adamUpdate`, after the learning rate.
 * @param index number of the step, from 0 on
 * @example
 * const [correction1, correction2] = adamCorrections({ beta1: 0.9, beta2: 0.999 }, 0);
 */
export function adamCorrections(
  { beta1, beta2 }: Pick<AdamHyperparameters, 'beta1' | 'beta2'>,
  index: number,
): readonly [number, number] {
  return [1 - beta1 ** (index + 1), Math.sqrt(1 - beta2 ** (index + 1))];
}

/**
 * Describes a dispatch that updates parameters by Adam or AdamW, in PyTorch's order of operations:
 * - Adam: g ← gradient + weightDecay·p; AdamW: g ← gradient, p ← p·(1 − learningRate·weightDecay)
 * - m ← m + (1 − β₁)·(g − m)
 * - v ← β₂·v + (1 − β₂)·g²
 * - p ← p − learningRate / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + epsilon)
 *
 * Kernel: `shaders/optimizer/adam.wgsl`.
 * @param parameters p, `count` elements of any shape, read and written
 * @param gradients `count` elements
 * @param state (2, ⌈count/4⌉·4): m, then v, read and written; zeros before the first step
 * @param step learning rate, and number t − 1 of the step, from 0 on; `PER_STEP` in a recorded plan, which sets them
 * and `adamCorrections` at each replay
 * @throws {ShapeError} if the numbers of elements do not fit together, or penalties have no mask
 * @example
 * gpu.run([adamUpdate(p, dp, state, hyper, { first: 0, rows: 0, index: 0, learning_rate: 0.001 })]);
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

/** The step values with the bias corrections of Adam. */
function corrected(
  hyper: AdamHyperparameters,
  step: StepValues,
): StepValues & { readonly correction1: number; readonly correction2: number } {
  const [correction1, correction2] = adamCorrections(hyper, step.index);
  return { ...step, correction1, correction2 };
}
