import { assertOption } from '../../base/check.js';
import type { Schedule } from './schedule.js';

/**
 * base·factor^epoch, with epochs counted from 0. PyTorch's ExponentialLR, a step an epoch.
 * @throws {MlpError} `bad-schedule` for a number outside of its range
 */
export function exponentialDecay({ factor }: { readonly factor: number }): Schedule {
  assertOption('exponentialDecay:', { factor }, 'a finite number ≥ 0', 'bad-schedule');
  return { spec: { type: 'exponentialDecay', factor }, rate: (base, { epoch }) => base * factor ** epoch };
}
