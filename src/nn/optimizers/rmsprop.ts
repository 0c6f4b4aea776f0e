import { assertOption } from '../../base/check.js';
import { rmspropRows, rmspropUpdate } from '../../kernels/rmsprop.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Optimizer } from './optimizer.js';

export interface RmspropOptions {
  readonly learningRate?: number;
  /** Of the mean of squares; PyTorch calls it alpha. */
  readonly decay?: number;
  readonly epsilon?: number;
  readonly weightDecay?: number;
  readonly momentum?: number;
  /** True to divide by the deviation of the gradient, not by its root mean square. */
  readonly centered?: boolean;
}

/**
 * g ← ∇ + weightDecay·p; s ← decay·s + (1 − decay)·g²; d ← g / (√s + epsilon); v ← momentum·v + d; p ← p − learningRate·v.
 * With `centered`, s less the square of a, the mean of gradients, stands under the root: a ← decay·a + (1 − decay)·g.
 * Source: Hinton, lecture 6e, in PyTorch's form and with its defaults: 0.01, 0.99, 1e-8, 0, 0, false.
 * @throws {MlpError} `bad-optimizer` for a number outside of its range
 */
export function rmsprop(options: RmspropOptions = {}): Optimizer {
  const {
    learningRate = 0.01,
    decay = 0.99,
    epsilon = 1e-8,
    weightDecay = 0,
    momentum = 0,
    centered = false,
  } = options;
  assertOption('rmsprop:', { learningRate, weightDecay, momentum }, 'a finite number ≥ 0', 'bad-optimizer');
  assertOption('rmsprop:', { decay }, 'a number in [0, 1)', 'bad-optimizer');
  assertOption('rmsprop:', { epsilon }, 'a positive float32 number', 'bad-optimizer');
  const hyper = { decay, epsilon, weightDecay, momentum, centered };
  return {
    spec: { type: 'rmsprop', learningRate, ...hyper },
    record(plan, { values, gradients, adjustment, ...watch }) {
      const state = plan.state('rmsprop', [rmspropRows(hyper), values.length]);
      plan.add(rmspropUpdate(values, gradients, state, { ...hyper, watch, adjustment }, PER_STEP));
    },
  };
}
