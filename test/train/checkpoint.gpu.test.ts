import { expect, test } from 'vitest';
import {
  adagrad,
  adam,
  type Clip,
  Dataset,
  dense,
  FormatError,
  Gpu,
  type Layer,
  Mlp,
  type Regularization,
  reduceOnPlateau,
  rmsprop,
  type Schedule,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
} from '../../src/index.js';
import { settledBytes, sharedGpu } from '../support/gpu.js';
import { clusters, hashOf } from '../support/problems.js';

/** A model with its trainer. Dampening tells the first step from later ones, so that a wrong number of steps shows. */
interface Training {
  readonly model: Mlp;
  readonly trainer: Trainer;
}

interface Recipe {
  readonly layers: () => Layer[];
  readonly learningRate?: number;
  readonly batchSize?: number;
  readonly seed?: number;
  readonly clip?: Clip;
  readonly penalties?: Regularization;
}

const tiny: Recipe = { layers: () => [dense(7, 'relu'), dense(3)] };
const recipes: readonly [string, Recipe][] = [
  ['a chain in one dispatch', tiny],
  ['a dispatch for each product', { layers: () => [dense(90, 'gelu'), dense(70, 'relu'), dense(3)] }],
];

async function start(
  gpu: Gpu,
  { layers, learningRate = 0.1, batchSize = 16, seed = 5, ...adjustments }: Recipe,
): Promise<Training> {
  const model = await Mlp.create(gpu, { inputs: 6, layers: layers(), seed });
  const optimizer = sgd({ learningRate, momentum: 0.9, dampening: 0.5, weightDecay: 1e-3 });
  const options = { loss: softmaxCrossEntropy(), optimizer, batchSize, ...adjustments };
  return { model, trainer: await model.trainer(options) };
}

const { inputs, labels } = clusters(100, 6, 3);
const dataOn = (gpu: Gpu): Dataset => Dataset.create(gpu, { inputs, features: 6, classes: labels });

/** Six epochs in one go. */
async function unbroken(gpu: Gpu, recipe: Recipe): Promise<string> {
  const { model, trainer } = await start(gpu, recipe);
  using data = dataOn(gpu);
  await trainer.fit(data, { epochs: 6 });
  const hash = await hashOf(model);
  model.dispose();
  return hash;
}

test.for(recipes)(
  '%s: three epochs, a checkpoint, and three on another device are six in one go',
  async ([, recipe]) => {
    const gpu = await sharedGpu();
    const first = await start(gpu, recipe);
    using data = dataOn(gpu);
    await first.trainer.fit(data, { epochs: 3 });
    const bytes = await first.trainer.checkpoint();
    first.model.dispose();

    using other = await Gpu.request();
    const second = await start(other, recipe);
    await second.trainer.restore(bytes);
    using same = dataOn(other);
    await second.trainer.fit(same, { epochs: 3 });
    expect(await hashOf(second.model)).toBe(await unbroken(gpu, recipe));
  },
);

test('a schedule goes on from what it remembers', async () => {
  const gpu = await sharedGpu();
  using data = dataOn(gpu);
  // No loss improves on the first by half, so that the second, the third … epoch each reduce the rate.
  const schedule = (): Schedule => reduceOnPlateau({ monitor: 'loss', factor: 0.5, patience: 0, threshold: 0.5 });
  const recipe: Recipe = { ...tiny, learningRate: 0.01 };
  const whole = await start(gpu, recipe);
  const rates = (await whole.trainer.fit(data, { epochs: 4, schedule: schedule() })).map((entry) => entry.learningRate);
  expect(new Set(rates).size).toBeGreaterThan(2);
  const first = await start(gpu, recipe);
  await first.trainer.fit(data, { epochs: 2, schedule: schedule() });
  const second = await start(gpu, recipe);
  await second.trainer.restore(await first.trainer.checkpoint());
  const rest = await second.trainer.fit(data, { epochs: 2, schedule: schedule() });
  expect(rest.map((entry) => entry.learningRate)).toEqual(rates.slice(2));
  expect(await hashOf(second.model)).toBe(await hashOf(whole.model));
  for (const { model } of [whole, first, second]) model.dispose();
});

