import { assertOption } from '../../base/check.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import { adagradUpdate } from '../../kernels/adagrad.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Optimizer } from './optimizer.js';
import { decayOf, type WeightDecay } from './weight-decay.js';

/** Options of `adagrad`. */
export interface AdagradOptions {
  /** Learning rate, ≥ 0, which a schedule may change during training. Default: 0.01. Example: `learningRate: 0.01`. */
  readonly learningRate?: number | undefined;
  /**
   * Decay of the rate, ≥ 0: step t, counted from 0, has the rate learningRate / (1 + t·learningRateDecay). Default: 0.
   * Example: `learningRateDecay: 1e-4`.
   */
  readonly learningRateDecay?: number | undefined;
  /**
   * Factor of the L2 penalty, ≥ 0: weightDecay·p is added to each gradient. `{ value, on: 'weights' }` leaves biases and
   * norms alone. Default: 0.
   * Example: `weightDecay: 1e-4`.
   */
  readonly weightDecay?: WeightDecay | undefined;
  /**
   * Initial value of the sums of squares, ≥ 0. PyTorch's `initial_accumulator_value`. Default: 0.
   * Example: `initialAccumulator: 0.1`.
   */
  readonly initialAccumulator?: number | undefined;
  /** Number > 0 that is added to the denominator. Default: 1e-10. Example: `epsilon: 1e-10`. */
  readonly epsilon?: number | undefined;
}

const NAMES: OptionNames<AdagradOptions> = {
  learningRate: 1,
  learningRateDecay: 1,
  weightDecay: 1,
  initialAccumulator: 1,
  epsilon: 1,
};

/**
 * Adagrad. For each parameter p with gradient ∇: g ← ∇ + weightDecay·p; s ← s + g²; p ← p − rate·g / (√s + epsilon).
 *
 * PyTorch's `Adagrad`, with its defaults. Source: Duchi et al. 2011.
 * @throws {MlpError} `bad-optimizer` if an option is out of range
 * @example const trainer = await model.trainer({ loss, optimizer: adagrad(), batchSize: 64 });
 */
export function adagrad(options: AdagradOptions = {}): Optimizer {
  const {
    learningRate = 0.01,
    learningRateDecay = 0,
    weightDecay = 0,
    initialAccumulator = 0,
    epsilon = 1e-10,
  } = checkOptions('adagrad', options, NAMES, 'bad-optimizer');
  const numbers = { learningRateDecay, initialAccumulator };
  const decay = decayOf('adagrad', weightDecay);
  assertOption('adagrad:', { learningRate, ...numbers }, 'a finite number >= 0', 'bad-optimizer');
  assertOption('adagrad:', { epsilon }, 'a positive float32 number', 'bad-optimizer');
  return {
    spec: { type: 'adagrad', learningRate, learningRateDecay, weightDecay, initialAccumulator, epsilon },
    needsMask: decay.decayOn === 'weights',
    record(plan, { values, gradients, adjustment, ...watch }) {
      const squares = plan.state('squares', values.shape);
      plan.add(
        adagradUpdate(values, gradients, squares, { ...numbers, ...decay, epsilon, watch, adjustment }, PER_STEP),
      );
    },
  };
}
