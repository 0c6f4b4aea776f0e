import { expect, test } from 'vitest';
import {
  accuracy,
  cosine,
  Dataset,
  dense,
  type EpochResult,
  exponentialDecay,
  type Metric,
  Mlp,
  reduceOnPlateau,
  type Schedule,
  sgd,
  softmaxCrossEntropy,
  stepDecay,
  type Trainer,
  warmUp,
} from '../../../src/index.js';
import { exact } from '../../reference/bounded.js';
import { lossAndGradients, type ReferenceLayer, update } from '../../reference/mlp.js';
import { outsideOfBounds } from '../../support/bounds.js';
import { sharedGpu } from '../../support/gpu.js';
import { clusters, hashOf, layersOf, type Network, referenceLayers } from '../../support/problems.js';

const trainerOf = (
  model: Mlp,
  batchSize = 8,
  learningRate = 0.1,
  stepsPerSubmit?: number,
): Promise<Trainer<Metric<'accuracy'>>> =>
  model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate }),
    metrics: [accuracy()],
    batchSize,
    ...(stepsPerSubmit && { stepsPerSubmit }),
  });

const tiny: Network = { inputs: 2, units: [16, 2], activations: ['tanh'] };
const large: Network = { inputs: 36, units: [990, 10], activations: ['tanh'] };

/** sgd over the batches of unshuffled epochs, each step at its own rate. */
function trained(
  start: readonly ReferenceLayer[],
  { inputs, labels }: { readonly inputs: Float32Array; readonly labels: Uint32Array },
  batch: number,
  rates: readonly number[],
): readonly ReferenceLayer[] {
  const steps = Math.ceil(labels.length / batch);
  const features = inputs.length / labels.length;
  let layers = start;
  for (const [number, learningRate] of rates.entries()) {
    const first = (number % steps) * batch;
    const end = Math.min(labels.length, first + batch);
    const X = exact([end - first, features], inputs.subarray(first * features, end * features));
    const { gradients } = lossAndGradients(layers, { X, labels: labels.subarray(first, end) });
    layers = update(layers, gradients, [], { learningRate }).layers;
  }
  return layers;
}

test.for<{ network: Network; schedule: Schedule; because: string }>([
  { network: tiny, schedule: cosine({ epochs: 2 }), because: 'one dispatch, but a rate a step' },
  { network: tiny, schedule: exponentialDecay({ factor: 0.5 }), because: 'one dispatch and one rate an epoch' },
  { network: large, schedule: warmUp({ epochs: 1, after: cosine({ epochs: 1 }) }), because: 'several dispatches' },
])('each step has its rate: $schedule.spec, $because', async ({ network, schedule }) => {
  const gpu = await sharedGpu();
  const classes = network.units.at(-1) ?? 1;
  const samples = clusters(20, network.inputs, classes);
  using model = await Mlp.create(gpu, { inputs: network.inputs, layers: layersOf(network), seed: 4 });
  using data = Dataset.create(gpu, { inputs: samples.inputs, features: network.inputs, classes: samples.labels });
  using trainer = await trainerOf(model);
  expect(trainer.plan.dispatches.length === 1).toBe(network === tiny);
  const start = referenceLayers(await model.weights(), network);
  // Two fits: the second goes on where the first has ended.
  const history: EpochResult<Metric<'accuracy'>>[] = [];
  for (let n = 0; n < 2; n++) history.push(...(await trainer.fit(data, { epochs: 1, shuffle: false, schedule })));
  const rates = [0, 1, 2, 3, 4, 5].map((n) =>
    schedule.rate(0.1, { epoch: Math.floor(n / 3), step: n % 3, steps: 3 }, undefined),
  );
  expect(history.map(({ learningRate }) => learningRate)).toEqual([rates[2], rates[5]]);
  const weights = await model.weights();
  const constant = trained(start, samples, 8, new Array<number>(6).fill(0.1));
  let toldApart = false;
  for (const [layer, { W, b }] of trained(start, samples, 8, rates).entries()) {
    expect(weights[2 * layer]?.data).toBeWithin(W, `W of layer ${layer}`);
    expect(weights[2 * layer + 1]?.data).toBeWithin(b, `b of layer ${layer}`);
    const other = { ...W, values: constant[layer]?.W.values ?? W.values };
    toldApart ||= outsideOfBounds(weights[2 * layer]?.data ?? [], other) !== undefined;
  }
  expect(toldApart).toBe(true);
});

