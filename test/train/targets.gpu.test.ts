import { expect, test } from 'vitest';
import { Owner } from '../../src/base/owner.js';
import { Random } from '../../src/base/random.js';
import {
  Dataset,
  dense,
  type History,
  type Metric,
  Mlp,
  mae,
  meanSquaredError,
  r2,
  sgd,
  Tensor,
} from '../../src/index.js';
import type { Model } from '../../src/model/model.js';
import { TargetScaling } from '../../src/train/targets.js';
import { sharedGpu } from '../support/gpu.js';
import { hashOf } from '../support/problems.js';

const [SAMPLES, FEATURES, BATCH, EPOCHS, RATE] = [48, 2, 16, 4, 0.125];
const random = new Random(3);
const inputs = Float32Array.from({ length: SAMPLES * FEATURES }, () => random.normal());
/** A linear function with noise, near 17,000 with a deviation of about 101. */
const targets = Float32Array.from({ length: SAMPLES }, (_, row) => {
  const [a = 0, b = 0] = inputs.subarray(2 * row, 2 * row + 2);
  return 17_000 + 90 * a - 40 * b + 20 * random.normal();
});
const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const mean = average([...targets]);
const std = Math.sqrt(average([...targets].map((y) => (y - mean) ** 2)));

type Trained = { readonly model: Mlp; readonly history: History<Metric<'mae'> | Metric<'r2'>> };

async function train(data: Dataset, scaling?: 'standardize'): Promise<Trained> {
  const model = await Mlp.create(data.device, {
    inputs: FEATURES,
    layers: [dense(1)],
    seed: 2,
    ...(scaling && { targets: scaling }),
  });
  const loss = meanSquaredError();
  using trainer = await model.trainer({
    loss,
    optimizer: sgd({ learningRate: RATE }),
    batchSize: BATCH,
    metrics: [mae(), r2()],
  });
  return { model, history: await trainer.fit(data, { epochs: EPOCHS, validation: data }) };
}

test('values near 17,000 with deviation 101 train as unit ones do, and are predicted in their units', async () => {
  const gpu = await sharedGpu();
  using data = Dataset.create(gpu, { inputs, features: FEATURES, targets });
  const large = await train(data, 'standardize');
  const scale = large.model.spec.targets as { mean: number[]; std: number[] };
  // Moments of 3 slices in f32, of differences from the mean: 20 roundings of u = 2⁻²³, and 1 of the result.
  expect(Math.abs((scale.mean[0] ?? 0) - mean)).toBeLessThan(20 * 2 ** -23 * std + 2 ** -24 * mean);
  expect(Math.abs((scale.std[0] ?? 0) - std)).toBeLessThan(21 * 2 ** -23 * std);

  const [m = 0, s = 1] = [scale.mean[0], scale.std[0]];
  const unit = Float32Array.from(targets, (y) => (y - m) / s);
  using standard = Dataset.create(gpu, { inputs, features: FEATURES, targets: unit });
  const small = await train(standard);

  // Both trainings run the same kernels on targets that differ by 2 roundings. The model is linear and the learning rate
  // below the inverse of the largest curvature, so that a step moves the difference of the parameters by no more than
  // what it adds: per sample, RATE · 2|x| · e, with e of 8 roundings (target, 3 of the output, error, gradient, sum, update).
  const largest = (values: Iterable<number>): number => Math.max(...[...values].map(Math.abs));
  const reach = 1 + FEATURES * largest(inputs);
  const e = 8 * 2 ** -23 * reach * (1 + largest(unit));
  const steps = (EPOCHS * SAMPLES) / BATCH;
  const difference = e + reach * steps * RATE * 2 * reach * e;
  const worst = largest(unit) + reach;
  for (const [epoch, { loss, mae: error, r2: share, validation }] of large.history.entries()) {
    const other = small.history[epoch];
    expect(Math.abs(loss - (other?.loss ?? 0))).toBeLessThan(2 * worst * difference);
    expect(Math.abs(error - s * (other?.mae ?? 0))).toBeLessThan(s * difference);
    expect(Math.abs(share - (other?.r2 ?? 0))).toBeLessThan(2 * worst * difference);
    expect(Math.abs((validation?.mae ?? 0) - s * (other?.validation?.mae ?? 0))).toBeLessThan(s * difference);
  }
  // It has learned: a loss of 1 is that of the mean.
  expect(large.history.at(-1)?.loss).toBeLessThan(0.3);

  const predicted = await large.model.predict(inputs);
  const standardized = await small.model.predict(inputs);
  for (const [row, value] of predicted.entries()) {
    const expected = (standardized[row] ?? 0) * s + m;
    expect(Math.abs(value - expected)).toBeLessThan(s * difference + 2 ** -24 * 2 * m);
  }
  const again = await Mlp.load(gpu, await large.model.save());
  expect(again.spec).toEqual(large.model.spec);
  expect(await again.predict(inputs)).toEqual(predicted);

  // A stream is standardized on the host, a data set on the GPU: the same bits.
  using streamed = Dataset.create(gpu, { inputs, features: FEATURES, targets, chunk: BATCH });
  expect(await hashOf((await train(streamed, 'standardize')).model)).toBe(await hashOf(large.model));
});

test('the GPU and the host compute the same bits, of many rows, several targets and their weights', async () => {
  const gpu = await sharedGpu();
  const words = 3;
  const values = Float32Array.from({ length: 65_480 * words }, (_, i) =>
    i % words === 2 ? i % 5 : 1e6 + 7 * random.normal(),
  );
  const spec = { targets: { mean: [1e6, 999_990], std: [Math.fround(7.1), Math.fround(0.3)] } };
  const scaling = new TargetScaling({ device: gpu, spec } as unknown as Model);
  const owner = new Owner();
  using labels = Tensor.from(gpu, values, [65_480, words]);
  const result = scaling.onDevice('fit', labels, owner);
  const onHost = scaling.onHost('fit', values, words);
  expect(await result.read()).toEqual(onHost);
  const first = (values[0] ?? 0) - 1e6;
  expect(Math.abs((onHost[0] ?? 0) - first / 7.1)).toBeLessThan(3 * 2 ** -24 * Math.abs(first / 7.1));
  expect(onHost[65_479 * words + 2]).toBe((65_479 * words + 2) % 5);
  owner.dispose();
});

test('statistics of targets: of a split, without the weights, and of a stream; classes have none', async () => {
  const gpu = await sharedGpu();
  const options = {
    inputs: new Uint8Array(4),
    features: 1,
    targets: [1, 10, 2, 10, 3, 10, 4, 10],
    weights: [9, 9, 9, 0],
  };
  using data = Dataset.create(gpu, options);
  const expected = { mean: [2.5, 10], std: [Math.sqrt(1.25), 1] };
  expect(await data.targetStatistics()).toEqual(expected);
  using streamed = Dataset.create(gpu, { ...options, chunk: 3 });
  expect(await streamed.targetStatistics()).toEqual(expected);
  const [part] = data.split(0.5);
  const [a = 0, b = 0] = [...part.rows].map((row) => row + 1);
  expect((await part.targetStatistics()).mean).toEqual([(a + b) / 2, 10]);
  using classes = Dataset.create(gpu, { inputs: [1, 2], features: 1, classes: [0, 1] });
  await expect(classes.targetStatistics()).rejects.toThrow('targetStatistics: the labels are classes, not targets.');
});
