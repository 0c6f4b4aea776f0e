import { assertMethod, assertOption } from '../../base/check.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import { constant } from './constant.js';
import type { Position, Schedule } from './schedule.js';

/** Options of `warmUp`. */
export interface WarmUpOptions {
  /** Number of epochs of the warm-up, > 0. Example: `epochs: 20`. */
  readonly epochs: number;
  /**
   * Schedule after the warm-up. Its epoch 0 is the first epoch after the warm-up. Default: `constant()`.
   * Example: `after: cosine({ epochs: 45 })`.
   */
  readonly after?: Schedule | undefined;
}

const NAMES: OptionNames<WarmUpOptions> = { epochs: 1, after: 1 };

/**
 * Linear warm-up: rate = start·k/n in step k of the n steps of the warm-up, counted from 1, where start is the rate of
 * `after` at its beginning. With `constant()`, the rate rises from base/n to base, the trainer's learning rate.
 * @throws {MlpError} `bad-schedule` if `epochs` is not a positive integer
 * @example await trainer.fit(dataset, { epochs: 20, schedule: warmUp({ epochs: 2, after: cosine({ epochs: 18 }) }) });
 */
export function warmUp(options: WarmUpOptions): Schedule {
  const { epochs, after = constant() } = checkOptions('warmUp', options, NAMES, 'bad-schedule');
  assertOption('warmUp:', { epochs }, 'a positive integer', 'bad-schedule');
  assertMethod('warmUp: after', after, 'rate', 'cosine({ epochs: 10 })', 'bad-schedule');
  const later = ({ epoch, ...at }: Position): Position => ({ ...at, epoch: epoch - epochs });
  return {
    spec: { type: 'warmUp', epochs, after: after.spec },
    rate(base, at, state) {
      if (at.epoch >= epochs) return after.rate(base, later(at), state);
      const start = after.rate(base, { ...at, epoch: 0, step: 0 }, state);
      return (start * (at.epoch + (at.step + 1) / at.steps)) / epochs;
    },
    check: (outcome) => after.check?.(outcome),
    // `after` does not observe the epochs of the warm-up.
    observe: (outcome, at, state) => (at.epoch > epochs ? after.observe?.(outcome, later(at), state) : state),
  };
}
