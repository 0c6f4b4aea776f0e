import { expect, test } from 'vitest';
import { Dataset, Mlp, sgd, softmaxCrossEntropy, type Trainer } from '../../src/index.js';
import type { AdapterTraits } from '../../src/plan/dispatch.js';
import { FakeDevice } from '../support/fake-device.js';
import { clusters, layersOf, type Network } from '../support/problems.js';

/** A device of these traits, which records what it would run. */
function deviceOf(traits: Partial<AdapterTraits>): FakeDevice {
  const device = new FakeDevice();
  return Object.assign(device, { info: { ...device.info, vendor: 'nvidia', ...traits } });
}

const trainerOf = (model: Mlp, batchSize: number): Promise<Trainer> =>
  model.trainer({ loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 0.05 }), batchSize });

interface Case extends Network {
  readonly batch: number;
  /** The products that are computed in parts, as the plan of a step has them. */
  readonly split: readonly string[];
  /** True if their sums are larger than every tensor in whose buffer they might lie. */
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
  const { inputs, batch, split, grows } = network;
  const { inputs: X, labels } = clusters(batch, inputs, network.units.at(-1) ?? 1, 2);
  const transient: number[] = [];
  // With one core no product is worth it.
  for (const cores of [1, 64]) {
    using model = await Mlp.create(deviceOf({ parallelWidth: cores }), { inputs, layers: layersOf(network), seed: 3 });
    using trainer = await trainerOf(model, batch);
    await trainer.step(X, labels);
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
const { inputs, labels } = clusters(ROWS, 784, 10, 2);

/** The labels of everything that a device was asked to run. */
const labelsOf = ({ replays }: FakeDevice): string[] =>
  replays.flatMap(({ dispatches }) => dispatches.map(({ label }) => label));

test('a prediction and an evaluation are split too', async () => {
  const device = deviceOf({ parallelWidth: 64 });
  using model = await Mlp.create(device, { inputs: 784, layers: layersOf(wide), seed: 3 });
  await model.predict(inputs, { output: 'logits' });
  const first = 'matmul NN 32×20×784 gathered f32 bias relu';
  const last = 'matmul NN 32×10×600 bias';
  expect(labelsOf(device).filter((label) => label.endsWith(' parts'))).toEqual([
    `${first}: 12 parts`,
    `${first}: sum of 12 parts`,
    `${last}: 9 parts`,
    `${last}: sum of 9 parts`,
  ]);
  using trainer = await trainerOf(model, ROWS);
  using data = Dataset.create(device, { inputs, features: 784, classes: labels });
  device.replays.length = 0;
  await trainer.evaluate(data);
  expect(labelsOf(device)).toContain(`${first}: sum of 12 parts`);
});

test('on a CPU adapter nothing is split', async () => {
  const device = deviceOf({ software: true, features: new Set(['subgroups']), parallelWidth: 64 });
  using model = await Mlp.create(device, { inputs: 784, layers: layersOf(wide), seed: 3 });
  await model.predict(inputs);
  expect(labelsOf(device)).toContain('matmul NN 32×20×784 gathered f32 bias relu');
  expect(labelsOf(device).filter((label) => label.includes('parts'))).toEqual([]);
});
