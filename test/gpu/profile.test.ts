import { expect, test } from 'vitest';
import { Profile, reduce } from '../../src/gpu/profile.js';

const gather = { kernel: 'gather-rows', label: 'gather 4×2', variant: 'gather-rows' };
const small = { kernel: 'matmul', label: 'matmul NN 4×4×4', variant: 'small' };
const large = { kernel: 'matmul', label: 'matmul NN 4×4×4', variant: 'large' };

const MS = 1_000_000;
/** Timestamps at given milliseconds. */
const at = (...milliseconds: number[]): BigUint64Array =>
  BigUint64Array.from(milliseconds, (value) => BigInt(Math.round(value * MS)));

test('a row for each kernel, label and variant, in order of first appearance: median and sum', () => {
  const taken = [gather, small, gather, large, gather, small];
  const timestamps = at(10, 11, 20, 24, 30, 33, 40, 45, 50, 59, 60, 66);
  expect(reduce(taken, timestamps, 100)).toEqual([
    { ...gather, count: 3, dropped: 0, milliseconds: 3, totalMilliseconds: 13 },
    { ...small, count: 2, dropped: 0, milliseconds: 5, totalMilliseconds: 10 },
    { ...large, count: 1, dropped: 0, milliseconds: 5, totalMilliseconds: 5 },
  ]);
});

const resets: [string, number, number][] = [
  ['ends before it begins', 30, 20],
  ['has no begin', 0, 20],
  ['has no end', 20, 0],
  ['has neither', 0, 0],
  ['is longer than everything', 20, 121],
];
test.for(resets)('a sample is dropped that %s', ([, begin, end]) => {
  const [row] = reduce([gather, gather, gather], at(10, 12, begin, end, 40, 44), 100);
  expect(row).toEqual({ ...gather, count: 3, dropped: 1, milliseconds: 3, totalMilliseconds: 6 });
});

test('if all are dropped there is no time', () => {
  const [row] = reduce([gather], at(20, 10), 100);
  expect(row).toEqual({ ...gather, count: 1, dropped: 1, milliseconds: null, totalMilliseconds: null });
});

test('where a coarse clock sees some take no time, the mean', () => {
  // 0.01 ms each, beginning anywhere in a step of 0.1 ms: one in ten crosses into the next step.
  const timestamps = at(...Array.from({ length: 10 }, (_, i) => [1 + i, i === 3 ? 1.1 + i : 1 + i]).flat());
  const [row] = reduce(new Array(10).fill(gather), timestamps, 100);
  expect(row?.milliseconds).toBeCloseTo(0.01, 9);
  expect(row?.dropped).toBe(0);
});

test('without timestamps everything is counted, and has no time', () => {
  expect(reduce([gather, small, gather], undefined, 100)).toEqual([
    { ...gather, count: 2, dropped: 0, milliseconds: null, totalMilliseconds: null },
    { ...small, count: 1, dropped: 0, milliseconds: null, totalMilliseconds: null },
  ]);
});

test('a profile adds up, and is a table', () => {
  const profile = new Profile(reduce([gather, small, gather, large], at(1, 2, 2, 8, 8, 9, 12, 10), 100));
  expect(profile.totalMilliseconds).toBe(8);
  expect(`${profile}`.split('\n')).toEqual([
    'dispatch         variant      count  ms each  ms in all  share',
    '───────────────  ───────────  ─────  ───────  ─────────  ─────',
    'gather 4×2       gather-rows  2      1.000    2.000      25 %',
    'matmul NN 4×4×4  small        1      6.000    6.000      75 %',
    'matmul NN 4×4×4  large        1      –        –          –',
  ]);
  expect(new Profile(reduce([gather], undefined, 100)).totalMilliseconds).toBeNull();
});
