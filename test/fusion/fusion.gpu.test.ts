import { expect, test } from 'vitest';
import {
  accuracy,
  adam,
  Dataset,
  dense,
  type Layer,
  layerNorm,
  type Metric,
  Mlp,
  type Normalization,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
  type TrainerOptions,
} from '../../src/index.js';
import type { AnyMetric } from '../../src/nn/metrics/metric.js';
import { exact } from '../reference/bounded.js';
import * as reference from '../reference/mlp.js';
import { representativeActivations } from '../support/activations.js';
import { sharedGpu } from '../support/gpu.js';
import { clusters, layersOf, type Network, referenceLayers } from '../support/problems.js';

function trainerOf(model: Mlp, batchSize: number): Promise<Trainer<Metric<'accuracy'>>> {
  return model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0.05, momentum: 0.5 }),
    metrics: [accuracy()],
    batchSize,
  });
}

interface Case extends Network {
  readonly batch: number;
  readonly rows?: number;
  /** What the plan must have fused. */
  readonly fused: readonly string[];
  readonly because: string;
}

const HEAD = 'last layer, loss and first dX';
const GATHER = 'gather into its readers';
const TINY = 'a small network in one dispatch';
const UPDATE = 'dW and its update';

// One step each: a fused step gives the weights of the plain kernels' float64 reference, within its bound.
test.for<Case>([
  ...representativeActivations.map((activation) => ({
    inputs: 33,
    units: [40, 12],
    activations: [activation],
    batch: 37,
    rows: 35,
    fused: [HEAD, GATHER, UPDATE],
    because: JSON.stringify(activation),
  })),
  ...representativeActivations.map((activation) => ({
    inputs: 3,
    units: [6, 5, 4],
    activations: [activation, activation],
    batch: 5,
    rows: 4,
    fused: [TINY],
    because: `${JSON.stringify(activation)}, tiny`,
  })),
  ...[1, 2, 64, 257].map((batch) => ({
    inputs: 36,
    units: [990, 10],
    activations: ['tanh' as const],
    batch,
    fused: [HEAD, GATHER, UPDATE],
    because: 'the batch',
  })),
  ...[1, 2, 16].map((classes) => ({
    inputs: 36,
    units: [70, classes],
    activations: ['tanh' as const],
    batch: 19,
    fused: [HEAD, GATHER, UPDATE],
    because: 'the classes',
  })),
  ...[17, 65, 1000].map((classes) => ({
    inputs: 20,
    units: [24, classes],
    activations: ['tanh' as const],
    batch: 19,
    fused: [GATHER, UPDATE],
    because: 'too many classes for a head',
  })),
  {
    inputs: 36,
    units: [60, 50, 10],
    activations: ['tanh', 'softplus'],
    batch: 19,
    fused: [HEAD, GATHER, UPDATE],
    because: 'a dX between the updates',
  },
])('a step of $inputs-$units at batch $batch: $because', async (network) => {
  const { inputs, units, batch, rows = batch, fused } = network;
  const gpu = await sharedGpu();
  const classes = units.at(-1) ?? 1;
  using model = await Mlp.create(gpu, { inputs, layers: layersOf(network), seed: 3 });
  using trainer = await trainerOf(model, batch);
  const start = referenceLayers(await model.weights(), network);
  const { inputs: X, labels } = clusters(rows, inputs, classes, 2);
  await trainer.step(X, labels);
  const plan = trainer.plan.toString();
  for (const what of [HEAD, GATHER, TINY, UPDATE]) {
    expect(plan.includes(`\nfused: ${what}`), `${what} in\n${plan}`).toBe(fused.includes(what));
  }
  const expected = reference.train(start, [{ X: exact([rows, inputs], X), labels }], { learningRate: 0.05 });
  const weights = await model.weights();
  for (const [layer, { W, b }] of expected.layers.entries()) {
    expect(weights[2 * layer]?.data).toBeWithin(W, `W of layer ${layer}`);
    expect(weights[2 * layer + 1]?.data).toBeWithin(b, `b of layer ${layer}`);
  }
  const { values, bound } = expected.losses[0] ?? exact([1, 1], [0]);
  expect(Math.abs((await trainer.loss()) - (values[0] ?? 0))).toBeLessThanOrEqual(bound[0] ?? 0);
});

