import { assertOption } from '../../base/check.js';
import { MlpError } from '../../base/errors.js';
import type { Schedule } from './schedule.js';

export interface CosineOptions {
  /** From the trainer's learning rate to `minimum`. */
  readonly epochs: number;
  readonly minimum?: number;
  /** The unit of time: the rate moves with each step, or with each epoch. */
  readonly per?: 'step' | 'epoch';
}

/**
 * minimum + (base − minimum)·(1 + cos(π·t / epochs)) / 2, where t is the epochs that are done, with `per: 'step'` in
 * fractions; from t = epochs on, minimum. PyTorch's CosineAnnealingLR (Loshchilov & Hutter 2017), which rises again then.
 * @throws {MlpError} `bad-schedule` for an option outside of its range
 */
export function cosine({ epochs, minimum = 0, per = 'step' }: CosineOptions): Schedule {
  assertOption('cosine:', { epochs }, 'a positive integer', 'bad-schedule');
  assertOption('cosine:', { minimum }, 'a finite number ≥ 0', 'bad-schedule');
  if (per !== 'step' && per !== 'epoch') {
    throw new MlpError('bad-schedule', `cosine: per = "${String(per)}"; per must be "step" or "epoch".`);
  }
  return {
    spec: { type: 'cosine', epochs, minimum, per },
    rate(base, { epoch, step, steps }) {
      const t = epoch + (per === 'step' ? step / steps : 0);
      return minimum + ((base - minimum) * (1 + Math.cos(Math.PI * Math.min(1, t / epochs)))) / 2;
    },
  };
}
