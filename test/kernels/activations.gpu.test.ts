import { describe, expect, test } from 'vitest';
import {
  type Activation,
  accuracy,
  Dataset,
  dense,
  type Maxout,
  type Metric,
  Mlp,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
} from '../../src/index.js';
import { type Bounded, exact } from '../reference/bounded.js';
import * as reference from '../reference/mlp.js';
import { outsideOfBounds } from '../support/bounds.js';
import { sharedGpu } from '../support/gpu.js';
import { clusters, layersOf, type Network, referenceLayers } from '../support/problems.js';

const rule = { learningRate: 0.05, momentum: 0.9 };
const trainerOf = (model: Mlp, batchSize: number): Promise<Trainer<Metric<'accuracy'>>> =>
  model.trainer({ loss: softmaxCrossEntropy(), optimizer: sgd(rule), metrics: [accuracy()], batchSize });

/** What belongs to a layer, in the order of `weights()`. */
const parts = ({ W, b, p }: { W: Bounded; b: Bounded; p?: Bounded | undefined }): Bounded[] =>
  p === undefined ? [W, b] : [W, b, p];

const activations: readonly (Activation | Maxout)[] = [
  'abs',
  'sine',
  { type: 'sine', omega: 3 },
  'prelu',
  { type: 'prelu', per: 'unit', alpha: -0.1 },
  { type: 'swish', learned: true },
  { type: 'swish', learned: true, per: 'unit', beta: 0.5 },
  'maxout',
  { type: 'maxout', pieces: 3 },
];
const networks: (Network & { batch: number; because: string })[] = activations.flatMap((activation) => [
  { inputs: 2, units: [4, 2], activations: [activation], batch: 4, because: JSON.stringify(activation) },
  {
    inputs: 5,
    units: [33, 7, 3],
    activations: ['tanh', activation],
    batch: 6,
    because: `${JSON.stringify(activation)} above another activation`,
  },
  { inputs: 3, units: [2], activations: [activation], batch: 5, because: `${JSON.stringify(activation)} at the end` },
]);

describe.for(networks)('$inputs-$units, $because', (network) => {
  const { inputs, units, batch } = network;
  const classes = units.at(-1) ?? 1;

  test('three steps give the weights of the float64 reference', async () => {
    const gpu = await sharedGpu();
    using model = await Mlp.create(gpu, { inputs, layers: layersOf(network), seed: 3 });
    using trainer = await trainerOf(model, batch);
    const start = referenceLayers(await model.weights(), network);
    const steps = [1, 2, 3].map((seed) => clusters(batch, inputs, classes, seed));
    const batches = steps.map((step) => ({ X: exact([batch, inputs], step.inputs), labels: step.labels }));
    const expected = reference.train(start, batches, rule);
    const twoSteps = reference.train(start, batches.slice(0, 2), rule).layers.flatMap(parts);
    for (const step of steps) await trainer.step(step.inputs, step.labels);
    const weights = await model.weights();
    const wanted = expected.layers.flatMap(parts);
    expect(weights.length).toBe(wanted.length);
    for (const [number, { name, data }] of weights.entries()) expect(data).toBeWithin(wanted[number] as Bounded, name);
    // The bounds must tell these weights from those of one step fewer.
    const told = twoSteps.some((earlier, number) => {
      const bounds = { ...earlier, bound: (wanted[number] as Bounded).bound };
      return outsideOfBounds(weights[number]?.data ?? [], bounds) !== undefined;
    });
    expect(told).toBe(true);
  });

  test('gradients of a partial batch, evaluation and prediction', async () => {
    const gpu = await sharedGpu();
    const rows = batch - 1;
    using model = await Mlp.create(gpu, { inputs, layers: layersOf(network), seed: 4 });
    using trainer = await trainerOf(model, batch);
    const before = await model.weights();
    const data = clusters(rows, inputs, classes, 8);
    const X = exact([rows, inputs], data.inputs);
    const layers = referenceLayers(before, network);
    const expected = reference.lossAndGradients(layers, { X, labels: data.labels });
    const [mean = NaN, bound = NaN] = [expected.loss.values[0], expected.loss.bound[0]];
    const { loss, gradients } = await trainer.gradients(data.inputs, data.labels);
    expect(Math.abs(loss - mean)).toBeLessThanOrEqual(bound);
    expect(gradients.map(({ name, shape }) => ({ name, shape }))).toEqual(
      before.map(({ name, shape }) => ({ name, shape })),
    );
    const wanted = expected.gradients.flatMap(parts);
    for (const [number, { name, data: values }] of gradients.entries()) {
      expect(values).toBeWithin(wanted[number] as Bounded, `d${name}`);
    }
    using samples = Dataset.create(gpu, { inputs: data.inputs, features: inputs, classes: data.labels });
    expect(Math.abs((await trainer.evaluate(samples)).loss - mean)).toBeLessThanOrEqual(2 * bound);
    expect(await model.predict(data.inputs, { output: 'logits' })).toBeWithin(reference.predict(layers, X));
    expect(await model.weights()).toEqual(before);
  });
});

