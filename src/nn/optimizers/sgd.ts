import { assertOption } from '../../base/check.js';
import { MlpError } from '../../base/errors.js';
import { sgdUpdate } from '../../kernels/sgd.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Optimizer } from './optimizer.js';

export interface SgdOptions {
  readonly learningRate: number;
  readonly momentum?: number;
  readonly dampening?: number;
  readonly weightDecay?: number;
  readonly nesterov?: boolean;
}

/**
 * g ← ∇ + weightDecay·p; v ← momentum·v + (1 − dampening)·g, v = g on the first step; p ← p − learningRate·v,
 * or − learningRate·(g + momentum·v) with nesterov. Source: Sutskever et al. 2013, in PyTorch's form.
 * @throws {MlpError} `bad-optimizer` for a number outside of its range
 */
export function sgd(options: SgdOptions): Optimizer {
  const { learningRate, momentum = 0, dampening = 0, weightDecay = 0, nesterov = false } = options;
  assertOption('sgd:', { learningRate, momentum, weightDecay }, 'a finite number ≥ 0', 'bad-optimizer');
  assertOption('sgd:', { dampening }, 'a finite number', 'bad-optimizer');
  if (nesterov && (momentum <= 0 || dampening !== 0)) {
    throw new MlpError(
      'bad-optimizer',
      `sgd: nesterov needs momentum > 0 and dampening = 0; momentum = ${momentum}, dampening = ${dampening}.`,
    );
  }
  return {
    spec: { type: 'sgd', learningRate, momentum, dampening, weightDecay, nesterov },
    record(plan, { values, gradients, adjustment, ...watch }) {
      const velocity = momentum === 0 ? undefined : plan.state('velocity', values.shape);
      const hyper = { momentum, dampening, weightDecay, nesterov, watch, adjustment };
      plan.add(sgdUpdate(values, gradients, velocity, hyper, PER_STEP));
    },
  };
}
