import { describe, expect, test } from 'vitest';
import type { Contender } from '../../bench/case.js';
import { measure, type Pace, quantile } from '../../bench/measure.js';

const pace: Pace = { samples: 5, warmUpMs: 300, sampleMs: 20, patienceMs: 100_000, fewest: 2, timeoutMs: 1000 };

/** A machine on which time passes only where a contender says so, and which notes who ran how often. */
function machine(): {
  readonly clock: () => number;
  readonly runs: { readonly name: string; readonly count: number }[];
  contender(name: string, milliseconds: (count: number, run: number) => number): Contender;
} {
  let now = 0;
  const runs: { name: string; count: number }[] = [];
  return {
    clock: () => now,
    runs,
    contender: (name, milliseconds) => ({
      name,
      async run(count) {
        now += milliseconds(count, runs.filter((run) => run.name === name).length);
        runs.push({ name, count });
      },
      dispose: () => {},
    }),
  };
}

describe('quantile', () => {
  test.each([
    [[7], 0.25, 7],
    [[3, 1, 2], 0.5, 2],
    [[4, 1, 3, 2], 0.5, 2.5],
    [[5, 1, 2, 4, 3], 0.25, 2],
    [[5, 1, 2, 4, 3], 0.75, 4],
    [[10, 20], 0.75, 17.5],
  ])('of %j at %d is %d', (samples, share, expected) => {
    expect(quantile(samples, share)).toBe(expected);
  });

  test('leaves the samples in their order', () => {
    const samples = [3, 1, 2];
    quantile(samples, 0.5);
    expect(samples).toEqual([3, 1, 2]);
  });
});

describe('measure', () => {
  test('what waiting costs is not in a sample', async () => {
    const { clock, contender } = machine();
    const [measured] = await measure([contender('A', (count) => 8 + 0.25 * count)], pace, clock);
    expect(measured).toEqual({ samples: [0.25, 0.25, 0.25, 0.25, 0.25] });
  });

  test('a sample has enough work in it, and there is a warm-up before the first', async () => {
    const { clock, contender, runs } = machine();
    const cost = (count: number): number => 1 + 0.01 * count;
    await measure([contender('A', cost)], pace, clock);
    const sampled = runs.slice(-2 * pace.samples);
    for (const [number, { count }] of sampled.entries()) {
      if (number % 2 === 0) expect(count).toBe(1);
      else expect(cost(count) - cost(1)).toBeGreaterThanOrEqual(pace.sampleMs);
    }
    const before = runs.slice(0, -2 * pace.samples).reduce((sum, { count }) => sum + cost(count), 0);
    expect(before).toBeGreaterThanOrEqual(pace.warmUpMs);
  });

  test('contenders take turns', async () => {
    const { clock, contender, runs } = machine();
    const field = ['A', 'B', 'C'].map((name, i) => contender(name, (count) => (i + 1) * count));
    await measure(field, pace, clock);
    const order = runs.slice(-2 * 3 * pace.samples).map(({ name }) => name);
    expect(order.join('')).toBe('AABBCC'.repeat(pace.samples));
  });

  test('a run that is long by itself is not repeated', async () => {
    const { clock, contender, runs } = machine();
    const [measured] = await measure([contender('slow', (count) => 3 + 150 * count)], pace, clock);
    expect(measured).toEqual({ samples: [153, 153, 153, 153, 153] });
    expect(new Set(runs.map(({ count }) => count))).toEqual(new Set([1]));
  });

  test('one that takes long gets fewer samples, but never less than the fewest', async () => {
    const { clock, contender } = machine();
    const field = [contender('long', (count) => 30_000 * count), contender('endless', (count) => 1e7 * count)];
    const lengths = (await measure(field, pace, clock)).map((result) => 'samples' in result && result.samples.length);
    expect(lengths).toEqual([3, 2]);
  });

  test('the first run, which compiles, decides nothing', async () => {
    const { clock, contender } = machine();
    const [measured] = await measure([contender('A', (count, run) => (run === 0 ? 5000 : 2) + count)], pace, clock);
    expect(measured).toEqual({ samples: [1, 1, 1, 1, 1] });
  });

  test('a short run that is delayed now and then does not make a sample better', async () => {
    const { clock, contender } = machine();
    let shortRuns = 0;
    const delayed = contender('A', (count) => {
      if (count > 1) return 1 + count;
      shortRuns += 1;
      return shortRuns % 4 === 0 ? 12 : 2;
    });
    const [measured] = await measure([delayed], pace, clock);
    expect(measured).toEqual({ samples: [1, 1, 1, 1, 1] });
  });

  test('where noise makes the long run the shorter one, the long run alone counts', async () => {
    const { clock, contender } = machine();
    let sampling = false;
    const noisy = contender('A', (count) => (sampling && count === 1 ? 90 : 10 * count));
    const trigger = contender('B', (count) => 10 * count);
    const original = trigger.run;
    trigger.run = (count) => {
      sampling = true;
      return original(count);
    };
    const [measured] = await measure([noisy, trigger], pace, clock);
    expect(measured).toEqual({ samples: [10, 10, 10, 10, 10] });
  });

  test('one that fails says why, and the others go on', async () => {
    const { clock, contender } = machine();
    const failing: Contender = {
      name: 'failing',
      run: () => Promise.reject(new Error('It has no backend.')),
      dispose: () => {},
    };
    const tired = contender('tired', (count, run) => {
      if (run > 10) throw new Error('It is tired.');
      return 150 * count;
    });
    const steady = contender('steady', (count) => count);
    const longer = { ...pace, samples: 20 };
    const [first, second, third] = await measure([failing, tired, steady], longer, clock);
    expect(first).toEqual({ error: 'It has no backend.' });
    expect(second).toEqual({ error: 'It is tired.' });
    expect(third).toEqual({ samples: Array(20).fill(1) });
  });

  test('one that never answers does not hold up the others', async () => {
    const { clock, contender } = machine();
    const mute: Contender = { name: 'mute', run: () => new Promise(() => {}), dispose: () => {} };
    const field = [mute, contender('steady', (count) => count)];
    const [first, second] = await measure(field, { ...pace, timeoutMs: 20 }, clock);
    expect(first).toEqual({ error: 'It has not answered for 0.02 s.' });
    expect(second).toEqual({ samples: [1, 1, 1, 1, 1] });
  });
});
