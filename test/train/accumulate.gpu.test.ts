import { expect, test } from 'vitest';
import {
  Dataset,
  Mlp,
  meanSquaredError,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
  type TrainerOptions,
} from '../../src/index.js';
import { batchShare, type Share } from '../reference/batch-share.js';
import { type Bounded, exact, U } from '../reference/bounded.js';
import { type LayerGradient, lossAndGradients } from '../reference/mlp.js';
import { runningAverage } from '../reference/running-average.js';
import { sgd as referenceSgd } from '../reference/sgd.js';
import { sharedGpu } from '../support/gpu.js';
import { clusters, hashOf, layersOf, type Network, referenceLayers } from '../support/problems.js';

const network: Network = { inputs: 5, units: [6, 3], activations: ['tanh'] };
const ROWS = 21;
const BATCH = 8;
const learningRate = 0.5;
const { inputs, labels } = clusters(ROWS, 5, 3);
const plain = { loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate }) };
const create = async (): Promise<Mlp> =>
  await Mlp.create(await sharedGpu(), { inputs: 5, layers: layersOf(network), seed: 2 });

test('a step of three batches, the last one ragged, is a step by the gradient of all samples', async () => {
  using model = await create();
  using trainer = await model.trainer({ ...plain, batchSize: BATCH, accumulate: 3 });
  const layers = referenceLayers(await model.weights(), network);
  const whole = lossAndGradients(layers, { X: exact([ROWS, 5], inputs), labels });
  let [share, gradients, loss]: [Share | undefined, readonly LayerGradient[], Bounded | undefined] = [
    undefined,
    [],
    undefined,
  ];
  for (let first = 0; first < ROWS; first += BATCH) {
    const rows = Math.min(BATCH, ROWS - first);
    const X = exact([rows, 5], inputs.subarray(5 * first, 5 * (first + rows)));
    const found = lossAndGradients(layers, { X, labels: labels.subarray(first, first + rows) });
    const next = batchShare(new Array<number>(rows).fill(1), share);
    const mean = (value: Bounded, before: Bounded | undefined): Bounded =>
      runningAverage(value, before, share === undefined ? 1 : next.share);
    loss = mean(found.loss, loss);
    gradients = found.gradients.map(({ W, b }, l) => ({ W: mean(W, gradients[l]?.W), b: mean(b, gradients[l]?.b) }));
    share = next;
  }
  for (const values of [inputs, Float64Array.from(inputs)]) {
    using fresh = await create();
    using stepping = await fresh.trainer({ ...plain, batchSize: BATCH, accumulate: 3 });
    await stepping.step(values, labels);
    // The losses of the rows are averaged row by row, with a factor of BATCH/rows, before their mean is taken.
    const bound = (loss?.bound[0] ?? 0) + 16 * U * (whole.loss.values[0] ?? 0);
    expect(Math.abs((await stepping.loss()) - (whole.loss.values[0] ?? 0))).toBeLessThanOrEqual(bound);
  }
  await trainer.step(inputs, labels);
  const after = await model.weights();
  for (const [l, { W, b }] of gradients.entries()) {
    for (const [number, gradient] of [W, b].entries()) {
      const exactly = whole.gradients[l]?.[number === 0 ? 'W' : 'b'] ?? gradient;
      for (const [i, g] of gradient.values.entries())
        expect(Math.abs(g - (exactly.values[i] ?? 0))).toBeLessThan(1e-14);
      const start = layers[l]?.[number === 0 ? 'W' : 'b'] ?? gradient;
      const { parameters } = referenceSgd(start, gradient, undefined, { learningRate });
      expect(after[2 * l + number]?.data).toBeWithin(parameters, `${number} of layer ${l}`);
    }
  }
  // An epoch is such a step, too: from the device, and from the host in chunks that are smaller than a step.
  using data = Dataset.create(await sharedGpu(), { inputs, features: 5, classes: labels });
  using stream = Dataset.create(await sharedGpu(), { inputs, features: 5, classes: labels, chunk: BATCH });
  for (const set of [data, stream]) {
    using other = await create();
    using fitting = await other.trainer({ ...plain, batchSize: BATCH, accumulate: 3 });
    const [entry] = await fitting.fit(set, { epochs: 1, shuffle: false });
    expect(entry?.steps).toBe(1);
    expect(await hashOf(other)).toBe(await hashOf(model));
  }
});

/** The weights after a step with these options, by three batches or by one. */
async function stepped(
  options: Partial<TrainerOptions>,
  batches: 1 | 3,
  targets: ArrayLike<number>,
): Promise<number[]> {
  using model = await create();
  using trainer: Trainer = await model.trainer({
    ...plain,
    batchSize: (3 * BATCH) / batches,
    accumulate: batches,
    ...options,
  });
  await trainer.step(inputs, targets);
  return (await model.weights()).flatMap(({ data }) => [...data]);
}

test.for<{ name: string; options: Partial<TrainerOptions>; targets?: ArrayLike<number> }>([
  {
    name: 'weights of classes, whose sum differs from batch to batch',
    options: { loss: softmaxCrossEntropy({ classWeights: [0.1, 1, 7] }) },
    // The first batch has classes 0 and 1 alone.
    targets: Uint32Array.from(labels, (label, row) => (row < BATCH ? row % 2 : label)),
  },
  {
    name: 'a first batch of no weight at all',
    options: { loss: softmaxCrossEntropy({ classWeights: [0, 1, 7] }) },
    targets: Uint32Array.from(labels, (label, row) => (row < BATCH ? 0 : label)),
  },
  {
    name: 'a clip of the norm of the whole, and penalties once',
    options: { clip: { norm: 0.1 }, penalties: { l2: 0.5 } },
  },
  {
    name: 'targets, momentum and decay',
    options: { loss: meanSquaredError(), optimizer: sgd({ learningRate, momentum: 0.9, weightDecay: 0.1 }) },
    targets: Float32Array.from({ length: 3 * ROWS }, (_, i) => Math.sin(i)),
  },
])('as one large batch: $name', async ({ options, targets = labels }) => {
  const [one, three] = [await stepped(options, 1, targets), await stepped(options, 3, targets)];
  const [before] = [await stepped({ ...options, optimizer: sgd({ learningRate: 0 }) }, 1, targets)];
  // A gradient is a sum over 21 rows of products of at most some 40 roundings, in magnitude below 4·|x| ≤ 12; the mean of
  // three batches has 12 roundings more.
  const tolerance = learningRate * 12 * (21 + 40 + 12) * U;
  for (const [i, value] of three.entries()) expect(Math.abs(value - (one[i] ?? 0))).toBeLessThanOrEqual(tolerance);
  expect(Math.max(...three.map((value, i) => Math.abs(value - (before[i] ?? 0))))).toBeGreaterThan(20 * tolerance);
});

test('epochs count each sample once, and the same seed gives the same bits', async () => {
  using data = Dataset.create(await sharedGpu(), { inputs, features: 5, classes: labels });
  const hashes = new Set<string>();
  for (const stepsPerSubmit of [1, 3, 'auto'] as const) {
    using model = await create();
    using trainer = await model.trainer({ ...plain, batchSize: 4, accumulate: 2, stepsPerSubmit });
    const history = await trainer.fit(data, { epochs: 3, validation: data });
    expect(history.map(({ steps }) => steps)).toEqual([3, 3, 3]);
    expect(history.at(-1)?.loss).toBeLessThan(history[0]?.loss ?? 0);
    hashes.add(await hashOf(model));
  }
  expect(hashes.size).toBe(1);
});
