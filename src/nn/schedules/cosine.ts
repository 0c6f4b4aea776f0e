import { assertOption, assertWord } from '../../base/check.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import type { Schedule } from './schedule.js';

/** Options of `cosine`. */
export interface CosineOptions {
  /**
   * Number of epochs, > 0, in which the rate falls from the trainer's learning rate to `minimum`. PyTorch's `T_max`.
   * Example: `epochs: 20`.
   */
  readonly epochs: number;
  /** Final rate, ≥ 0. PyTorch's `eta_min`. Default: 0. Example: `minimum: 1e-5`. */
  readonly minimum?: number | undefined;
  /** Unit of time: the rate changes with each step, or with each epoch. Default: `step`. Example: `per: 'epoch'`. */
  readonly per?: 'step' | 'epoch' | undefined;
}

const NAMES: OptionNames<CosineOptions> = { epochs: 1, minimum: 1, per: 1 };

/**
 * Cosine annealing: rate = minimum + (base − minimum)·(1 + cos(π·t / epochs)) / 2, where base is the trainer's learning
 * rate and t is the number of epochs that are done, with `per: 'step'` including the fraction of the current epoch.
 * From t = epochs on the rate is `minimum`.
 *
 * PyTorch's `CosineAnnealingLR`, whose rate rises again after `T_max`. Source: Loshchilov & Hutter 2017.
 * @throws {MlpError} `bad-schedule` if an option is out of range
 * @example await trainer.fit(dataset, { epochs: 20, schedule: cosine({ epochs: 20 }) });
 */
export function cosine(options: CosineOptions): Schedule {
  const { epochs, minimum = 0, per = 'step' } = checkOptions('cosine', options, NAMES, 'bad-schedule');
  assertOption('cosine:', { epochs }, 'a positive integer', 'bad-schedule');
  assertOption('cosine:', { minimum }, 'a finite number >= 0', 'bad-schedule');
  assertWord('cosine:', { per }, ['step', 'epoch'], 'bad-schedule');
  return {
    spec: { type: 'cosine', epochs, minimum, per },
    rate(base, { epoch, step, steps }) {
      const t = epoch + (per === 'step' ? step / steps : 0);
      return minimum + ((base - minimum) * (1 + Math.cos(Math.PI * Math.min(1, t / epochs)))) / 2;
    },
  };
}
