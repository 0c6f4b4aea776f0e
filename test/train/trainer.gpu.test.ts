import { expect, test, vi } from 'vitest';
import {
  accuracy,
  Dataset,
  dense,
  type Gpu,
  type Metric,
  Mlp,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
} from '../../src/index.js';
import { exact } from '../reference/bounded.js';
import * as reference from '../reference/mlp.js';
import { outsideOfBounds } from '../support/bounds.js';
import { sharedGpu } from '../support/gpu.js';
import { clusters, hashOf, layersOf, type Network, referenceLayers } from '../support/problems.js';
import { steady } from '../support/steady.js';

async function trainerFor(
  model: Mlp,
  batchSize: number,
  options: { learningRate?: number; momentum?: number } = {},
): Promise<Trainer<Metric<'accuracy'>>> {
  const { learningRate = 0.1, momentum = 0 } = options;
  return await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate, momentum }),
    metrics: [accuracy()],
    batchSize,
  });
}

// Kinks are for the small ones: a pre-activation that rounding can move across one leaves the worst-case bound no hold.
const networks: (Network & { batch: number })[] = [
  { inputs: 1, units: [2], activations: ['linear'], batch: 1 },
  { inputs: 2, units: [4, 2], activations: ['tanh'], batch: 4 },
  { inputs: 7, units: [13, 5], activations: ['relu'], batch: 9 },
  { inputs: 20, units: [17, 33, 10], activations: ['gelu', 'softplus'], batch: 32 },
  { inputs: 64, units: [48, 24, 12, 7], activations: ['tanh', 'swish', 'sigmoid'], batch: 130 },
];

test.for(networks)(
  'three steps of $inputs-$units at batch $batch give the weights of the float64 reference',
  async (network) => {
    const gpu = await sharedGpu();
    const { inputs, units, batch } = network;
    const classes = units.at(-1) ?? 1;
    using model = await Mlp.create(gpu, { inputs, layers: layersOf(network), seed: 3 });
    using trainer = await trainerFor(model, batch, { learningRate: 0.05, momentum: 0.9 });
    const start = referenceLayers(await model.weights(), network);
    const steps = [1, 2, 3].map((seed) => clusters(batch, inputs, classes, seed));
    const batches = steps.map((step) => ({ X: exact([batch, inputs], step.inputs), labels: step.labels }));
    const expected = reference.train(start, batches, { learningRate: 0.05, momentum: 0.9 });
    const twoSteps = reference.train(start, batches.slice(0, 2), { learningRate: 0.05, momentum: 0.9 });
    for (const [number, step] of steps.entries()) {
      await trainer.step(step.inputs, step.labels);
      const { values, bound } = expected.losses[number] ?? exact([1, 1], [0]);
      expect(Math.abs((await trainer.loss()) - (values[0] ?? 0))).toBeLessThanOrEqual(bound[0] ?? 0);
    }
    const weights = await model.weights();
    // The worst-case bounds grow from layer to layer; they must still tell these weights from those of one step fewer.
    let toldApart = false;
    for (const [layer, { W, b }] of expected.layers.entries()) {
      expect(weights[2 * layer]?.data).toBeWithin(W, `W of layer ${layer}`);
      expect(weights[2 * layer + 1]?.data).toBeWithin(b, `b of layer ${layer}`);
      const earlier = twoSteps.layers[layer]?.W ?? W;
      const told = outsideOfBounds(weights[2 * layer]?.data ?? [], { ...W, values: earlier.values });
      toldApart = toldApart || told !== undefined;
    }
    expect(toldApart).toBe(true);
  },
);

test.for(networks)('gradients of $inputs-$units, a partial batch, and nothing is updated', async (network) => {
  const gpu = await sharedGpu();
  const { inputs, units, batch } = network;
  const rows = Math.max(1, batch - 3);
  using model = await Mlp.create(gpu, { inputs, layers: layersOf(network), seed: 4 });
  using trainer = await trainerFor(model, batch);
  const before = await model.weights();
  const data = clusters(rows, inputs, units.at(-1) ?? 1, 8);
  const { loss, gradients } = await trainer.gradients(data.inputs, data.labels);
  const X = exact([rows, inputs], data.inputs);
  const expected = reference.lossAndGradients(referenceLayers(before, network), { X, labels: data.labels });
  expect(Math.abs(loss - (expected.loss.values[0] ?? 0))).toBeLessThanOrEqual(expected.loss.bound[0] ?? 0);
  expect(gradients.map(({ name }) => name)).toEqual(before.map(({ name }) => name));
  for (const [layer, { W, b }] of expected.gradients.entries()) {
    expect(gradients[2 * layer]?.data).toBeWithin(W, `dW of layer ${layer}`);
    expect(gradients[2 * layer + 1]?.data).toBeWithin(b, `db of layer ${layer}`);
  }
  expect(await model.weights()).toEqual(before);
});

