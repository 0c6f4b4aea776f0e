import { describe, expect, test } from 'vitest';
import { normalCdf } from '../../shaders/activations.js';
import { Random } from '../../src/base/random.js';

const times = <T>(count: number, draw: () => T): T[] => Array.from({ length: count }, draw);
const mean = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
const variance = (values: ArrayLike<number>): number => {
  const centre = mean(values);
  return mean(Array.from(values, (value) => (value - centre) ** 2));
};

describe('the generator', () => {
  test('is sfc32: it agrees with an independent implementation in BigInt', () => {
    const mask = 0xffffffffn;
    let [a, b, c, counter] = [5n, 0n, 3n, 1n];
    const next = (): bigint => {
      const result = (a + b + counter) & mask;
      counter = (counter + 1n) & mask;
      a = b ^ (b >> 9n);
      b = (c + (c << 3n)) & mask;
      c = ((((c << 21n) & mask) | (c >> 11n)) + result) & mask;
      return result;
    };
    for (let i = 0; i < 20; i++) next();
    const random = new Random(5, 3);
    for (let i = 0; i < 1000; i++) expect(random.bits()).toBe(Number(next()));
  });

  test('gives these numbers on every machine', () => {
    const random = new Random(1);
    expect(times(4, () => random.bits())).toEqual([2719816156, 329822289, 138300035, 2845726439]);
    expect(times(2, () => random.uniform())).toEqual([0.052724598058384364, 0.8407841140852813]);
    expect(times(4, () => random.normal())).toEqual([
      0.14717673919155086, 0.7102622688551341, 1.518811317585314, -0.48243558089603295,
    ]);
    expect([...random.shuffled(8)]).toEqual([0, 2, 7, 6, 4, 1, 5, 3]);
  });

  test('seeds and streams are different sequences, equal ones the same', () => {
    const first = (seed: number, stream?: number): number => new Random(seed, stream).bits();
    expect(new Set([first(1), first(2), first(1, 1), first(2 ** 32 + 1), first(-1)]).size).toBe(5);
    expect(first(7, 2)).toBe(first(7, 2));
  });

  test('every bit is set half the time', () => {
    const random = new Random(2);
    const counts = new Array<number>(32).fill(0);
    const draws = times(20000, () => random.bits());
    for (const bits of draws) for (let i = 0; i < 32; i++) counts[i]! += (bits >>> i) & 1;
    for (const count of counts) expect(Math.abs(count - 10000) / Math.sqrt(5000)).toBeLessThan(4.5);
  });
});

describe('distributions', () => {
  test('uniform fills its interval, each tenth alike', () => {
    const random = new Random(3);
    const draws = times(50000, () => random.uniform(-2, 3));
    expect(Math.min(...draws)).toBeGreaterThanOrEqual(-2);
    expect(Math.max(...draws)).toBeLessThan(3);
    const counts = new Array<number>(10).fill(0);
    for (const draw of draws) counts[Math.floor((draw + 2) * 2)]! += 1;
    const chiSquared = counts.reduce((sum, count) => sum + (count - 5000) ** 2 / 5000, 0);
    expect(chiSquared).toBeLessThan(27.9); // 9 degrees of freedom, 0.1 %
  });

  test('normal follows Φ (Kolmogorov and Smirnov)', () => {
    const random = new Random(4);
    const draws = times(20000, () => random.normal()).sort((x, y) => x - y);
    const distance = Math.max(
      ...draws.map((draw, i) =>
        Math.max(Math.abs(normalCdf(draw) - i / 20000), Math.abs(normalCdf(draw) - (i + 1) / 20000)),
      ),
    );
    expect(distance * Math.sqrt(20000)).toBeLessThan(1.95); // 0.1 %
    expect(variance(draws)).toBeCloseTo(1, 1);
  });

  test('normal is the polar method to the last digits, whatever the engine’s logarithm', () => {
    const random = new Random(6);
    const same = new Random(6);
    const polar = (): number => {
      for (;;) {
        const [x, y] = [same.uniform(-1, 1), same.uniform(-1, 1)];
        const s = x * x + y * y;
        if (s > 0 && s < 1) return x * Math.sqrt((-2 * Math.log(s)) / s);
      }
    };
    for (let i = 0; i < 2000; i++) {
      const expected = polar();
      expect(Math.abs(random.normal() - expected)).toBeLessThanOrEqual(2e-15 * Math.abs(expected));
    }
  });

  test('integer gives each number alike, where 2³² does not divide', () => {
    const random = new Random(5);
    // With a modulo of 32 bits the lower half of 3·2³⁰ numbers would come twice as often.
    const lower = times(8000, () => random.integer(3 * 2 ** 30)).filter((n) => n < 2 ** 30).length;
    expect(Math.abs(lower - 8000 / 3) / Math.sqrt((8000 * 2) / 9)).toBeLessThan(4);
    const draws = times(6000, () => random.integer(6));
    for (let n = 0; n < 6; n++) expect(Math.abs(draws.filter((draw) => draw === n).length - 1000)).toBeLessThan(130);
  });

  test('shuffled gives each of the 24 orders of 4 rows alike', () => {
    const random = new Random(7);
    const counts = new Map<string, number>();
    for (let i = 0; i < 24000; i++) {
      const order = random.shuffled(4).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const chiSquared = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquared).toBeLessThan(49.8); // 23 degrees of freedom, 0.1 %
  });

  test('shuffled keeps the given rows, and leaves its argument alone', () => {
    const rows = Uint32Array.of(9, 4, 7, 7, 1);
    const order = new Random(8).shuffled(rows);
    expect([...rows]).toEqual([9, 4, 7, 7, 1]);
    expect([...order].sort()).toEqual([1, 4, 7, 7, 9]);
    expect(new Random(8).shuffled(0)).toHaveLength(0);
    expect([...new Random(8).shuffled(1)]).toEqual([0]);
  });
});
