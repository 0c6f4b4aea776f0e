import { describe, expect, test } from 'vitest';
import type { Case, Contender, Result } from '../../bench/case.js';
import { judged, resultOf, withRatios } from '../../bench/judge.js';

const product: Case = { name: 'matmul', group: 'kernel', flops: 4e6, bytes: 2e6, prepare: async () => [] };
const contender = (name: string, more: Partial<Contender> = {}): Contender => ({
  name,
  run: async () => {},
  dispose: () => {},
  ...more,
});

const figure = (name: string, contenderName: string, value: number, unit: string, bytes?: number): Result => ({
  case: name,
  group: 'adapter',
  contender: contenderName,
  samples: [1],
  median: 1,
  p25: 1,
  p75: 1,
  value,
  unit,
  ...(bytes === undefined ? {} : { bytes }),
});

/** 40 GFLOP/s; 1 GB/s beyond the cache and 4 within; 20 µs a dispatch. */
const yardsticks: readonly Result[] = [
  figure('adapter FMA peak', 'f32 × 2', 10, 'GFLOP/s'),
  figure('adapter FMA peak', 'vec4f × 2', 40, 'GFLOP/s'),
  figure('adapter parallel width', '8 workgroups', 99, 'GFLOP/s'),
  figure('adapter copy bandwidth', '256 MiB', 1, 'GB/s', 2 ** 28),
  figure('adapter copy bandwidth', '1 MiB', 4, 'GB/s', 2 ** 20),
  figure('adapter launch', 'dependent dispatch', 20, 'µs'),
];

describe('a result', () => {
  test('has median, quartiles and rates', () => {
    const made = contender('A', { compileMs: 7, dispatches: 1, chosen: true, gpuBytes: 64 });
    expect(resultOf(product, made, { samples: [4, 1, 2, 8, 3] })).toEqual({
      case: 'matmul',
      group: 'kernel',
      contender: 'A',
      samples: [4, 1, 2, 8, 3],
      median: 3,
      p25: 2,
      p75: 4,
      flops: 4e6,
      bytes: 2e6,
      gflops: 4e6 / 3e6,
      gbps: 2e6 / 3e6,
      compileMs: 7,
      dispatches: 1,
      gpuBytes: 64,
      chosen: true,
    });
  });

  test("takes a contender's own operations, and gives the adapter's figure", () => {
    const peak: Case = {
      name: 'peak',
      group: 'adapter',
      figure: { unit: 'GFLOP/s', value: (median, { flops = 0 }) => flops / median },
      prepare: async () => [],
    };
    const result = resultOf(peak, contender('A', { flops: 12 }), { samples: [4] });
    expect(result).toMatchObject({ flops: 12, value: 3, unit: 'GFLOP/s' });
  });

  test('of one that failed has nothing but the reason', () => {
    const { error, samples, gflops } = resultOf(product, contender('A'), { error: 'No.' });
    expect({ error, samples, gflops }).toEqual({ error: 'No.', samples: [], gflops: undefined });
  });
});

describe('ratios', () => {
  const results = ['A', 'B', 'C'].map((name, i) => resultOf(product, contender(name), { samples: [2 ** (i + 1)] }));

  test('are above 1 where the rival is slower', () => {
    expect(withRatios(product, results).map(({ ratio }) => ratio)).toEqual([
      { B: 2, C: 4 },
      { A: 0.5, C: 2 },
      { A: 0.25, B: 0.5 },
    ]);
  });

  test('leave out who failed, and who is alone', () => {
    const [A = product as never] = results;
    const failed = resultOf(product, contender('B'), { error: 'No.' });
    expect(withRatios(product, [A, failed])).toEqual([A, failed]);
  });
});

describe('the bound', () => {
  const judge = (flops: number, bytes: number, dispatches: number, milliseconds: number): Result =>
    judged(
      resultOf({ ...product, flops, bytes }, contender('A', { dispatches }), { samples: [milliseconds] }),
      product,
      yardsticks,
    );

  test.each([
    // 8e7 / 40 GFLOP/s = 2 ms
    ['compute', 8e7, 4e6, 1, 8, 2 / 8],
    // 4e6 bytes are nearer to 1 MiB, at 4 GB/s: 1 ms
    ['memory', 4e6, 4e6, 1, 2, 1 / 2],
    // 4e8 bytes are nearer to 256 MiB, at 1 GB/s: 400 ms
    ['memory', 4e6, 4e8, 1, 500, 400 / 500],
    // 100 dispatches of 20 µs: 2 ms
    ['launch', 4e6, 4e5, 100, 5, 2 / 5],
  ])('is %s for %d FLOPs, %d bytes and %d dispatches', (bound, flops, bytes, dispatches, milliseconds, share) => {
    const result = judge(flops, bytes, dispatches, milliseconds);
    expect(result.bound).toBe(bound);
    expect(result.shareOfPeak).toBeCloseTo(share, 12);
  });

  test('is not told without yardsticks, nor for what failed', () => {
    const result = resultOf(product, contender('A'), { samples: [1] });
    expect(judged(result, product, [])).toBe(result);
    const failed = resultOf(product, contender('A'), { error: 'No.' });
    expect(judged(failed, product, yardsticks)).toBe(failed);
  });
});
