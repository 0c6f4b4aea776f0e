import { assertOption } from '../../base/check.js';
import { adagradUpdate } from '../../kernels/adagrad.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Optimizer } from './optimizer.js';

export interface AdagradOptions {
  readonly learningRate?: number;
  /** The rate of step t, from 0 on, is learningRate / (1 + t·learningRateDecay). */
  readonly learningRateDecay?: number;
  readonly weightDecay?: number;
  /** The start of the sums of squares. */
  readonly initialAccumulator?: number;
  readonly epsilon?: number;
}

/**
 * g ← ∇ + weightDecay·p; s ← s + g²; p ← p − rate·g / (√s + epsilon).
 * Source: Duchi et al. 2011, in PyTorch's form and with its defaults: 0.01, 0, 0, 0, 1e-10.
 * @throws {MlpError} `bad-optimizer` for a number outside of its range
 */
export function adagrad(options: AdagradOptions = {}): Optimizer {
  const {
    learningRate = 0.01,
    learningRateDecay = 0,
    weightDecay = 0,
    initialAccumulator = 0,
    epsilon = 1e-10,
  } = options;
  const numbers = { learningRateDecay, weightDecay, initialAccumulator };
  assertOption('adagrad:', { learningRate, ...numbers }, 'a finite number ≥ 0', 'bad-optimizer');
  assertOption('adagrad:', { epsilon }, 'a positive float32 number', 'bad-optimizer');
  return {
    spec: { type: 'adagrad', learningRate, ...numbers, epsilon },
    record(plan, { values, gradients, adjustment, ...watch }) {
      const squares = plan.state('squares', values.shape);
      plan.add(adagradUpdate(values, gradients, squares, { ...numbers, epsilon, watch, adjustment }, PER_STEP));
    },
  };
}
