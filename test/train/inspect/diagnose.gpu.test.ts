import { expect, test } from 'vitest';
import {
  batchNorm,
  Dataset,
  dense,
  dropout,
  type Histogram,
  Mlp,
  residual,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
} from '../../../src/index.js';
import { exact } from '../../reference/bounded.js';
import * as reference from '../../reference/mlp.js';
import { settledBytes, sharedGpu } from '../../support/gpu.js';
import { clusters, hashOf, type Network, referenceLayers } from '../../support/problems.js';

const network: Network = { inputs: 5, units: [9, 6, 3], activations: ['relu', 'tanh'] };
const COUNT = 37;
const BATCH = 8;

async function start(): Promise<{ model: Mlp; trainer: Trainer; data: ReturnType<typeof clusters>; dataset: Dataset }> {
  const gpu = await sharedGpu();
  const { inputs, units } = network;
  const layers = [dense(9, 'relu'), dense(6, 'tanh'), dense(3)];
  const model = await Mlp.create(gpu, { inputs, layers, seed: 2 });
  const trainer = await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0.1 }),
    batchSize: BATCH,
  });
  const data = clusters(COUNT, inputs, units.at(-1) ?? 1);
  return {
    model,
    trainer,
    data,
    dataset: Dataset.create(gpu, { inputs: data.inputs, features: inputs, classes: data.labels }),
  };
}

const total = ({ counts }: Histogram): number => counts.reduce((sum, count) => sum + count, 0);

test('a diagnosis is that of the float64 reference, and changes nothing', async () => {
  const gpu = await sharedGpu();
  const usedBytes = await settledBytes(gpu);
  const { model, trainer, data, dataset } = await start();
  // Two units that no sample wakes, and one that is alive.
  const weights = await model.weights();
  const [first, bias] = weights;
  for (const unit of [2, 7]) {
    for (let input = 0; input < network.inputs; input++) first?.data.fill(0, input * 9 + unit, input * 9 + unit + 1);
    bias?.data.fill(-1, unit, unit + 1);
  }
  model.setWeights(weights);
  const before = await hashOf(model);
  const diagnosis = await trainer.diagnose(dataset, { bins: 16, worst: 5 });
  expect(await hashOf(model)).toBe(before);

  const layers = referenceLayers(weights, network);
  const { inputs } = network;
  const traces = reference.forward(layers, exact([COUNT, inputs], data.inputs));
  const losses: number[] = [];
  const norms: number[] = [];
  for (let row = 0; row < COUNT; row++) {
    const X = exact([1, inputs], data.inputs.subarray(row * inputs, (row + 1) * inputs));
    const { loss } = reference.lossAndGradients(layers, { X, labels: data.labels.subarray(row, row + 1) });
    losses.push(loss.values[0] ?? 0);
  }
  for (let row = 0; row < COUNT; row += BATCH) {
    const rows = Math.min(BATCH, COUNT - row);
    const X = exact([rows, inputs], data.inputs.subarray(row * inputs, (row + rows) * inputs));
    const { gradients } = reference.lossAndGradients(layers, { X, labels: data.labels.subarray(row, row + rows) });
    norms.push(Math.hypot(...gradients.flatMap(({ W, b }) => [...W.values, ...b.values])));
  }
  expect(diagnosis.loss).toBeCloseTo(losses.reduce((sum, loss) => sum + loss, 0) / COUNT, 5);
  expect(diagnosis.gradientNorm.mean).toBeCloseTo(norms.reduce((sum, norm) => sum + norm, 0) / norms.length, 5);
  expect(diagnosis.gradientNorm.largest).toBeCloseTo(Math.max(...norms), 5);
  const worst = [...losses.keys()].sort((a, b) => (losses[b] ?? 0) - (losses[a] ?? 0)).slice(0, 5);
  expect(diagnosis.worst.map(({ index }) => index)).toEqual(worst);
  for (const { index, loss } of diagnosis.worst) expect(loss).toBeCloseTo(losses[index] ?? 0, 5);

  expect(diagnosis.layers.map(({ deadUnits }) => deadUnits)).toEqual([[2, 7], [], []]);
  for (const [layer, { type, units, activations, gradients }] of diagnosis.layers.entries()) {
    const values = [...(traces[layer]?.Y.values ?? [])];
    expect(type).toBe('dense');
    expect(units).toBe(network.units[layer]);
    expect(activations.low).toBeCloseTo(Math.min(...values), 5);
    expect(activations.high).toBeCloseTo(Math.max(...values), 5);
    expect(activations.counts).toHaveLength(16);
    expect(total(activations)).toBe(COUNT * units);
    const below = values.filter((value) => value < (activations.low + activations.high) / 2).length;
    expect(activations.counts.slice(0, 8).reduce((sum, count) => sum + count, 0)).toBe(below);
    const parameters = (layers[layer]?.W.values.length ?? 0) + units;
    expect(total(gradients ?? activations)).toBe(Math.ceil(COUNT / BATCH) * parameters);
  }
  expect(String(diagnosis)).toContain('2 of 9');
  dataset.dispose();
  model.dispose();
  expect(await settledBytes(gpu), 'nothing is left behind').toBe(usedBytes);
});

