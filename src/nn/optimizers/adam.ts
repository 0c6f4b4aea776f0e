import { assertOption } from '../../base/check.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import { adamCorrections, adamUpdate } from '../../kernels/adam.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Optimizer } from './optimizer.js';
import { decayOf, type WeightDecay } from './weight-decay.js';

/** Options of `adam` and `adamw`. */
export interface AdamOptions {
  /** Learning rate, ≥ 0, which a schedule may change during training. Default: 0.001. Example: `learningRate: 0.01`. */
  readonly learningRate?: number | undefined;
  /** Decay rate β₁ of the running mean of gradients, in [0, 1). Default: 0.9. Example: `beta1: 0.9`. */
  readonly beta1?: number | undefined;
  /** Decay rate β₂ of the running mean of squared gradients, in [0, 1). Default: 0.999. Example: `beta2: 0.999`. */
  readonly beta2?: number | undefined;
  /** Number > 0 that is added to the denominator. Default: 1e-8. Example: `epsilon: 1e-7`. */
  readonly epsilon?: number | undefined;
  /**
   * Weight decay, ≥ 0: `adam` adds weightDecay·p to each gradient, `adamw` multiplies each parameter p by
   * 1 − learningRate·weightDecay. `{ value, on: 'weights' }` leaves biases and norms alone. Default: 0 for `adam`, 0.01
   * for `adamw`.
   * Example: `weightDecay: 1e-4`.
   */
  readonly weightDecay?: WeightDecay | undefined;
}

const NAMES: OptionNames<AdamOptions> = { learningRate: 1, beta1: 1, beta2: 1, epsilon: 1, weightDecay: 1 };

/**
 * Adam. For each parameter p with gradient ∇, in step t, counted from 1:
 * g ← ∇ + weightDecay·p; m ← m + (1 − β₁)·(g − m); v ← β₂·v + (1 − β₂)·g²;
 * p ← p − learningRate / (1 − β₁ᵗ)·m / (√v / √(1 − β₂ᵗ) + epsilon).
 *
 * PyTorch's `Adam`, with its defaults. Source: Kingma & Ba 2015.
 * @throws {MlpError} `bad-optimizer` if an option is out of range
 * @example const trainer = await model.trainer({ loss, optimizer: adam({ learningRate: 0.01 }), batchSize: 64 });
 */
export function adam(options: AdamOptions = {}): Optimizer {
  return adamOf('adam', options, 0);
}

/**
 * Adam with decoupled weight decay: as `adam`, but with g ← ∇, and with p ← p·(1 − learningRate·weightDecay) before the
 * update of p.
 *
 * PyTorch's `AdamW`, with its defaults. Source: Loshchilov & Hutter 2019.
 * @throws {MlpError} `bad-optimizer` if an option is out of range
 * @example const trainer = await model.trainer({ loss, optimizer: adamw(), batchSize: 64 });
 */
export function adamw(options: AdamOptions = {}): Optimizer {
  return adamOf('adamw', options, 0.01);
}

function adamOf(type: 'adam' | 'adamw', options: AdamOptions, defaultDecay: number): Optimizer {
  const known = checkOptions(type, options, NAMES, 'bad-optimizer');
  const { learningRate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = defaultDecay } = known;
  assertOption(`${type}:`, { learningRate }, 'a finite number >= 0', 'bad-optimizer');
  assertOption(`${type}:`, { beta1, beta2 }, 'a number in [0, 1)', 'bad-optimizer');
  assertOption(`${type}:`, { epsilon }, 'a positive float32 number', 'bad-optimizer');
  const decay = decayOf(type, weightDecay);
  const hyper = { beta1, beta2, epsilon, ...decay, decoupled: type === 'adamw' };
  return {
    spec: { type, learningRate, beta1, beta2, epsilon, weightDecay },
    needsMask: decay.decayOn === 'weights',
    stateRows: 2,
    perStep: (index) => adamCorrections(hyper, index),
    record(plan, { values, gradients, adjustment, ...watch }) {
      const state = plan.state('moments', [2, values.length]);
      plan.add(adamUpdate(values, gradients, state, { ...hyper, watch, adjustment }, PER_STEP));
    },
  };
}
