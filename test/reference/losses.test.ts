import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/random.js';
import { type Bounded, exact } from './bounded.js';
import { classCounts } from './class-counts.js';
import { elementwiseLoss } from './elementwise-loss.js';
import { scoreCounts } from './score-counts.js';
import { softmaxCrossEntropy } from './softmax-cross-entropy.js';
import { valueSums } from './value-sums.js';

const numbers = (count: number, low: number, high: number, seed: number): Float32Array => {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.uniform(low, high));
};
const matrix = (rows: number, columns: number, values: ArrayLike<number>): Bounded => exact([rows, columns], values);
const mean = (losses: Bounded, rows: number): number => losses.values.reduce((sum, loss) => sum + loss, 0) / rows;

/** The gradient against centred differences of the mean loss, which are off by about h² and 1e-16/h. */
function checkGradient(outputs: Bounded, rows: number, losses: (outputs: Bounded) => Bounded, gradient: Bounded): void {
  const h = 1e-5;
  for (let i = 0; i < outputs.values.length; i++) {
    const moved = (by: number): number => {
      const values = outputs.values.slice();
      values[i] = (values[i] ?? 0) + by;
      return mean(losses({ ...outputs, values }), rows);
    };
    expect(gradient.values[i], `element ${i}`).toBeCloseTo((moved(h) - moved(-h)) / (2 * h), 7);
  }
}

describe('softmaxCrossEntropy', () => {
  const [rows, classes] = [5, 4];
  const logits = matrix(rows, classes, numbers(rows * classes, -3, 3, 1));
  const indices = Uint32Array.of(0, 3, 1, 1, 2);
  const probabilities = Float32Array.from({ length: rows * classes }, (_, i) => (i % classes) / 6);
  const forms = [
    {},
    { labelSmoothing: 0.2 },
    { classWeights: Float32Array.of(1, 0.5, 3, 0) },
    { labelSmoothing: 0.1, classWeights: Float32Array.of(1, 0.5, 3, 2), weights: numbers(rows, 0, 2, 2) },
  ];
  for (const labels of [indices, probabilities]) {
    test.each(forms)(`the gradient of ${labels.constructor.name} with %o is that of the batch's loss`, (form) => {
      const run = (z: Bounded) => softmaxCrossEntropy(z, labels, 4, form);
      checkGradient(logits, 4, (z) => run(z).losses, run(logits).gradient);
    });
  }

  test('by hand: two logits of 0, smoothed and weighted', () => {
    // t = (0.9, 0.1), times the weights 2 and 4: 1.8 + 0.4 times ln 2; the weight of class 0 is the divisor.
    const form = { labelSmoothing: 0.2, classWeights: Float32Array.of(2, 4) };
    const { losses, divisors } = softmaxCrossEntropy(matrix(1, 2, [0, 0]), Uint32Array.of(0), 1, form);
    expect(losses.values[0]).toBeCloseTo((2.2 * Math.LN2) / 2, 7);
    expect(divisors.values[0]).toBe(2);
  });

  test("PyTorch's mean with class weights: Σ w·l / Σ w", () => {
    const form = { classWeights: Float32Array.of(1, 3) };
    const { losses } = softmaxCrossEntropy(matrix(2, 2, [1, 0, 1, 0]), Uint32Array.of(0, 1), 2, form);
    const [right, wrong] = [Math.log(1 + Math.exp(-1)), Math.log(1 + Math.E)];
    expect(mean(losses, 2)).toBeCloseTo((right + 3 * wrong) / 4, 12);
  });
});