test('products around a learned activation take the batch from the data set, and the head stays', async () => {
  const gpu = await sharedGpu();
  for (const activation of ['prelu', 'maxout'] as const) {
    using model = await Mlp.create(gpu, { inputs: 8, layers: [dense(600, activation), dense(4)], seed: 1 });
    using trainer = await trainerOf(model, 12);
    const { inputs, labels } = clusters(12, 8, 4);
    await trainer.step(inputs, labels);
    const plan = trainer.plan.toString();
    expect(plan).toContain('\nfused: gather into its readers');
    expect(plan).toContain('\nfused: last layer, loss and first dX');
    expect(plan).toContain('\nnot fused: a small network in one dispatch');
  }
});

test('learned parameters have a place, a name and a start of their own', async () => {
  const gpu = await sharedGpu();
  const layers = [
    dense(3, 'prelu'),
    dense(4, { type: 'prelu', per: 'unit', alpha: 0.5 }),
    dense(2, { type: 'swish', learned: true, per: 'unit' }, { bias: false }),
    dense(5, { type: 'maxout', pieces: 3 }),
  ];
  using model = await Mlp.create(gpu, { inputs: 2, layers, seed: 1 });
  const weights = await model.weights();
  expect(weights.map(({ name, shape }) => [name, ...shape])).toEqual([
    ['0.weight', 2, 3],
    ['0.bias', 3],
    ['0.alpha', 1],
    ['1.weight', 3, 4],
    ['1.bias', 4],
    ['1.alpha', 4],
    ['2.weight', 4, 2],
    ['2.beta', 2],
    ['3.weight', 2, 15],
    ['3.bias', 15],
  ]);
  expect([2, 5, 7].map((number) => [...(weights[number]?.data ?? [])])).toEqual([[0.25], [0.5, 0.5, 0.5, 0.5], [1, 1]]);
  expect(model.parameterCount).toBe(6 + 3 + 1 + 12 + 4 + 4 + 8 + 2 + 30 + 15);
  expect(model.spec.layers.map(({ activation, units }) => [activation, units])).toEqual([
    [{ type: 'prelu', alpha: 0.25, per: 'layer' }, 3],
    [{ type: 'prelu', alpha: 0.5, per: 'unit' }, 4],
    [{ type: 'swish', beta: 1, learned: true, per: 'unit' }, 2],
    [{ type: 'maxout', pieces: 3 }, 5],
  ]);
  expect(model.summary()).toMatch(/3 +dense +2 → 5 +\{"type":"maxout","pieces":3\} +45\n/);
});

test('each piece of maxout starts as a layer of its own, by the fan-out of its units', async () => {
  const gpu = await sharedGpu();
  const [inputs, units, pieces] = [40, 10, 4];
  const layer = dense(units, { type: 'maxout', pieces }, { initializer: 'xavierUniform' });
  using model = await Mlp.create(gpu, { inputs, layers: [layer], seed: 1 });
  using plain = await Mlp.create(gpu, { inputs, layers: [dense(units, 'linear')], seed: 1 });
  const [W] = await model.weights();
  const [first] = await plain.weights();
  const limit = Math.sqrt(6 / (inputs + units));
  const largest = (W?.data ?? new Float32Array()).reduce((most, w) => Math.max(most, Math.abs(w)), 0);
  expect(largest).toBeLessThanOrEqual(limit);
  expect(largest).toBeGreaterThan(0.99 * limit);
  expect(W?.data.filter((_, i) => i % pieces === 0)).toEqual(first?.data);
});

test('a model with step predicts; trainer() refuses it, and says what to do', async () => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: 2, layers: [dense(2, 'tanh'), dense(1, 'step')], seed: 1 });
  // A perceptron for "and": both inputs must be on.
  model.setWeights([
    { name: '0.weight', data: [9, 0, 0, 9] },
    { name: '0.bias', data: [0, 0] },
    { name: '1.weight', data: [1, 1] },
    { name: '1.bias', data: [-1.5] },
  ]);
  expect([...(await model.predict([0, 0, 0, 1, 1, 0, 1, 1], { output: 'logits' }))]).toEqual([0, 0, 0, 1]);
  await expect(trainerOf(model, 4)).rejects.toMatchObject({
    code: 'not-trainable',
    message:
      'trainer: layer 1 (dense) has the activation "step", whose derivative is 0, so no layer below it learns. Train with "sigmoid" or "tanh", and copy the weights to this model to predict.',
  });
});

test('what is wrong with an activation is said before any GPU work', async () => {
  const gpu = await sharedGpu();
  const create = (activation: unknown): Promise<Mlp> =>
    Mlp.create(gpu, { inputs: 2, layers: [dense(2, activation as Activation)] });
  const message = 'Mlp.create: layer 0 (dense) has pieces = 0; pieces must be a positive integer.';
  await expect(create({ type: 'maxout', pieces: 0 })).rejects.toMatchObject({ code: 'shape', message });
  await expect(create({ type: 'prelu', per: 'row' })).rejects.toMatchObject({ code: 'bad-activation' });
  await expect(create({ type: 'maxuot' })).rejects.toMatchObject({ code: 'unknown-activation' });
});