test('a slice of the loss surface has the loss in its middle, and the loss of moved weights elsewhere', async () => {
  const { model, trainer, dataset } = await start();
  const before = await hashOf(model);
  const weights = await model.weights();
  const here = (await trainer.evaluate(dataset)).loss;
  const { x, y, loss } = await trainer.lossSurface(dataset, { points: 3, radius: 0.5, seed: 4 });
  expect(await hashOf(model)).toBe(before);
  expect(x).toEqual([-0.5, 0, 0.5]);
  expect(y).toEqual(x);
  expect(loss.map((row) => row.length)).toEqual([3, 3, 3]);
  expect(loss[1]?.[1]).toBe(here);
  expect(new Set(loss.flat()).size).toBe(9);
  // Every unit's weights move as far as they are long: with radius 0 not at all.
  const flat = await trainer.lossSurface(dataset, { points: 2, radius: 0 });
  expect(flat.loss.flat()).toEqual([here, here, here, here]);
  // The same seed gives the same slice; weights twice as long give directions twice as long.
  expect(await trainer.lossSurface(dataset, { points: 3, radius: 0.5, seed: 4 })).toEqual({ x, y, loss });
  for (const { shape, data } of weights) if (shape.length === 2) data.fill(0);
  model.setWeights(weights);
  const zero = (await trainer.evaluate(dataset)).loss;
  const still = await trainer.lossSurface(dataset, { points: 2, radius: 1 });
  expect(still.loss.flat()).toEqual([zero, zero, zero, zero]);
  dataset.dispose();
  model.dispose();
});

test('an aborted slice leaves the parameters as they were', async () => {
  const { model, trainer, dataset } = await start();
  const before = await hashOf(model);
  const controller = new AbortController();
  const slice = trainer.lossSurface(dataset, { points: 21, signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  await expect(slice).rejects.toMatchObject({ name: 'AbortError' });
  expect(await hashOf(model)).toBe(before);
  expect(await trainer.evaluate(dataset)).toHaveProperty('loss');
  dataset.dispose();
  model.dispose();
});

test('while the parameters are elsewhere, nobody reads or writes them', async () => {
  const { model, trainer, data, dataset } = await start();
  const before = await hashOf(model);
  const [weights, file] = await Promise.all([model.weights(), model.save()]);
  const controller = new AbortController();
  const surface = trainer.lossSurface(dataset, { points: 101, signal: controller.signal });
  const uses: readonly (() => Promise<unknown>)[] = [
    async () => await model.weights(),
    async () => await model.save(),
    async () => await model.predict(data.inputs),
    async () => model.setWeights(weights),
    async () => await model.loadWeights(file),
    async () => await trainer.evaluate(dataset),
  ];
  const refused = { code: 'busy', message: expect.stringContaining('lossSurface is running') };
  await Promise.all(uses.map(async (use) => await expect(use()).rejects.toMatchObject(refused)));
  controller.abort();
  await expect(surface).rejects.toMatchObject({ name: 'AbortError' });
  expect(await hashOf(model)).toBe(before);
  const check = trainer.checkGradients(data.inputs.subarray(0, network.inputs), data.labels.subarray(0, 1));
  await expect(model.save()).rejects.toThrow('checkGradients is running');
  await check;
  // A diagnosis leaves them where they are.
  const diagnosis = trainer.diagnose(dataset);
  expect(await model.save()).toEqual(file);
  await diagnosis;
  dataset.dispose();
  model.dispose();
});

test('options out of range are refused', async () => {
  const { model, trainer, dataset } = await start();
  await expect(trainer.diagnose(dataset, { bins: 0 })).rejects.toThrow('bins = 0');
  await expect(trainer.lossSurface(dataset, { points: 1.5 })).rejects.toThrow('points = 1.5');
  await expect(trainer.lossSurface(dataset, { radius: 1e39 })).rejects.toThrow('radius = 1e+39');
  await expect(trainer.lossSurface(dataset, { seed: -1 })).rejects.toMatchObject({ code: 'bad-seed' });
  dataset.dispose();
  model.dispose();
});

test('layers in layers, running statistics and dropout: each is looked at, and nothing changes', async () => {
  const gpu = await sharedGpu();
  const layers = [
    dense(6, 'relu'),
    batchNorm(),
    residual([dense(7, 'tanh'), dropout(0.5), dense(6)]),
    dropout(0.2),
    dense(3),
  ];
  using model = await Mlp.create(gpu, { inputs: 5, layers, seed: 6 });
  const optimizer = sgd({ learningRate: 0.1 });
  using trainer = await model.trainer({ loss: softmaxCrossEntropy(), optimizer, batchSize: BATCH });
  const { inputs, labels } = clusters(COUNT, 5, 3);
  using all = Dataset.create(gpu, { inputs, features: 5, classes: labels });
  const [part, rest] = all.split(0.5, { seed: 1 });
  const before = await hashOf(model);
  const { layers: found, worst } = await trainer.diagnose(part, { worst: 3 });
  expect(await hashOf(model)).toBe(before);
  expect(found.map(({ type, units }) => `${type} ${units}`)).toEqual([
    'dense 6',
    'batchNorm 6',
    'residual 6',
    'dropout 6',
    'dense 3',
  ]);
  const steps = Math.ceil(part.length / BATCH);
  const counted = found.map(({ gradients }) => (gradients === undefined ? 0 : total(gradients) / steps));
  expect(counted).toEqual([36, 12, 49 + 48, 0, 21]);
  // Samples are named by their place in the arrays, not in the part.
  for (const { index } of worst) expect([...part.rows]).toContain(index);
  for (const dataset of [part, rest]) dataset.dispose();
});

test('a streamed data set is refused', async () => {
  const { model, trainer, data, dataset } = await start();
  using streamed = Dataset.create(await sharedGpu(), {
    inputs: data.inputs,
    features: network.inputs,
    classes: data.labels,
    chunk: 16,
  });
  await expect(trainer.diagnose(streamed)).rejects.toThrow('streamed');
  dataset.dispose();
  model.dispose();
});