describe('elementwiseLoss', () => {
  const [rows, columns] = [4, 3];
  const outputs = matrix(rows, columns, numbers(rows * columns, -3, 3, 1));
  test.each(['binaryCrossEntropy', 'squaredError', 'absoluteError', 'huber', 'logCosh'] as const)(
    "the gradient of %s is that of the batch's loss",
    (name) => {
      const targets = numbers(rows * columns, 0, 1, 3);
      const form = { weights: numbers(rows, 0, 2, 2), positiveWeights: Float32Array.of(1, 2, 0.5), delta: 0.75 };
      const run = (a: Bounded) => elementwiseLoss(name, a, targets, 3, form);
      checkGradient(outputs, 3, (a) => run(a).losses, run(outputs).gradient);
    },
  );

  test.each([
    // −ln σ(2), and twice that for a target of 1 that weighs 2.
    {
      name: 'binaryCrossEntropy',
      a: 2,
      y: 1,
      weight: 2,
      loss: 2 * Math.log(1 + Math.exp(-2)),
      slope: -2 / (1 + Math.E ** 2),
    },
    {
      name: 'binaryCrossEntropy',
      a: 2,
      y: 0,
      weight: 2,
      loss: Math.log(1 + Math.exp(2)),
      slope: 1 / (1 + Math.exp(-2)),
    },
    { name: 'squaredError', a: 2, y: 5, weight: 1, loss: 9, slope: -6 },
    { name: 'absoluteError', a: 2, y: 5, weight: 1, loss: 3, slope: -1 },
    { name: 'absoluteError', a: 5, y: 5, weight: 1, loss: 0, slope: 0 },
    { name: 'huber', a: 2, y: 2.5, weight: 1, loss: 0.125, slope: -0.5 },
    { name: 'huber', a: 5, y: 2, weight: 1, loss: 2.5, slope: 1 },
    { name: 'logCosh', a: 2, y: 2.5, weight: 1, loss: Math.log(Math.cosh(0.5)), slope: -(Math.E - 1) / (Math.E + 1) },
    { name: 'logCosh', a: 5, y: 2, weight: 1, loss: Math.log(Math.cosh(3)), slope: Math.tanh(3) },
  ] as const)('by hand: $name of $a and $y', ({ name, a, y, weight, loss, slope }) => {
    const form = { positiveWeights: Float32Array.of(weight) };
    const found = elementwiseLoss(name, matrix(1, 1, [a]), Float32Array.of(y), 1, form);
    expect(found.losses.values[0]).toBeCloseTo(loss, 12);
    expect(found.gradient.values[0]).toBeCloseTo(slope, 12);
  });
});

test('classCounts by hand', () => {
  const outputs = matrix(3, 3, [1, 2, 2, 0, 5, 1, 3, 1, 2]);
  const labels = Uint32Array.of(2, 1, 2);
  expect([...classCounts(outputs, labels)]).toEqual([0, 0, 0, 0, 1, 0, 1, 1, 0]);
  expect([1, 2].map((topK) => classCounts(outputs, labels, 3, { topK })[0])).toEqual([1, 3]);
});

test('scoreCounts by hand', () => {
  // Bins of 8: 0 is at 4, ±8/3 at 4 ± 1, ±8 at 4 ± 2.
  const two = matrix(3, 2, [0, 0.1, 5, 2, -3, 6]);
  expect(scoreCounts(two, Uint32Array.of(1, 0, 1), 8)).toEqual({
    counts: Uint32Array.of(0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0),
    doubtful: 0,
  });
  // −1, −1.5 and 3 as logits of two classes of their own, and one row that does not count.
  const own = scoreCounts(matrix(2, 2, [-1, 3, 9, 9]), Float32Array.of(0.4, 0.5, 1, 1), 8, 1, { logistic: true });
  expect([...own.counts.keys()].filter((i) => own.counts[i] === 1)).toEqual([3, 16 + 8 + 5]);
  // Of equal logits each class has odds of 1/2: −ln 2 is in bin 3.
  const equal = scoreCounts(matrix(1, 3, [7, 7, 7]), Uint32Array.of(2), 8);
  expect([...equal.counts.keys()].filter((i) => equal.counts[i] === 1)).toEqual([3, 16 + 3, 32 + 8 + 3]);
});

test('valueSums by hand', () => {
  const sums = valueSums(matrix(3, 1, [1, 2, 5]), Float32Array.of(2, 2, 4), 2, 3, (_, slot) => 2 + slot);
  expect([...sums.values]).toEqual([2, 2, 2, 4, 2, 2, 1, 3, -1, 1, 0, 0]);
});
