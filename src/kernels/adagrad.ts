import shader from '../../shaders/optimizer/adagrad.wgsl';
import { type Dispatch, dispatch, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type UpdateOptions, updateParts } from './update.js';

/** Hyperparameters of `adagradUpdate`. */
export interface AdagradHyperparameters extends UpdateOptions {
  /** The factor of p in g ← gradient + weightDecay·p, ≥ 0; 0 for no decay. */
  readonly weightDecay: number;
  /** The learning rate of step t, from 0 on, is divided by 1 + t·learningRateDecay; 0 for a constant rate. */
  readonly learningRateDecay: number;
  /** The value of each sum of squares before step 0, ≥ 0. */
  readonly initialAccumulator: number;
  /** Added to √s, > 0. */
  readonly epsilon: number;
}

/**
 * Describes a dispatch that updates parameters by Adagrad, in PyTorch's order of operations:
 * - g ← gradient + weightDecay·p
 * - s ← s + g²
 * - p ← p − learningRate / (1 + t·learningRateDecay) · g / (√s + epsilon)
 *
 * Kernel: `shaders/optimizer/adagrad.wgsl`.
 * @param parameters p, `count` elements of any shape, read and written
 * @param gradients `count` elements
 * @param squares s, (⌈count/4⌉·4), read and written; step 0 ignores its contents
 * @param step learning rate, and number t of the step, from 0 on; `PER_STEP` in a recorded plan, which sets them at
 * each replay
 * @throws {ShapeError} if the numbers of elements do not fit together, or penalties have no mask
 * @example
 * gpu.run([adagradUpdate(p, dp, s, hyper, { first: 0, rows: 0, index: 0, learning_rate: 0.01 })]);
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
