import { describe, expect, test } from 'vitest';
import { constant } from '../../../src/nn/schedules/constant.js';
import { cosine } from '../../../src/nn/schedules/cosine.js';
import { exponentialDecay } from '../../../src/nn/schedules/exponential-decay.js';
import { reduceOnPlateau } from '../../../src/nn/schedules/reduce-on-plateau.js';
import type { Schedule, ScheduleState } from '../../../src/nn/schedules/schedule.js';
import { stepDecay } from '../../../src/nn/schedules/step-decay.js';
import { warmUp } from '../../../src/nn/schedules/warm-up.js';

/** The rates of the first steps, four to an epoch, from base 0.8 on. */
const rates = (schedule: Schedule, epochs: number): number[] =>
  Array.from({ length: 4 * epochs }, (_, n) =>
    schedule.rate(0.8, { epoch: Math.floor(n / 4), step: n % 4, steps: 4 }, undefined),
  );
/** Of each epoch's first step. */
const perEpoch = (schedule: Schedule, epochs: number): number[] =>
  rates(schedule, epochs).filter((_, n) => n % 4 === 0);
const close = (actual: readonly number[], expected: readonly number[]): void => {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(actual[i], `${i}`).toBeCloseTo(value, 14);
};

describe('rates by hand, and as the closed forms of PyTorch have them', () => {
  test('constant', () => expect(new Set(rates(constant(), 3))).toEqual(new Set([0.8])));

  test('stepDecay: 0.8 for three epochs, then 0.4, then 0.2; within an epoch it stays', () => {
    close(perEpoch(stepDecay({ every: 3, factor: 0.5 }), 7), [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2]);
    expect(new Set(rates(stepDecay({ every: 1 }), 2))).toEqual(new Set([0.8, 0.8 * 0.1]));
  });

  test('exponentialDecay', () => {
    close(perEpoch(exponentialDecay({ factor: 0.9 }), 4), [0.8, 0.72, 0.648, 0.5832]);
    expect(new Set(rates(exponentialDecay({ factor: 0.9 }), 1)).size).toBe(1);
  });

  test('cosine per epoch: cos 0, π/4, π/2, 3π/4; then the minimum', () => {
    const half = Math.SQRT1_2;
    const expected = [0.8, 0.2 + 0.3 * (1 + half), 0.5, 0.2 + 0.3 * (1 - half), 0.2, 0.2];
    close(perEpoch(cosine({ epochs: 4, minimum: 0.2, per: 'epoch' }), 6), expected);
    expect(new Set(rates(cosine({ epochs: 4, per: 'epoch' }), 1)).size).toBe(1);
  });

  test('cosine per step: four steps of one epoch are the quarters of a half wave', () => {
    const half = Math.SQRT1_2;
    close(rates(cosine({ epochs: 1 }), 2), [0.8, 0.4 * (1 + half), 0.4, 0.4 * (1 - half), 0, 0, 0, 0]);
  });

  test('warmUp: eighths of the rate up to all of it, then what comes after, from its beginning', () => {
    close(
      rates(warmUp({ epochs: 2 }), 3),
      [1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8, 8].map((n) => n / 10),
    );
    const after = cosine({ epochs: 4, per: 'epoch' });
    close(perEpoch(warmUp({ epochs: 2, after }), 6).slice(2), perEpoch(after, 4));
  });
});

/** What a schedule makes of a value after each epoch: the rate of the epoch behind it. */
function observed(schedule: Schedule, values: readonly number[]): number[] {
  let state: ScheduleState | undefined;
  return values.map((value, number) => {
    const at = { epoch: number + 1, step: 0, steps: 4 };
    state = schedule.observe?.({ loss: 7, validation: { loss: value } }, at, state);
    // It lives in JSON, as a checkpoint has it.
    state = state === undefined ? undefined : (JSON.parse(JSON.stringify(state)) as ScheduleState);
    return schedule.rate(0.8, at, state);
  });
}