test('probability rows train like the class indices that they stand for', async () => {
  const gpu = await sharedGpu();
  const network: Network = { inputs: 5, units: [6, 3], activations: ['relu'] };
  const { inputs, labels } = clusters(24, 5, 3);
  const oneHot = Float32Array.from({ length: 72 }, (_, i) => (labels[Math.floor(i / 3)] === i % 3 ? 1 : 0));
  const hashes: string[] = [];
  for (const targets of [labels, oneHot]) {
    using model = await Mlp.create(gpu, { inputs: 5, layers: layersOf(network), seed: 1 });
    using trainer = await trainerFor(model, 24);
    await trainer.step(inputs, targets);
    hashes.push(await hashOf(model));
  }
  expect(hashes[0]).toBe(hashes[1]);
});

const xorInputs = [0, 0, 0, 1, 1, 0, 1, 1];
const xorClasses = [0, 1, 1, 0];

test('XOR is solved by 2-4-2 with tanh from at least 9 of 10 seeds', async () => {
  const gpu = await sharedGpu();
  let solved = 0;
  for (let seed = 1; seed <= 10; seed++) {
    using model = await Mlp.create(gpu, { inputs: 2, layers: [dense(4, 'tanh'), dense(2)], seed });
    using data = Dataset.create(gpu, { inputs: xorInputs, features: 2, classes: xorClasses });
    using trainer = await trainerFor(model, 4, { learningRate: 0.5, momentum: 0.9 });
    await trainer.fit(data, { epochs: 200 });
    if ((await trainer.evaluate(data)).accuracy === 1) solved += 1;
  }
  expect(solved).toBeGreaterThanOrEqual(9);
});

async function run(gpu: Gpu, stepsPerSubmit: number | 'auto', seed = 5): Promise<string> {
  const { inputs, labels } = clusters(100, 6, 3);
  using model = await Mlp.create(gpu, { inputs: 6, layers: [dense(8, 'relu'), dense(3)], seed });
  using data = Dataset.create(gpu, { inputs, features: 6, classes: labels });
  using trainer = await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0.1, momentum: 0.5 }),
    batchSize: 16,
    stepsPerSubmit,
  });
  await trainer.fit(data, { epochs: 3 });
  return await hashOf(model);
}

test('the same seed gives the same weights bit for bit, however many steps share a submit', async () => {
  const gpu = await sharedGpu();
  const hashes = new Set([await run(gpu, 1), await run(gpu, 1), await run(gpu, 5), await run(gpu, 'auto')]);
  expect(hashes.size).toBe(1);
  expect(await run(gpu, 1, 6)).not.toBe([...hashes][0]);
});

test('an epoch uses every sample once; history and evaluation count the partial batch as it is', async () => {
  const gpu = await sharedGpu();
  const network: Network = { inputs: 6, units: [5, 3], activations: ['sigmoid'] };
  const { inputs, labels } = clusters(37, 6, 3);
  using model = await Mlp.create(gpu, { inputs: 6, layers: layersOf(network), seed: 2 });
  using data = Dataset.create(gpu, { inputs, features: 6, classes: labels });
  using trainer = await trainerFor(model, 8, { learningRate: 0 });
  const layers = referenceLayers(await model.weights(), network);
  const { loss, correct } = reference.lossAndGradients(layers, { X: exact([37, 6], inputs), labels });
  const rate = correct.values.reduce((sum, value) => sum + value, 0) / 37;
  const tolerance = (loss.bound[0] ?? 0) * 2;
  const evaluated = await trainer.evaluate(data);
  expect(Math.abs(evaluated.loss - (loss.values[0] ?? 0))).toBeLessThanOrEqual(tolerance);
  expect(evaluated.accuracy).toBeCloseTo(rate, 10);
  // At learning rate 0 an epoch sees the same model at each step, so its means are those of the whole set.
  const [entry] = await trainer.fit(data, { epochs: 1, validation: data });
  expect(entry).toMatchObject({ epoch: 1, steps: 5 });
  expect(Math.abs((entry?.loss ?? NaN) - (loss.values[0] ?? 0))).toBeLessThanOrEqual(tolerance);
  expect(entry?.accuracy).toBeCloseTo(rate, 10);
  expect(entry?.validation).toEqual(evaluated);
});

test('without shuffling fit takes the same steps as step()', async () => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(20, 4, 2);
  const create = (): Promise<Mlp> => Mlp.create(gpu, { inputs: 4, layers: [dense(6, 'tanh'), dense(2)], seed: 9 });
  using fitted = await create();
  using stepped = await create();
  using data = Dataset.create(gpu, { inputs, features: 4, classes: labels });
  using fitting = await trainerFor(fitted, 8);
  using stepping = await trainerFor(stepped, 8);
  await fitting.fit(data, { epochs: 1, shuffle: false });
  for (const first of [0, 8, 16])
    await stepping.step(inputs.slice(4 * first, 4 * (first + 8)), labels.slice(first, first + 8));
  expect(await hashOf(fitted)).toBe(await hashOf(stepped));
  // A set that is smaller than a batch is a batch.
  using small = Dataset.create(gpu, { inputs: inputs.slice(0, 20), features: 4, classes: labels.slice(0, 5) });
  expect(await fitting.fit(small, { epochs: 1, shuffle: false })).toMatchObject([{ steps: 1 }]);
  await stepping.step(inputs.slice(0, 20), labels.slice(0, 5));
  expect(await hashOf(fitted)).toBe(await hashOf(stepped));
});