test('a run of many rates and the same steps one by one give the same bits', async () => {
  const gpu = await sharedGpu();
  // 1,000 steps an epoch: enough for the pace to reach more steps than a submit has records.
  const samples = clusters(2000, 2, 2);
  const hashes: string[] = [];
  for (const stepsPerSubmit of [undefined, 1, 7, 64]) {
    using model = await Mlp.create(gpu, { inputs: 2, layers: layersOf(tiny), seed: 4 });
    using data = Dataset.create(gpu, { inputs: samples.inputs, features: 2, classes: samples.labels });
    using trainer = await trainerOf(model, 2, 0.1, stepsPerSubmit);
    const [entry] = await trainer.fit(data, { epochs: 1, schedule: cosine({ epochs: 20 }) });
    expect(entry?.steps).toBe(1000);
    hashes.push(await hashOf(model));
  }
  expect(new Set(hashes).size).toBe(1);
});

test('the rate that a callback sets is the new base', async () => {
  const gpu = await sharedGpu();
  const samples = clusters(16, 2, 2);
  using model = await Mlp.create(gpu, { inputs: 2, layers: layersOf(tiny), seed: 4 });
  using data = Dataset.create(gpu, { inputs: samples.inputs, features: 2, classes: samples.labels });
  using trainer = await trainerOf(model);
  const history = await trainer.fit(data, {
    epochs: 3,
    schedule: stepDecay({ every: 1, factor: 0.5 }),
    onEpoch: ({ epoch }) => {
      if (epoch === 1) trainer.learningRate = 0.4;
    },
  });
  expect(history.map(({ learningRate }) => learningRate)).toEqual([0.1, 0.2, 0.1]);
  expect(trainer.learningRate).toBe(0.4);
  const [plain] = await trainer.fit(data, { epochs: 1 });
  expect(plain?.learningRate).toBe(0.4);
});

test('reduceOnPlateau looks at what epochs give, and goes on in another fit and from a checkpoint', async () => {
  const gpu = await sharedGpu();
  const samples = clusters(16, 2, 2);
  using model = await Mlp.create(gpu, { inputs: 2, layers: layersOf(tiny), seed: 4 });
  using data = Dataset.create(gpu, { inputs: samples.inputs, features: 2, classes: samples.labels });
  using trainer = await trainerOf(model);
  // Nothing improves by more than its all, so every second epoch halves the rate.
  const schedule = (): Schedule =>
    reduceOnPlateau({ monitor: 'validation.accuracy', mode: 'max', factor: 0.5, patience: 1, threshold: 1 });
  const rates = async (epochs: number): Promise<number[]> =>
    (await trainer.fit(data, { epochs, validation: data, schedule: schedule() })).map((entry) => entry.learningRate);
  expect(await rates(4)).toEqual([0.1, 0.1, 0.1, 0.05]);
  const kept = await trainer.checkpoint();
  expect(await rates(2)).toEqual([0.05, 0.025]);
  await trainer.restore(kept);
  expect(await rates(2)).toEqual([0.05, 0.025]);
});

test('what an epoch does not give is refused before anything is trained', async () => {
  const gpu = await sharedGpu();
  const samples = clusters(16, 2, 2);
  using model = await Mlp.create(gpu, { inputs: 2, layers: [dense(2)], seed: 4 });
  using data = Dataset.create(gpu, { inputs: samples.inputs, features: 2, classes: samples.labels });
  using trainer = await trainerOf(model);
  const before = await hashOf(model);
  await expect(trainer.fit(data, { epochs: 1, schedule: reduceOnPlateau() })).rejects.toThrow(
    'reduceOnPlateau: monitor = "validation.loss", which an epoch does not give. It gives loss, accuracy.',
  );
  const other = warmUp({ epochs: 1, after: reduceOnPlateau({ monitor: 'recall' }) });
  await expect(trainer.fit(data, { epochs: 1, validation: data, schedule: other })).rejects.toThrow(
    'monitor = "recall", which an epoch does not give. It gives loss, accuracy, validation.loss, validation.accuracy.',
  );
  expect(await hashOf(model)).toBe(before);
});