describe('reduceOnPlateau, worked through PyTorch’s step()', () => {
  const halve = { factor: 0.5, threshold: 0 };

  test('more than `patience` epochs in a row without an improvement halve the rate, and are counted anew', () => {
    // bad epochs:      0  0  1  2→reduce  1  0  1  2→reduce
    const values = [1, 0.9, 0.9, 0.95, 0.9, 0.8, 0.8, 0.8];
    close(observed(reduceOnPlateau({ ...halve, patience: 1 }), values), [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4, 0.2]);
  });

  test('an improvement must be by more than the threshold’s share', () => {
    // 0.95 is more than 1 · 0.9, and so bad; 0.89 is less than that; 0.81 is more than 0.89 · 0.9 = 0.801.
    const schedule = reduceOnPlateau({ factor: 0.5, threshold: 0.1, patience: 0 });
    close(observed(schedule, [1, 0.95, 0.89, 0.81]), [0.8, 0.4, 0.4, 0.2]);
  });

  test('epochs of the cooldown do not count', () => {
    // After the reduction behind the second epoch two epochs are cool, the third is counted.
    const schedule = reduceOnPlateau({ ...halve, patience: 0, cooldown: 2 });
    close(observed(schedule, [1, 1, 1, 1, 1]), [0.8, 0.4, 0.4, 0.4, 0.2]);
  });

  test('with mode max more is better; a NaN is no improvement; the minimum holds', () => {
    const schedule = reduceOnPlateau({ ...halve, patience: 0, mode: 'max', minimum: 0.3 });
    close(observed(schedule, [0.5, 0.6, 0.6, Number.NaN, 0.7, 0.1]), [0.8, 0.8, 0.4, 0.3, 0.3, 0.3]);
    close(observed(reduceOnPlateau({ ...halve, patience: 0 }), [Number.NaN, 3, 2]), [0.4, 0.4, 0.4]);
  });

  test('behind a warm-up, whose epochs it does not see', () => {
    const schedule = warmUp({ epochs: 2, after: reduceOnPlateau({ ...halve, patience: 0 }) });
    expect(() => schedule.check?.({ loss: 1 })).toThrow('"validation.loss"');
    // The first two values are of the warm-up; then 5 is the first, and the second 5 is bad.
    close(observed(schedule, [1, 1, 5, 5, 4]).slice(1), [0.8, 0.8, 0.4, 0.4]);
  });
});

test('specs are plain data, with every default', () => {
  const specs = [
    constant(),
    stepDecay({ every: 2 }),
    exponentialDecay({ factor: 0.9 }),
    cosine({ epochs: 3 }),
    warmUp({ epochs: 1 }),
    reduceOnPlateau(),
  ].map(({ spec }) => spec);
  expect(JSON.parse(JSON.stringify(specs))).toEqual([
    { type: 'constant' },
    { type: 'stepDecay', every: 2, factor: 0.1 },
    { type: 'exponentialDecay', factor: 0.9 },
    { type: 'cosine', epochs: 3, minimum: 0, per: 'step' },
    { type: 'warmUp', epochs: 1, after: { type: 'constant' } },
    {
      type: 'reduceOnPlateau',
      monitor: 'validation.loss',
      mode: 'min',
      factor: 0.1,
      patience: 10,
      threshold: 1e-4,
      cooldown: 0,
      minimum: 0,
    },
  ]);
});

test.for<readonly [make: () => Schedule, message: string]>([
  [() => stepDecay({ every: 0 }), 'stepDecay: every = 0; every must be a positive integer.'],
  [() => stepDecay({ every: 1, factor: -1 }), 'stepDecay: factor = -1; factor must be a finite number ≥ 0.'],
  [() => exponentialDecay({ factor: Infinity }), 'exponentialDecay: factor = Infinity; factor must be a finite'],
  [() => cosine({ epochs: 1.5 }), 'cosine: epochs = 1.5; epochs must be a positive integer.'],
  [() => cosine({ epochs: 1, minimum: -1 }), 'cosine: minimum = -1; minimum must be a finite number ≥ 0.'],
  [() => cosine({ epochs: 1, per: 'batch' as 'step' }), 'cosine: per = "batch"; per must be "step" or "epoch".'],
  [() => warmUp({ epochs: 0 }), 'warmUp: epochs = 0; epochs must be a positive integer.'],
  [() => reduceOnPlateau({ factor: 1 }), 'reduceOnPlateau: factor = 1; factor must be a number in [0, 1).'],
  [() => reduceOnPlateau({ patience: -1 }), 'reduceOnPlateau: patience = -1; patience must be an integer ≥ 0.'],
  [
    () => reduceOnPlateau({ threshold: NaN }),
    'reduceOnPlateau: threshold = NaN; threshold must be a finite number ≥ 0.',
  ],
  [() => reduceOnPlateau({ mode: 'best' as 'max' }), 'reduceOnPlateau: mode = "best"; mode must be "min" or "max".'],
])('%s: %s', ([make, message]) => {
  expect(make).toThrow(message);
  expect(make).toThrow(expect.objectContaining({ code: 'bad-schedule' }));
});
