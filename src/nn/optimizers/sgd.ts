import { assertOption } from '../../base/check.js';
import { MlpError } from '../../base/errors.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import { sgdUpdate } from '../../kernels/sgd.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Optimizer } from './optimizer.js';
import { decayOf, type WeightDecay } from './weight-decay.js';

/** Options of `sgd`. */
export interface SgdOptions {
  /** Learning rate, ≥ 0, which a schedule may change during training. Example: `learningRate: 0.01`. */
  readonly learningRate: number;
  /** Factor of the previous velocity, ≥ 0. Default: 0. Example: `momentum: 0.9`. */
  readonly momentum?: number | undefined;
  /** Share of the gradient that is not added to the velocity. Default: 0. Example: `dampening: 0.1`. */
  readonly dampening?: number | undefined;
  /**
   * Factor of the L2 penalty, ≥ 0: weightDecay·p is added to each gradient. `{ value, on: 'weights' }` leaves biases and
   * norms alone. Default: 0.
   * Example: `weightDecay: 1e-4`.
   */
  readonly weightDecay?: WeightDecay | undefined;
  /**
   * True for Nesterov momentum, which needs momentum > 0 and dampening = 0. Default: false.
   * Example: `nesterov: true`.
   */
  readonly nesterov?: boolean | undefined;
}

const NAMES: OptionNames<SgdOptions> = { learningRate: 1, momentum: 1, dampening: 1, weightDecay: 1, nesterov: 1 };

/**
 * Stochastic gradient descent. For each parameter p with gradient ∇: g ← ∇ + weightDecay·p;
 * v ← momentum·v + (1 − dampening)·g, but v ← g in the first step; p ← p − learningRate·v.
 * With `nesterov`, p ← p − learningRate·(g + momentum·v).
 *
 * PyTorch's `SGD`, with its defaults. Source: Sutskever et al. 2013.
 * @throws {MlpError} `bad-optimizer` if an option is out of range, or if `nesterov` is true with momentum = 0 or with
 * dampening ≠ 0
 * @example const trainer = await model.trainer({ loss, optimizer: sgd({ learningRate: 0.1 }), batchSize: 64 });
 */
export function sgd(options: SgdOptions): Optimizer {
  const known = checkOptions('sgd', options, NAMES, 'bad-optimizer');
  const { learningRate, momentum = 0, dampening = 0, weightDecay = 0, nesterov = false } = known;
  assertOption('sgd:', { learningRate, momentum }, 'a finite number >= 0', 'bad-optimizer');
  assertOption('sgd:', { dampening }, 'a finite number', 'bad-optimizer');
  assertOption('sgd:', { nesterov }, 'true or false', 'bad-optimizer');
  if (nesterov && (momentum <= 0 || dampening !== 0)) {
    throw new MlpError(
      'bad-optimizer',
      `sgd: nesterov needs momentum > 0 and dampening = 0; momentum = ${momentum}, dampening = ${dampening}.`,
    );
  }
  const decay = decayOf('sgd', weightDecay);
  return {
    spec: { type: 'sgd', learningRate, momentum, dampening, weightDecay, nesterov },
    needsMask: decay.decayOn === 'weights',
    record(plan, { values, gradients, adjustment, ...watch }) {
      const velocity = momentum === 0 ? undefined : plan.state('velocity', values.shape);
      const hyper = { momentum, dampening, ...decay, nesterov, watch, adjustment };
      plan.add(sgdUpdate(values, gradients, velocity, hyper, PER_STEP));
    },
  };
}