test.for<{ normalize: Normalization; features: number; gathered: boolean; because: string }>([
  { normalize: 'unit', features: 36, gathered: true, because: 'all features alike' },
  { normalize: { mean: 100, std: 50 }, features: 36, gathered: true, because: 'one mean and deviation for all' },
  {
    normalize: { mean: Array.from({ length: 36 }, (_, i) => i), std: 60 },
    features: 36,
    gathered: false,
    because: 'features are normalised each in its own way',
  },
  { normalize: 'signed', features: 35, gathered: false, because: '35 bytes are no whole number of words' },
])('bytes of a data set: $because', async ({ normalize, features, gathered, because }) => {
  const gpu = await sharedGpu();
  const network: Network = { inputs: features, units: [60, 4], activations: ['sigmoid'] };
  const { labels } = clusters(50, features, 4);
  const bytes = Uint8Array.from({ length: 50 * features }, (_, i) => (i * 37) % 256);
  using model = await Mlp.create(gpu, { inputs: features, layers: layersOf(network), seed: 3, normalize });
  using trainer = await trainerOf(model, 20);
  using data = Dataset.create(gpu, { inputs: bytes, features, classes: labels });
  const start = referenceLayers(await model.weights(), network);
  const { mean, std } =
    normalize === 'unit' ? { mean: 0, std: 255 } : normalize === 'signed' ? { mean: 127.5, std: 127.5 } : normalize;
  const meanOf = (feature: number): number => (typeof mean === 'number' ? mean : (mean[feature] ?? 0));
  const X = Float64Array.from(bytes, (byte, i) => (byte - meanOf(i % features)) / Number(std));
  const whole = exact([50, features], X);
  // Scale and shift are rounded to f32, and so is each value: some 3 roundings of what is at most 256 / std.
  whole.bound.fill((3 * 2 ** -23 * 512) / Number(std));
  const result = await trainer.evaluate(data);
  const expected = reference.lossAndGradients(start, { X: whole, labels });
  expect(Math.abs(result.loss - (expected.loss.values[0] ?? 0))).toBeLessThanOrEqual(expected.loss.bound[0] ?? 0);
  await trainer.fit(data, { epochs: 1 });
  const plan = trainer.plan.toString();
  expect(plan).toContain(gathered ? `\nfused: ${GATHER}` : `\nnot fused: ${GATHER} (${because})`);
  expect(trainer.plan.dispatches.some(({ kernel }) => kernel === 'gather-rows')).toBe(!gathered);
});

test.for<{ options?: Partial<TrainerOptions<AnyMetric>>; between?: Layer; because: string }>([
  { options: { optimizer: adam() }, because: 'adam 33344 is not plain sgd' },
  { options: { clip: { value: 1 } }, because: 'sgd 33344 clipped is not plain sgd' },
  { between: layerNorm(), because: 'layer-norm 12×512 dweight, dbias has gradients of its own' },
  { between: dense(512, 'prelu'), because: 'column-sum 512×1 has gradients of its own' },
])('dW and its update stay apart: $because', async ({ options = {}, between, because }) => {
  const layers = [dense(512, 'tanh'), ...(between === undefined ? [] : [between]), dense(10)];
  using model = await Mlp.create(await sharedGpu(), { inputs: 54, layers, seed: 3 });
  using trainer = await model.trainer<AnyMetric>({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0.05 }),
    batchSize: 12,
    ...options,
  });
  expect(trainer.plan.toString()).toContain(`\nnot fused: ${UPDATE} (${because})`);
});

test('a plan holds its state, and of what lives within a step no more than lives at a time', async () => {
  const gpu = await sharedGpu();
  const batch = 48;
  const sizes = [36, 80, 60, 10] as const;
  using model = await Mlp.create(gpu, {
    inputs: sizes[0],
    layers: [dense(sizes[1], 'relu'), dense(sizes[2], 'relu'), dense(sizes[3])],
    seed: 1,
  });
  const before = gpu.memory.usedBytes;
  using trainer = await trainerOf(model, batch);
  const { state, transient } = trainer.plan.memory;
  // Layers begin at multiples of 64 parameters.
  const parameters = [1, 2, 3].reduce((sum, l) => {
    return sum + Math.ceil((((sizes[l - 1] ?? 0) + 1) * (sizes[l] ?? 0)) / 64) * 64;
  }, 0);
  expect(state).toBe(4 * parameters);
  // Y1; Y2, and when its layer is updated dZ1; dZ2; dlogits. No gradients.
  expect(transient).toBe(4 * batch * (sizes[1] + sizes[1] + sizes[2] + sizes[3]));
  // Beside them: records, results, layers of blocks, uniforms, and a batch of its own.
  const beside = gpu.memory.usedBytes - before - state - transient;
  expect(beside).toBeLessThan(4 * batch * (sizes[0] + 1) + 64 * 256 + 16 * 1024);
  // Evaluation shares them, and adds none.
  using data = Dataset.create(gpu, {
    inputs: new Float32Array(100 * sizes[0]),
    features: sizes[0],
    classes: new Uint8Array(100),
  });
  await trainer.fit(data, { epochs: 1, validation: data });
  expect(trainer.plan.memory).toEqual({ state, transient });
});
