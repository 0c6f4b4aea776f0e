import { assertOption } from '../../base/check.js';
import { constant } from './constant.js';
import type { Position, Schedule } from './schedule.js';

export interface WarmUpOptions {
  readonly epochs: number;
  /** Goes on where the warm-up ends, as if training began there. */
  readonly after?: Schedule;
}

/**
 * A linear rise: of n steps the k-th, from 1 on, has k/n of the rate that `after` begins with; so the first has base/n, and
 * the last all of it, if `after` begins with base.
 * @throws {MlpError} `bad-schedule` for a number outside of its range
 */
export function warmUp({ epochs, after = constant() }: WarmUpOptions): Schedule {
  assertOption('warmUp:', { epochs }, 'a positive integer', 'bad-schedule');
  const later = ({ epoch, ...at }: Position): Position => ({ ...at, epoch: epoch - epochs });
  return {
    spec: { type: 'warmUp', epochs, after: after.spec },
    rate(base, at, state) {
      if (at.epoch >= epochs) return after.rate(base, later(at), state);
      const start = after.rate(base, { ...at, epoch: 0, step: 0 }, state);
      return (start * (at.epoch + (at.step + 1) / at.steps)) / epochs;
    },
    check: (outcome) => after.check?.(outcome),
    // The epochs of the warm-up are none of its.
    observe: (outcome, at, state) => (at.epoch > epochs ? after.observe?.(outcome, later(at), state) : state),
  };
}
