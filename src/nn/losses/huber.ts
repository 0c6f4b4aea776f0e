import { assertOption } from '../../base/check.js';
import { elementwiseLossRows } from '../../kernels/elementwise-loss.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Loss } from './loss.js';

export interface HuberOptions {
  /** Where the loss becomes linear: > 0. */
  readonly delta?: number;
}

/**
 * (a − y)²/2 where |a − y| ≤ delta, else delta·(|a − y| − delta/2), for each output a and its target y, mean over batch and
 * outputs; gradient clamp(a − y, −delta, delta) / (batch·outputs). As PyTorch's HuberLoss. Targets are rows.
 * @throws {MlpError} `bad-loss` if delta is not positive
 */
export function huber({ delta = 1 }: HuberOptions = {}): Loss {
  assertOption('huber:', { delta }, 'a positive float32 number', 'bad-loss');
  return {
    spec: { type: 'huber', delta },
    link: 'identity',
    record(plan, outputs, labels, results) {
      plan.add(elementwiseLossRows({ name: 'huber', delta }, outputs, labels, results, PER_STEP));
    },
  };
}
