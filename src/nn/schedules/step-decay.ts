import { assertOption } from '../../base/check.js';
import type { Schedule } from './schedule.js';

export interface StepDecayOptions {
  /** Epochs between two reductions. */
  readonly every: number;
  readonly factor?: number;
}

/**
 * base·factor^⌊epoch / every⌋, with epochs counted from 0. PyTorch's StepLR, a step an epoch.
 * @throws {MlpError} `bad-schedule` for a number outside of its range
 */
export function stepDecay({ every, factor = 0.1 }: StepDecayOptions): Schedule {
  assertOption('stepDecay:', { every }, 'a positive integer', 'bad-schedule');
  assertOption('stepDecay:', { factor }, 'a finite number ≥ 0', 'bad-schedule');
  return {
    spec: { type: 'stepDecay', every, factor },
    rate: (base, { epoch }) => base * factor ** Math.floor(epoch / every),
  };
}
