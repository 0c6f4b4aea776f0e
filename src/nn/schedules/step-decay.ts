import { assertOption } from '../../base/check.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import type { Schedule } from './schedule.js';

/** Options of `stepDecay`. */
export interface StepDecayOptions {
  /** Number of epochs between two reductions, > 0. PyTorch's `step_size`. Example: `every: 10`. */
  readonly every: number;
  /** Factor of the rate at each reduction, ≥ 0. PyTorch's `gamma`. Default: 0.1. Example: `factor: 0.5`. */
  readonly factor?: number | undefined;
}

const NAMES: OptionNames<StepDecayOptions> = { every: 1, factor: 1 };

/**
 * Step decay: rate = base·factor^⌊epoch / every⌋, where base is the trainer's learning rate and epoch is
 * counted from 0. PyTorch's `StepLR`, stepped once per epoch.
 * @throws {MlpError} `bad-schedule` if an option is out of range
 * @example await trainer.fit(dataset, { epochs: 20, schedule: stepDecay({ every: 5 }) });
 */
export function stepDecay(options: StepDecayOptions): Schedule {
  const { every, factor = 0.1 } = checkOptions('stepDecay', options, NAMES, 'bad-schedule');
  assertOption('stepDecay:', { every }, 'a positive integer', 'bad-schedule');
  assertOption('stepDecay:', { factor }, 'a finite number >= 0', 'bad-schedule');
  return {
    spec: { type: 'stepDecay', every, factor },
    rate: (base, { epoch }) => base * factor ** Math.floor(epoch / every),
  };
}