test.for([adam({ learningRate: 0.01 }), rmsprop({ momentum: 0.9, centered: true }), adagrad()])(
  'the state of $spec.type is in the checkpoint',
  async (optimizer) => {
    const gpu = await sharedGpu();
    using data = dataOn(gpu);
    const make = async (): Promise<Training> => {
      const model = await Mlp.create(gpu, { inputs: 6, layers: tiny.layers(), seed: 5 });
      return { model, trainer: await model.trainer({ loss: softmaxCrossEntropy(), optimizer, batchSize: 16 }) };
    };
    const [whole, first, second] = [await make(), await make(), await make()];
    await whole.trainer.fit(data, { epochs: 4 });
    await first.trainer.fit(data, { epochs: 2 });
    await second.trainer.restore(await first.trainer.checkpoint());
    await second.trainer.fit(data, { epochs: 2 });
    expect(await hashOf(second.model)).toBe(await hashOf(whole.model));
    for (const { model } of [whole, first, second]) model.dispose();
  },
);

/** Minibatches of different sizes. */
const step = ({ trainer }: Training, number: number): Promise<void> => {
  const [from, to] = [7 * (number % 12), 7 * (number % 12) + 1 + (number % 16)];
  return trainer.step(inputs.slice(6 * from, 6 * to), labels.slice(from, to));
};

test.for([0, 1, 2, 5, 11, 12])('after %d of 12 steps: what comes then has the same bits', async (done) => {
  const gpu = await sharedGpu();
  for (const [, recipe] of recipes) {
    const whole = await start(gpu, recipe);
    for (let number = 0; number < 12; number++) await step(whole, number);
    const first = await start(gpu, recipe);
    for (let number = 0; number < done; number++) await step(first, number);
    const bytes = first.trainer.checkpoint();
    // Queued behind the copy: it must not be in the checkpoint.
    const behind = step(first, 0);
    const second = await start(gpu, recipe);
    await second.trainer.restore(await bytes);
    await behind;
    for (let number = done; number < 12; number++) await step(second, number);
    expect(await hashOf(second.model)).toBe(await hashOf(whole.model));
    for (const { model } of [whole, first, second]) model.dispose();
  }
});

test('a trainer goes back to its own checkpoint, and there again', async () => {
  const gpu = await sharedGpu();
  const training = await start(gpu, tiny);
  using data = dataOn(gpu);
  await training.trainer.fit(data, { epochs: 1 });
  const used = await settledBytes(gpu);
  const bytes = await training.trainer.checkpoint();
  const hashes: string[] = [];
  for (let time = 0; time < 2; time++) {
    await training.trainer.restore(bytes);
    expect(await training.trainer.loss()).toBeNaN();
    await training.trainer.fit(data, { epochs: 2 });
    hashes.push(await hashOf(training.model));
  }
  expect(hashes[0]).toBe(hashes[1]);
  expect(await settledBytes(gpu)).toBe(used);
  training.model.dispose();
});

test('the learning rate is that of the checkpoint', async () => {
  const gpu = await sharedGpu();
  const { model, trainer } = await start(gpu, tiny);
  trainer.learningRate = 1 / 3;
  const bytes = await trainer.checkpoint();
  trainer.learningRate = 0.5;
  await trainer.restore(bytes);
  expect(trainer.learningRate).toBe(1 / 3);
  model.dispose();
});

test('between epochs a checkpoint is taken while fit runs; it goes on as fit does', async () => {
  const gpu = await sharedGpu();
  const first = await start(gpu, tiny);
  using data = dataOn(gpu);
  const taken: Uint8Array[] = [];
  const onEpoch = async (): Promise<void> => {
    taken.push(await first.trainer.checkpoint());
  };
  await first.trainer.fit(data, { epochs: 6, validation: data, onEpoch });
  const expected = await hashOf(first.model);
  expect(taken).toHaveLength(6);
  for (const [number, bytes] of taken.entries()) {
    await first.trainer.restore(bytes);
    await first.trainer.fit(data, { epochs: 5 - number });
    expect(await hashOf(first.model), `from epoch ${number + 1}`).toBe(expected);
  }
  first.model.dispose();
});

test('in the middle of an epoch a checkpoint is refused, and restore while fit runs; fit is not disturbed', async () => {
  const gpu = await sharedGpu();
  const { model, trainer } = await start(gpu, tiny);
  using data = dataOn(gpu);
  const bytes = await trainer.checkpoint();
  const refused: unknown[] = [];
  const note = (error: unknown): void => void refused.push(error);
  const options = {
    epochs: 6,
    onStep: () => trainer.checkpoint().then(() => undefined, note),
    onEpoch: () => trainer.restore(bytes).catch(note),
  };
  await trainer.fit(data, options);
  expect(refused.length).toBeGreaterThan(6);
  for (const error of refused) expect(error).toMatchObject({ code: 'busy' });
  expect(String(refused[0])).toContain(
    'checkpoint: fit is in the middle of an epoch. Call it in onEpoch, or await fit.',
  );
  expect(await hashOf(model)).toBe(await unbroken(gpu, tiny));
  // Nor does an epoch that ended badly leave the trainer in its middle.
  const fail = (): never => {
    throw new RangeError('mine');
  };
  await expect(trainer.fit(data, { epochs: 1, onStep: fail })).rejects.toThrow('mine');
  await trainer.restore(await trainer.checkpoint());
  model.dispose();
});

