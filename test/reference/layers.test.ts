import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/random.js';
import { batchNorm, batchNormBackward, batchNormRunning, updateRunning } from './batch-norm.js';
import { type Bounded, exact } from './bounded.js';
import { keptElements } from './dropout.js';
import { layerNorm, layerNormBackward } from './layer-norm.js';
import { inverseSqrt, minus, over, plus, product, type Scalar, sum } from './scalar.js';

const epsilon = 1e-5;
/** Numbers that are not rounded to float32. */
const matrix = (shape: readonly [number, number], values: ArrayLike<number>): Bounded => ({
  shape,
  values: Float64Array.from(values),
  bound: new Float64Array(values.length),
});
const random = (rows: number, columns: number, seed: number): Bounded => {
  const generator = new Random(seed);
  return matrix(
    [rows, columns],
    Array.from({ length: rows * columns }, () => generator.normal()),
  );
};
const dot = (A: Bounded, B: Bounded): number => A.values.reduce((total, a, i) => total + a * (B.values[i] ?? 0), 0);

/** Compares a gradient of ⟨f(A), G⟩ with centred differences. */
function expectGradient(A: Bounded, gradient: Bounded, f: (A: Bounded) => number): void {
  for (let i = 0; i < A.values.length; i++) {
    const moved = (h: number): number =>
      f(
        matrix(
          A.shape,
          A.values.map((a, k) => (k === i ? a + h : a)),
        ),
      );
    const slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
    expect(Math.abs(slope - (gradient.values[i] ?? Number.NaN)), `element ${i}`).toBeLessThan(1e-6);
  }
}

describe('batch-norm', () => {
  test("PyTorch's BatchNorm1d on 1, 2, 3, 4", () => {
    const X = exact([4, 1], [1, 2, 3, 4]);
    const { Y, unbiased } = batchNorm(X, { epsilon });
    expect([...Y.values].map((y) => y.toFixed(4))).toEqual(['-1.3416', '-0.4472', '0.4472', '1.3416']);
    const running = updateRunning(exact([2, 1], [0, 1]), unbiased, 0.1);
    // 0.9·0 + 0.1·2.5 and 0.9·1 + 0.1·5/3
    expect(running.values[0]).toBeCloseTo(0.25, 12);
    expect(running.values[1]).toBeCloseTo(0.9 + 1 / 6, 12);
    expect(batchNormRunning(X, exact([2, 1], [2, 4]), { epsilon }).values[3]).toBeCloseTo(1, 5);
  });

  test.each([5, 3, 1])('gradients are those of centred differences, %i rows of 5', (rows) => {
    const [X, G, parameters] = [random(5, 3, 1), random(5, 3, 2), random(2, 3, 3)];
    const counted = matrix(
      [5, 3],
      G.values.map((g, i) => (i < 3 * rows ? g : 0)),
    );
    const { statistics } = batchNorm(X, { epsilon, rows });
    const { dX, gradients } = batchNormBackward(X, counted, statistics, { rows, parameters });
    expectGradient(X, dX, (A) => dot(batchNorm(A, { epsilon, rows, parameters }).Y, counted));
    expectGradient(parameters, gradients, (A) => dot(batchNorm(X, { epsilon, rows, parameters: A }).Y, counted));
  });
});

test('layer-norm: gradients are those of centred differences', () => {
  const [X, G, parameters] = [random(4, 5, 1), random(4, 5, 2), random(2, 5, 3)];
  const { statistics } = layerNorm(X, { epsilon, parameters });
  const { dX, gradients } = layerNormBackward(X, G, statistics, { parameters });
  expectGradient(X, dX, (A) => dot(layerNorm(A, { epsilon, parameters }).Y, G));
  expectGradient(parameters, gradients, (A) => dot(layerNorm(X, { epsilon, parameters: A }).Y, G));
});

test('dropout at rate 0 keeps everything, and its masks depend on seed, stream and step', () => {
  const stream = { rate: 0.5, seed: 1, stream: 0, index: 0 };
  expect(keptElements(100, { ...stream, rate: 0 }).every(Boolean)).toBe(true);
  const mask = keptElements(100, stream);
  expect(keptElements(99, stream)).toEqual(mask.slice(0, 99));
  for (const change of [{ seed: 2 }, { seed: 1 + 2 ** 32 }, { stream: 1 }, { index: 1 }]) {
    expect(keptElements(100, { ...stream, ...change })).not.toEqual(mask);
  }
});

/** The operations in float32, rounded to nearest, are within the bounds, with operands anywhere within theirs. */
test('the bounds of rounding hold for float32', () => {
  const generator = new Random(1);
  const f = Math.fround;
  for (let i = 0; i < 2000; i++) {
    const [a, b, c] = [0, 1, 2].map(() => f(4 * generator.normal())) as [number, number, number];
    const doubt = (x: number): Scalar => ({ value: x, bound: 1e-4 });
    const inside = (x: number): number => f(x + generator.uniform(-1e-4, 1e-4) * 0.99);
    const within = (actual: number, { value, bound }: Scalar): void =>
      expect(Math.abs(actual - value)).toBeLessThanOrEqual(bound);
    within(f(inside(a) + inside(b)), plus(doubt(a), doubt(b)));
    within(f(inside(a) - inside(b)), minus(doubt(a), doubt(b)));
    within(f(inside(a) * inside(b)), product(doubt(a), doubt(b)));
    within(f(inside(a) / 7), over(doubt(a), 7));
    within(f(f(inside(a) + inside(b)) + inside(c)), sum([doubt(a), doubt(b), doubt(c)]));
    within(f(1 / Math.sqrt(inside(Math.abs(a) + 0.01))), inverseSqrt(doubt(Math.abs(a) + 0.01)));
  }
});
