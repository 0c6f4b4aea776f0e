import { assertOption } from '../../base/check.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import { rmspropRows, rmspropUpdate } from '../../kernels/rmsprop.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Optimizer } from './optimizer.js';
import { decayOf, type WeightDecay } from './weight-decay.js';

/** Options of `rmsprop`. */
export interface RmspropOptions {
  /** Learning rate, ≥ 0, which a schedule may change during training. Default: 0.01. Example: `learningRate: 0.01`. */
  readonly learningRate?: number | undefined;
  /** Decay rate of the running means, in [0, 1). PyTorch's `alpha`. Default: 0.99. Example: `decay: 0.9`. */
  readonly decay?: number | undefined;
  /** Number > 0 that is added to the denominator. Default: 1e-8. Example: `epsilon: 1e-7`. */
  readonly epsilon?: number | undefined;
  /**
   * Factor of the L2 penalty, ≥ 0: weightDecay·p is added to each gradient. `{ value, on: 'weights' }` leaves biases and
   * norms alone. Default: 0.
   * Example: `weightDecay: 1e-4`.
   */
  readonly weightDecay?: WeightDecay | undefined;
  /** Factor of the previous update, ≥ 0. Default: 0. Example: `momentum: 0.9`. */
  readonly momentum?: number | undefined;
  /**
   * True to divide by the standard deviation of the gradient instead of its root mean square. Default: false.
   * Example: `centered: true`.
   */
  readonly centered?: boolean | undefined;
}

const NAMES: OptionNames<RmspropOptions> = {
  learningRate: 1,
  decay: 1,
  epsilon: 1,
  weightDecay: 1,
  momentum: 1,
  centered: 1,
};

/**
 * RMSprop. For each parameter p with gradient ∇:
 * g ← ∇ + weightDecay·p; s ← decay·s + (1 − decay)·g²; d ← g / (√s + epsilon);
 * v ← momentum·v + d; p ← p − learningRate·v.
 * With `centered`, d ← g / (√(s − a²) + epsilon), where a ← decay·a + (1 − decay)·g is the running mean of gradients.
 *
 * PyTorch's `RMSprop`, with its defaults. Source: Hinton, lecture 6e.
 * @throws {MlpError} `bad-optimizer` if an option is out of range
 * @example const trainer = await model.trainer({ loss, optimizer: rmsprop(), batchSize: 64 });
 */
export function rmsprop(options: RmspropOptions = {}): Optimizer {
  const {
    learningRate = 0.01,
    decay = 0.99,
    epsilon = 1e-8,
    weightDecay = 0,
    momentum = 0,
    centered = false,
  } = checkOptions('rmsprop', options, NAMES, 'bad-optimizer');
  assertOption('rmsprop:', { learningRate, momentum }, 'a finite number >= 0', 'bad-optimizer');
  assertOption('rmsprop:', { decay }, 'a number in [0, 1)', 'bad-optimizer');
  assertOption('rmsprop:', { epsilon }, 'a positive float32 number', 'bad-optimizer');
  assertOption('rmsprop:', { centered }, 'true or false', 'bad-optimizer');
  const weights = decayOf('rmsprop', weightDecay);
  const hyper = { decay, epsilon, momentum, centered };
  return {
    spec: { type: 'rmsprop', learningRate, decay, epsilon, weightDecay, momentum, centered },
    needsMask: weights.decayOn === 'weights',
    stateRows: rmspropRows(hyper),
    record(plan, { values, gradients, adjustment, ...watch }) {
      const state = plan.state('rmsprop', [rmspropRows(hyper), values.length]);
      plan.add(rmspropUpdate(values, gradients, state, { ...hyper, ...weights, watch, adjustment }, PER_STEP));
    },
  };
}
