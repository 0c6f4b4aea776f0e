import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dyingRelu } from '../../examples/dying-relu.js';
import { fashionMnist } from '../../examples/fashion-mnist.js';
import { iris } from '../../examples/iris.js';
import { mnistDropout } from '../../examples/mnist-dropout.js';
import { flowers } from '../../examples/page/catalogue.js';
import { loadFashionMnist, loadMnist } from '../../examples/page/data.js';
import { sine } from '../../examples/sine.js';
import { xor } from '../../examples/xor.js';
import { zeroInitialisation } from '../../examples/zero-initialisation.js';
import type { Dataset, Gpu } from '../../src/index.js';
import { sharedGpu } from '../support/gpu.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await sharedGpu();
});

test('xor: solved with tanh; at chance without activations', async () => {
  const epochs: (string | undefined)[] = [];
  const [curved, straight] = await xor({ gpu, report: (_, what) => epochs.push(what) });
  expect(curved?.accuracy).toBe(1);
  expect(curved?.probabilities.map(Math.round)).toEqual([0, 1, 1, 0]);
  expect(new Set(epochs)).toEqual(new Set(['tanh', 'linear']));
  // The best that a linear map can do is nothing: every corner at ½, hence a loss of ln 2. Its float32 rounds.
  expect(straight?.loss).toBeGreaterThan(Math.LN2 - 1e-6);
  expect(straight?.loss).toBeLessThan(Math.LN2 + 1e-4);
  for (const probability of straight?.probabilities ?? []) expect(Math.abs(probability - 0.5)).toBeLessThan(0.01);
});

test('iris: a mean of at least 95 % over ten seeds', async () => {
  const { lengths, species } = flowers();
  expect([lengths.length, species.length]).toEqual([600, 150]);
  const { testAccuracy, mean } = await iris({ gpu, lengths, species });
  expect(testAccuracy.length).toBe(10);
  // A test has 45 flowers, fifteen of each species.
  for (const share of testAccuracy) expect(share * 45).toBeCloseTo(Math.round(share * 45), 4);
  expect(mean).toBeGreaterThanOrEqual(0.95);
});

test('sine: the error falls with every network that has more units', async () => {
  const { x, target, networks } = await sine({ gpu, epochs: 120 });
  const errors = networks.map(({ error }) => error);
  expect(networks.map(({ units }) => units)).toEqual([2, 4, 8, 32]);
  expect(errors).toEqual(errors.toSorted((a, b) => b - a));
  expect((errors[0] ?? 0) / (errors[3] ?? 1)).toBeGreaterThan(100);
  for (const { y, error } of networks) {
    const squares = x.map((_, i) => ((y[i] ?? 0) - (target[i] ?? 0)) ** 2);
    const mean = squares.reduce((sum, square) => sum + square, 0) / x.length;
    // 256 squares of numbers below 2, each within a few float32 roundings.
    expect(Math.abs(mean - error)).toBeLessThan(1e-6);
  }
});

test('dying relu: every unit is dead and nothing is learned; with leakyRelu none is, and the moons are', async () => {
  const [relu, leaky] = await dyingRelu({ gpu });
  expect(relu?.dead).toBe(16);
  expect(new Set(relu?.below)).toEqual(new Set([16]));
  // Only the output's bias learns: the classes are as many each, and the loss no better than a coin's.
  expect(relu?.loss).toBeGreaterThan(Math.LN2 - 1e-6);
  expect(relu?.accuracy).toBe(0.5);
  expect(leaky?.dead).toBe(0);
  expect(leaky?.below[0]).toBe(16);
  expect(leaky?.below.at(-1)).toBeLessThan(16);
  expect(leaky?.accuracy).toBeGreaterThan(0.97);
});

test('zero initialisation: no first gradient, and hidden units that stay the same to the last bit', async () => {
  const [zeros, random] = await zeroInitialisation({ gpu });
  expect(zeros?.firstGradient).toBe(0);
  expect(zeros?.spread).toBe(0);
  expect(zeros?.accuracy).toBeLessThan(0.93);
  expect(random?.firstGradient).toBeGreaterThan(0);
  expect(random?.spread).toBeGreaterThan(0.1);
  expect(random?.accuracy).toBeGreaterThan(0.98);
});

/** A stratified part of a data set. */
function some(of: Dataset, samples: number): Dataset {
  const [part, rest] = of.split(samples / of.length, { seed: 1, stratify: true });
  rest.dispose();
  return part;
}

describe('on a few images, two epochs long', () => {
  const datasets: Dataset[] = [];
  afterAll(() => {
    for (const dataset of datasets) dataset.dispose();
  });

  test('mnist-dropout', async () => {
    const all = await loadMnist(gpu);
    expect([all.train.length, all.test.length]).toEqual([60_000, 10_000]);
    const [train, held] = [some(all.train, 2000), some(all.test, 500)];
    datasets.push(all.train, all.test, train, held);
    const { testAccuracy, trainAccuracy, loss } = await mnistDropout({ gpu, train, test: held, epochs: 2 });
    expect([loss.length, trainAccuracy.length]).toEqual([2, 2]);
    expect(testAccuracy[1]).toBeGreaterThan(0.8);
    expect(trainAccuracy[1]).toBeGreaterThan(0.7);
  });

  test('fashion-mnist, with each normalisation', async () => {
    const all = await loadFashionMnist(gpu);
    expect([all.train.length, all.test.length]).toEqual([60_000, 10_000]);
    const [train, held] = [some(all.train, 2000), some(all.test, 500)];
    datasets.push(all.train, all.test, train, held);
    const curves = await fashionMnist({ gpu, train, test: held, epochs: 2 });
    expect(curves.map(({ normalization }) => normalization)).toEqual(['unit', 'signed', 'standard']);
    for (const { testAccuracy, normalization } of curves) {
      expect(testAccuracy[1], normalization).toBeGreaterThan(0.65);
    }
  });
});