test('bytes on the GPU train like the floats that they stand for', async () => {
  const gpu = await sharedGpu();
  const bytes = Uint8Array.from({ length: 30 * 7 }, (_, i) => (i * 37) % 256);
  const classes = Array.from({ length: 30 }, (_, i) => i % 3);
  const hashes: string[] = [];
  for (const inputs of [bytes, Float32Array.from(bytes)]) {
    using model = await Mlp.create(gpu, { inputs: 7, layers: [dense(3)], normalize: 'signed', seed: 1 });
    using data = Dataset.create(gpu, { inputs, features: 7, classes });
    using trainer = await trainerFor(model, 10);
    await trainer.fit(data, { epochs: 2 });
    hashes.push(await hashOf(model));
  }
  expect(hashes[0]).toBe(hashes[1]);
});

test('reports come behind, in order, and add up', async () => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(200, 6, 3);
  using model = await Mlp.create(gpu, { inputs: 6, layers: [dense(3)], seed: 1 });
  using data = Dataset.create(gpu, { inputs, features: 6, classes: labels });
  using trainer = await trainerFor(model, 10);
  const steps: number[] = [];
  const epochs: number[] = [];
  const history = await trainer.fit(data, {
    epochs: 2,
    onStep: ({ epoch, step, steps: all, loss, accuracy: share, samplesPerSecond }) => {
      steps.push((epoch - 1) * all + step);
      expect([loss, share, samplesPerSecond].every(Number.isFinite)).toBe(true);
    },
    onEpoch: async ({ epoch }) => {
      await Promise.resolve();
      epochs.push(epoch);
    },
  });
  expect(steps).toEqual([...steps].sort((a, b) => a - b));
  expect(steps.at(-1)).toBe(40);
  expect(epochs).toEqual([1, 2]);
  expect(history.map(({ epoch }) => epoch)).toEqual([1, 2]);
});

test('a signal stops fit, which resolves with the epochs that were completed; weights stay usable', async () => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(500, 6, 3);
  using model = await Mlp.create(gpu, { inputs: 6, layers: [dense(3)], seed: 1 });
  using data = Dataset.create(gpu, { inputs, features: 6, classes: labels });
  using trainer = await trainerFor(model, 5);
  const controller = new AbortController();
  const listening = vi.spyOn(controller.signal, 'addEventListener');
  const history = await trainer.fit(data, {
    epochs: 100,
    signal: controller.signal,
    onStep: ({ epoch }) => {
      if (epoch === 2) controller.abort();
    },
  });
  expect(history.length).toBe(1);
  // One listener an epoch, none of them left.
  const options = listening.mock.calls.map(([, , given]) => given as AddEventListenerOptions);
  expect(options.map(({ signal }) => signal?.aborted)).toEqual([true, true]);
  expect((await model.weights()).every(({ data: values }) => [...values].every(Number.isFinite))).toBe(true);
  expect((await trainer.fit(data, { epochs: 1 })).length).toBe(1);
});

test('pause holds fit back until resume', async () => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(400, 6, 3);
  using model = await Mlp.create(gpu, { inputs: 6, layers: [dense(3)], seed: 1 });
  using data = Dataset.create(gpu, { inputs, features: 6, classes: labels });
  using trainer = await trainerFor(model, 4);
  let seen = 0;
  let paused = 0;
  const done = trainer.fit(data, {
    epochs: 1,
    onStep: ({ step }) => {
      seen = step;
      if (paused === 0) {
        paused = step;
        trainer.pause();
      }
    },
  });
  await expect.poll(() => paused).toBeGreaterThan(0);
  // Of 100 steps; without the pause all would be done before the count is steady.
  expect(await steady(() => seen)).toBeLessThan(100);
  trainer.resume();
  expect((await done).length).toBe(1);
  expect(seen).toBe(100);
});

test('a signal ends fit while it is paused', async () => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(400, 6, 3);
  using model = await Mlp.create(gpu, { inputs: 6, layers: [dense(3)], seed: 1 });
  using data = Dataset.create(gpu, { inputs, features: 6, classes: labels });
  using trainer = await trainerFor(model, 4);
  const controller = new AbortController();
  trainer.pause();
  const done = trainer.fit(data, { epochs: 1, signal: controller.signal });
  setTimeout(() => controller.abort(), 100);
  expect(await done).toEqual([]);
});
