import { assertOption } from '../../base/check.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import { checkMode, type Monitor, monitored } from './monitor.js';
import type { Schedule } from './schedule.js';

/** Options of `reduceOnPlateau`. */
export interface ReduceOnPlateauOptions extends Monitor {
  /** Factor of the rate at each reduction, in [0, 1). Default: 0.1. Example: `factor: 0.5`. */
  readonly factor?: number | undefined;
  /** Number of epochs in a row without an improvement that are tolerated. Default: 10. Example: `patience: 5`. */
  readonly patience?: number | undefined;
  /** Least improvement that counts, as a share of the best result. Default: 1e-4. Example: `threshold: 1e-3`. */
  readonly threshold?: number | undefined;
  /**
   * Number of epochs after a reduction that do not count as epochs without an improvement. Default: 0.
   * Example: `cooldown: 2`.
   */
  readonly cooldown?: number | undefined;
  /** Lower limit of the rate, ≥ 0. PyTorch's `min_lr`. Default: 0. Example: `minimum: 1e-5`. */
  readonly minimum?: number | undefined;
}

const NAMES: OptionNames<ReduceOnPlateauOptions> = {
  monitor: 1,
  mode: 1,
  factor: 1,
  patience: 1,
  threshold: 1,
  cooldown: 1,
  minimum: 1,
};

/**
 * Reduction on a plateau: rate = max(minimum, base·factorⁿ), where base is the trainer's learning rate and n is the
 * number of reductions. A reduction follows more than `patience` epochs in a row without an improvement. An epoch is an
 * improvement if its monitored result is less than best·(1 − threshold), or with mode `max` more than
 * best·(1 + threshold), where best is the best result so far.
 *
 * PyTorch's `ReduceLROnPlateau`, with its defaults except eps = 0. `Trainer.fit` throws `bad-schedule` if an epoch has
 * no result named `monitor`.
 * @throws {MlpError} `bad-schedule` if an option is out of range
 * @example await trainer.fit(dataset, { epochs: 50, validation, schedule: reduceOnPlateau({ patience: 5 }) });
 */
export function reduceOnPlateau(options: ReduceOnPlateauOptions = {}): Schedule {
  const {
    monitor = 'validation.loss',
    mode = 'min',
    factor = 0.1,
    patience = 10,
    threshold = 1e-4,
    cooldown = 0,
    minimum = 0,
  } = checkOptions('reduceOnPlateau', options, NAMES, 'bad-schedule');
  assertOption('reduceOnPlateau:', { factor }, 'a number in [0, 1)', 'bad-schedule');
  assertOption('reduceOnPlateau:', { patience, cooldown }, 'an integer >= 0', 'bad-schedule');
  assertOption('reduceOnPlateau:', { threshold, minimum }, 'a finite number >= 0', 'bad-schedule');
  checkMode('reduceOnPlateau:', mode, 'bad-schedule');
  const isBetter = (value: number, best: number): boolean =>
    mode === 'min' ? value < best * (1 - threshold) : value > best * (1 + threshold);
  return {
    spec: { type: 'reduceOnPlateau', monitor, mode, factor, patience, threshold, cooldown, minimum },
    check: (outcome) => void monitored('reduceOnPlateau:', outcome, monitor, 'bad-schedule'),
    rate: (base, _at, state) => {
      const { reductions = 0 } = state ?? {};
      return reductions === 0 ? base : Math.max(minimum, base * factor ** reductions);
    },
    observe(outcome, _at, state) {
      const value = monitored('reduceOnPlateau:', outcome, monitor, 'bad-schedule');
      const { reductions = 0, bad = 0, wait = 0 } = state ?? {};
      // Before the first epoch `best` is absent, since JSON cannot store infinity. A NaN is never an improvement.
      const isFirst = state?.best === undefined && !Number.isNaN(value);
      const improved = isFirst || (state?.best !== undefined && isBetter(value, state.best));
      const best = improved ? value : state?.best;
      const counted = wait > 0 || improved ? 0 : bad + 1;
      const next =
        counted > patience
          ? { reductions: reductions + 1, bad: 0, wait: cooldown }
          : { reductions, bad: counted, wait: Math.max(0, wait - 1) };
      return best === undefined ? next : { ...next, best };
    },
  };
}