test('a checkpoint that is truncated or of something else is refused, and training goes on as if nothing had been', async () => {
  const gpu = await sharedGpu();
  const training = await start(gpu, tiny);
  using data = dataOn(gpu);
  await training.trainer.fit(data, { epochs: 3 });
  const before = await hashOf(training.model);
  const own = await training.trainer.checkpoint();
  for (let length = 0; length < own.length; length += 1) {
    await expect(training.trainer.restore(own.subarray(0, length))).rejects.toThrow(FormatError);
  }
  const others: readonly [Recipe, string][] = [
    [{ layers: () => [dense(8, 'relu'), dense(3)] }, 'the checkpoint has layers = [{"type":"dense","units":8'],
    [{ layers: () => [dense(7, 'tanh'), dense(3)] }, 'the checkpoint has layers = '],
    [{ ...tiny, learningRate: 0.2 }, 'the checkpoint has optimizer = {"type":"sgd","learningRate":0.2'],
    [{ ...tiny, batchSize: 8 }, 'the checkpoint has batchSize = 8, but this trainer has 16.'],
    [{ ...tiny, clip: { norm: 1 } }, 'the checkpoint has clip = {"norm":1}, but this trainer has nothing.'],
    [
      { ...tiny, penalties: { l2: 0.1 } },
      'the checkpoint has penalties = {"l1":0,"l2":0.1}, but this trainer has nothing.',
    ],
    [{ ...tiny, seed: 6 }, 'the checkpoint has seed = 6, but this trainer has 5. Use the same options.'],
  ];
  for (const [recipe, message] of others) {
    const other = await start(gpu, recipe);
    const bytes = await other.trainer.checkpoint();
    await expect(training.trainer.restore(bytes)).rejects.toThrow(message);
    await expect(training.trainer.restore(bytes)).rejects.toMatchObject({ code: 'other-training' });
    other.model.dispose();
  }
  expect(await hashOf(training.model)).toBe(before);
  await training.trainer.fit(data, { epochs: 3 });
  expect(await hashOf(training.model)).toBe(await unbroken(gpu, tiny));
  training.model.dispose();
  await expect(training.trainer.checkpoint()).rejects.toThrow('This model has been disposed.');
  await expect(training.trainer.restore(own)).rejects.toThrow('This model has been disposed.');
});

test('what a layer keeps without training it is in the checkpoint', async () => {
  const gpu = await sharedGpu();
  const counting = (): Layer => {
    const inner = dense(7, 'relu');
    const kept = { name: 'running', shape: [3], initializer: 2, trained: false };
    return { ...inner, parameters: (inputs, where) => [...inner.parameters(inputs, where), kept] };
  };
  const recipe: Recipe = { layers: () => [counting(), dense(3)] };
  const first = await start(gpu, recipe);
  const weights = await first.model.weights();
  first.model.setWeights(weights.map((w) => (w.name === '0.running' ? { ...w, data: w.data.map((_, i) => i) } : w)));
  const bytes = await first.trainer.checkpoint();
  const second = await start(gpu, recipe);
  expect([...((await second.model.weights())[2]?.data ?? [])]).toEqual([2, 2, 2]);
  await second.trainer.restore(bytes);
  expect([...((await second.model.weights())[2]?.data ?? [])]).toEqual([0, 1, 2]);
  for (const { model } of [first, second]) model.dispose();
});

test('while gradients are checked, which changes parameters, a checkpoint is refused', async () => {
  const gpu = await sharedGpu();
  const { model, trainer } = await start(gpu, tiny);
  const checking = trainer.checkGradients(inputs.slice(0, 6), labels.slice(0, 1));
  await expect(trainer.checkpoint()).rejects.toThrow('checkpoint: checkGradients is running on this model. Await it.');
  await checking;
  expect((await trainer.checkpoint()).length).toBeGreaterThan(0);
  model.dispose();
});
