import { assertOption } from '../../base/check.js';
import { checkMode, type Monitor, monitored } from './monitor.js';
import type { Schedule } from './schedule.js';

export interface ReduceOnPlateauOptions extends Monitor {
  readonly factor?: number;
  /** Epochs without an improvement that change nothing. */
  readonly patience?: number;
  /** The least improvement that counts, as a share of the best. */
  readonly threshold?: number;
  /** Epochs after a reduction that are not counted. */
  readonly cooldown?: number;
  readonly minimum?: number;
}

/**
 * base·factorⁿ, at least `minimum`, where n grows by one after more than `patience` epochs in a row that did not improve on
 * the best: an epoch does if its value is less than best·(1 − threshold), or with mode `max` more than
 * best·(1 + threshold). PyTorch's ReduceLROnPlateau with its defaults and eps = 0.
 * @throws {MlpError} `bad-schedule` for an option outside of its range
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
  } = options;
  assertOption('reduceOnPlateau:', { factor }, 'a number in [0, 1)', 'bad-schedule');
  assertOption('reduceOnPlateau:', { patience, cooldown }, 'an integer ≥ 0', 'bad-schedule');
  assertOption('reduceOnPlateau:', { threshold, minimum }, 'a finite number ≥ 0', 'bad-schedule');
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
      // Before the first epoch there is no best, which JSON has no infinity for. A NaN is never an improvement.
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
