import { assertOption } from '../../base/check.js';
import { adamCorrections, adamUpdate } from '../../kernels/adam.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Optimizer } from './optimizer.js';

export interface AdamOptions {
  readonly learningRate?: number;
  /** Of the mean of gradients. */
  readonly beta1?: number;
  /** Of the mean of their squares. */
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly weightDecay?: number;
}

/**
 * g ← ∇ + weightDecay·p; m ← m + (1 − β₁)·(g − m); v ← β₂·v + (1 − β₂)·g²;
 * p ← p − learningRate / (1 − β₁ᵗ)·m / (√v / √(1 − β₂ᵗ) + epsilon), in the t-th step.
 * Source: Kingma & Ba 2015, in PyTorch's form and with its defaults: 0.001, 0.9, 0.999, 1e-8, 0.
 * @throws {MlpError} `bad-optimizer` for a number outside of its range
 */
export function adam(options: AdamOptions = {}): Optimizer {
  return adamOf('adam', options, 0);
}

/**
 * Adam, where weights decay by themselves: g ← ∇, and p ← p·(1 − learningRate·weightDecay) before its update.
 * Source: Loshchilov & Hutter 2019, in PyTorch's form and with its defaults: those of Adam, and weightDecay = 0.01.
 * @throws {MlpError} `bad-optimizer` for a number outside of its range
 */
export function adamw(options: AdamOptions = {}): Optimizer {
  return adamOf('adamw', options, 0.01);
}

function adamOf(type: 'adam' | 'adamw', options: AdamOptions, usualDecay: number): Optimizer {
  const { learningRate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = usualDecay } = options;
  assertOption(`${type}:`, { learningRate, weightDecay }, 'a finite number ≥ 0', 'bad-optimizer');
  assertOption(`${type}:`, { beta1, beta2 }, 'a number in [0, 1)', 'bad-optimizer');
  assertOption(`${type}:`, { epsilon }, 'a positive float32 number', 'bad-optimizer');
  const hyper = { beta1, beta2, epsilon, weightDecay, decoupled: type === 'adamw' };
  return {
    spec: { type, learningRate, beta1, beta2, epsilon, weightDecay },
    perStep: (index) => adamCorrections(hyper, index),
    record(plan, { values, gradients, adjustment, ...watch }) {
      const state = plan.state('moments', [2, values.length]);
      plan.add(adamUpdate(values, gradients, state, { ...hyper, watch, adjustment }, PER_STEP));
    },
  };
}
