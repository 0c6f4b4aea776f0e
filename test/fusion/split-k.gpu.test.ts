import { expect, test } from 'vitest';
import { Dataset, Gpu, Mlp, sgd, softmaxCrossEntropy, type Trainer } from '../../src/index.js';
import type { AdapterTraits } from '../../src/plan/dispatch.js';
import { exact } from '../reference/bounded.js';
import * as reference from '../reference/mlp.js';
import '../support/bounds.js';
import { clusters, layersOf, type Network, referenceLayers } from '../support/problems.js';

/** This device, taken for another: it gets the plans of that one, and runs them. */
async function pretended(traits: Partial<AdapterTraits>): Promise<Gpu> {
  const gpu = await Gpu.request();
  return Object.assign(gpu, { info: { ...gpu.info, software: false, vendor: 'nvidia', ...traits } });
}

const trainerOf = (model: Mlp, batchSize: number): Promise<Trainer> =>
  model.trainer({ loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 0.05 }), batchSize });

interface Case extends Network {
  readonly batch: number;
  /** The products that are computed in parts, as the plan of a step has them. */
  readonly split: readonly string[];
  /** Whether their sums are larger than every tensor in whose buffer they might lie. */
  readonly grows: boolean;
  readonly because: string;
}

test.for<Case>([
  {
    inputs: 532,
    units: [40, 520, 10],
    activations: ['gelu', 'tanh'],
    batch: 20,
    split: ['matmul NN 20×40×532 gathered f32 bias gelu: 8 parts', 'matmul NT 20×40×520 ⊙ gelu′: 8 parts'],
    grows: false,
    because: 'a pre-activation is kept, and a dX multiplied by the derivative at it',
  },
  {
    inputs: 100,
    units: [24, 7],
    activations: ['sigmoid'],
    batch: 515,
    split: ['matmul TN 25×7×515 ones: 8 parts', 'matmul TN 101×24×515 gathered f32 ones: 8 parts'],
    grows: true,
    because: 'every dW, with its row of ones',
  },
])('a step of $inputs-$units at batch $batch: $because', async (network) => {
  const { inputs, units, batch, split, grows } = network;
  const classes = units.at(-1) ?? 1;
  const { inputs: X, labels } = clusters(batch, inputs, classes, 2);
  const transient: number[] = [];
  // With one core no product is worth it.
  for (const cores of [1, 64]) {
    using gpu = await pretended({ parallelWidth: cores });
    using model = await Mlp.create(gpu, { inputs, layers: layersOf(network), seed: 3 });
    using trainer = await trainerOf(model, batch);
    const start = referenceLayers(await model.weights(), network);
    await trainer.step(X, labels);
    const expected = reference.train(start, [{ X: exact([batch, inputs], X), labels }], { learningRate: 0.05 });
    const weights = await model.weights();
    for (const [layer, { W, b }] of expected.layers.entries()) {
      expect(weights[2 * layer]?.data).toBeWithin(W, `W of layer ${layer}`);
      expect(weights[2 * layer + 1]?.data).toBeWithin(b, `b of layer ${layer}`);
    }
    const wanted = cores === 1 ? [] : split.flatMap((parts) => [parts, parts.replace(/\d+ parts$/, 'sum of $&')]);
    const { plan } = trainer;
    const inParts = plan.dispatches.filter(({ label }) => label.endsWith(' parts'));
    expect(inParts.map(({ label }) => label)).toEqual(wanted);
    for (const label of wanted) expect(plan.toString()).toContain(label);
    expect(plan.toString().includes(`\nsplit: K of ${split.length} matmuls`)).toBe(cores > 1);
    transient.push(plan.memory.transient);
  }
  const [whole = 0, withPartials = 0] = transient;
  expect([withPartials >= whole, withPartials > whole]).toEqual([true, grows]);
});

const wide: Network = { inputs: 784, units: [20, 600, 10], activations: ['relu', 'relu'] };
const ROWS = 32;

/** The labels of what is dispatched meanwhile. */
async function labelsOf(gpu: Gpu, work: () => Promise<unknown>): Promise<readonly string[]> {
  return (await gpu.profile(work)).dispatches.map(({ label }) => label);
}

test('a prediction and an evaluation are split too', async () => {
  using gpu = await pretended({ parallelWidth: 64 });
  using model = await Mlp.create(gpu, { inputs: 784, layers: layersOf(wide), seed: 3 });
  const { inputs, labels } = clusters(ROWS, 784, 10, 2);
  const X = exact([ROWS, 784], inputs);
  const layers = referenceLayers(await model.weights(), wide);
  const predicted = await labelsOf(gpu, async () => {
    expect(await model.predict(inputs, { output: 'logits' })).toBeWithin(reference.predict(layers, X), 'logits');
  });
  const first = 'matmul NN 32×20×784 gathered f32 bias relu';
  const last = 'matmul NN 32×10×600 bias';
  expect(predicted.filter((label) => label.endsWith(' parts'))).toEqual([
    `${first}: 12 parts`,
    `${first}: sum of 12 parts`,
    `${last}: 9 parts`,
    `${last}: sum of 9 parts`,
  ]);
  using trainer = await trainerOf(model, ROWS);
  using data = Dataset.create(gpu, { inputs, features: 784, classes: labels });
  const evaluated = await labelsOf(gpu, async () => {
    const { loss } = await trainer.evaluate(data);
    const { values, bound } = reference.lossAndGradients(layers, { X, labels }).loss;
    expect(Math.abs(loss - (values[0] ?? 0))).toBeLessThanOrEqual(bound[0] ?? 0);
  });
  expect(evaluated).toContain(`${first}: sum of 12 parts`);
});

test('on a CPU adapter nothing is split', async () => {
  using gpu = await pretended({ software: true, parallelWidth: 64 });
  using model = await Mlp.create(gpu, { inputs: 784, layers: layersOf(wide), seed: 3 });
  const { inputs } = clusters(ROWS, 784, 10, 2);
  const labels = await labelsOf(gpu, () => model.predict(inputs));
  expect(labels).toContain('matmul NN 32×20×784 gathered f32 bias relu');
  expect(labels.filter((label) => label.includes('parts'))).toEqual([]);
});
