import { assertOption } from '../../base/check.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import { elementwiseLossRows } from '../../kernels/elementwise-loss.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Loss } from './loss.js';

/** Options of `huber`. */
export interface HuberOptions {
  /** Absolute error, > 0, from which on the loss is linear. Default: 1. Example: `delta: 1`. */
  readonly delta?: number | undefined;
}

const NAMES: OptionNames<HuberOptions> = { delta: 1 };

/**
 * Huber loss: (a − y)²/2 if |a − y| ≤ delta, else delta·(|a − y| − delta/2), for each output a and its target y; mean
 * over batch and outputs. Gradient: clamp(a − y, −delta, delta) / (batch·outputs). Outputs and targets are
 * (batch, outputs). PyTorch's `HuberLoss`.
 * @throws {MlpError} `bad-loss` if delta is not a positive float32 number
 * @example const trainer = await model.trainer({ loss: huber({ delta: 0.5 }), optimizer: adam(), batchSize: 32 });
 */
export function huber(options: HuberOptions = {}): Loss {
  const { delta = 1 } = checkOptions('huber', options, NAMES, 'bad-loss');
  assertOption('huber:', { delta }, 'a positive float32 number', 'bad-loss');
  return {
    spec: { type: 'huber', delta },
    link: 'identity',
    record(plan, outputs, labels, results) {
      plan.add(elementwiseLossRows({ name: 'huber', delta }, outputs, labels, results, PER_STEP));
    },
  };
}
