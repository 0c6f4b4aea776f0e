import { assertOption } from '../../base/check.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import type { Schedule } from './schedule.js';

const NAMES: OptionNames<Parameters<typeof exponentialDecay>[0]> = { factor: 1 };

/**
 * Exponential decay: rate = base·factor^epoch, where base is the trainer's learning rate and epoch is counted from 0.
 * PyTorch's `ExponentialLR`, stepped once per epoch.
 * @throws {MlpError} `bad-schedule` if the factor is out of range
 * @example await trainer.fit(dataset, { epochs: 20, schedule: exponentialDecay({ factor: 0.9 }) });
 */
export function exponentialDecay(options: {
  /** Factor of the rate per epoch, ≥ 0. PyTorch's `gamma`. */
  readonly factor: number;
}): Schedule {
  const { factor } = checkOptions('exponentialDecay', options, NAMES, 'bad-schedule');
  assertOption('exponentialDecay:', { factor }, 'a finite number >= 0', 'bad-schedule');
  return { spec: { type: 'exponentialDecay', factor }, rate: (base, { epoch }) => base * factor ** epoch };
}
