import shader from '../../shaders/optimizer/rmsprop.wgsl';
import { type Dispatch, dispatch, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type UpdateOptions, updateParts } from './update.js';

/** Hyperparameters of `rmspropUpdate`. */
export interface RmspropHyperparameters extends UpdateOptions {
  /** The factor of p in g ← gradient + weightDecay·p, ≥ 0; 0 for no decay. */
  readonly weightDecay: number;
  /** Decay of the mean of squared gradients, in [0, 1). */
  readonly decay: number;
  /** Added to √s, > 0. */
  readonly epsilon: number;
  /** Decay of the sum of steps, in [0, 1); 0 for none. */
  readonly momentum: number;
  /** True to divide by the standard deviation of the gradient instead of its root mean square. */
  readonly centered: boolean;
}

/** Number of rows of the state of `rmspropUpdate`. */
export function rmspropRows({ momentum, centered }: Pick<RmspropHyperparameters, 'momentum' | 'centered'>): number {
  return 1 + Number(centered) + Number(momentum > 0);
}

/**
 * Describes a dispatch that updates parameters by RMSprop, in PyTorch's order of operations:
 * - g ← gradient + weightDecay·p
 * - s ← decay·s + (1 − decay)·g²
 * - with `centered`: a ← a + (1 − decay)·(g − a), and s − a² replaces s in the next line
 * - d ← g / (√s + epsilon)
 * - without momentum: p ← p − learningRate·d; with momentum: v ← momentum·v + d, p ← p − learningRate·v
 *
 * Kernel: `shaders/optimizer/rmsprop.wgsl`.
 * @param parameters p, `count` elements of any shape, read and written
 * @param gradients `count` elements
 * @param state (rows, ⌈count/4⌉·4): s, then a with `centered`, then v with `momentum`; read and written; zeros before
 * the first step
 * @param step learning rate, and number of the step; `PER_STEP` in a recorded plan, which sets them at each replay
 * @throws {ShapeError} if the numbers of elements do not fit together, or penalties have no mask
 * @example
 * gpu.run([rmspropUpdate(p, dp, state, hyper, { first: 0, rows: 0, index: 0, learning_rate: 0.01 })]);
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
