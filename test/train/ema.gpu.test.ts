import { expect, test } from 'vitest';
import {
  batchNorm,
  Dataset,
  dense,
  Mlp,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
  type TrainerOptions,
} from '../../src/index.js';
import { type Bounded, exact } from '../reference/bounded.js';
import { runningAverage } from '../reference/running-average.js';
import { settledBytes, sharedGpu } from '../support/gpu.js';
import { clusters, hashOf } from '../support/problems.js';

const { inputs, labels } = clusters(24, 5, 3);
const layers = () => [dense(6, 'tanh'), batchNorm(), dense(3)];
const create = async (): Promise<Mlp> => await Mlp.create(await sharedGpu(), { inputs: 5, layers: layers(), seed: 2 });
const trainerOf = (model: Mlp, options: Partial<TrainerOptions> = { ema: { decay: 0.75 } }): Promise<Trainer> =>
  model.trainer({ loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 0.5 }), batchSize: 8, ...options });
const batch = (number: number) =>
  [inputs.slice(40 * number, 40 * (number + 1)), labels.slice(8 * number, 8 * (number + 1))] as const;

test.for([1, 2])('averages begin after the first step, and follow each step; accumulate = %i', async (accumulate) => {
  using model = await create();
  using trainer = await trainerOf(model, { ema: { decay: 0.75 }, accumulate });
  expect(await trainer.averaged()).toEqual(await model.weights());
  const expected = new Map<string, Bounded>();
  for (const number of [0, 1, 2]) {
    await trainer.step(...batch(number));
    const averaged = await trainer.averaged();
    for (const [i, { name, data }] of (await model.weights()).entries()) {
      const now = exact([1, data.length], data);
      const isStatistic = name.includes('running');
      const wanted = isStatistic ? now : runningAverage(now, expected.get(name), 1 - 0.75);
      expected.set(name, wanted);
      expect(averaged[i]?.name).toBe(name);
      expect(averaged[i]?.data).toBeWithin(wanted, `${name} after step ${number}`);
    }
  }
});

test('the averages are evaluated as a model that has them, in between and beside the model itself', async () => {
  const gpu = await sharedGpu();
  using model = await create();
  using trainer = await trainerOf(model);
  using data = Dataset.create(gpu, { inputs, features: 5, classes: labels });
  using stream = Dataset.create(gpu, { inputs, features: 5, classes: labels, chunk: 8 });
  // Before the first step there are no averages but the parameters.
  expect(await trainer.evaluate(data, { weights: 'ema' })).toEqual(await trainer.evaluate(data));
  const measured: number[] = [];
  await trainer.fit(data, {
    epochs: 2,
    onEpoch: async () => {
      measured.push((await trainer.evaluate(data, { weights: 'ema' })).loss);
    },
  });
  const before = await hashOf(model);
  using copy = await create();
  copy.setWeights(await trainer.averaged());
  using other = await trainerOf(copy, {});
  const { loss } = await other.evaluate(data);
  expect(measured[1]).toBe(loss);
  expect((await trainer.evaluate(stream, { weights: 'ema' })).loss).toBe(loss);
  expect((await trainer.evaluate(data)).loss).not.toBe(loss);
  expect(await hashOf(model)).toBe(before);
});

test('training has the same bits with averages as without; a checkpoint has them', async () => {
  using data = Dataset.create(await sharedGpu(), { inputs, features: 5, classes: labels });
  using plain = await create();
  using averaging = await create();
  using without = await trainerOf(plain, {});
  using trainer = await trainerOf(averaging);
  await without.fit(data, { epochs: 2 });
  await trainer.fit(data, { epochs: 1 });
  const bytes = await trainer.checkpoint();
  await trainer.fit(data, { epochs: 1 });
  expect(await hashOf(averaging)).toBe(await hashOf(plain));
  using model = await create();
  using again = await trainerOf(model);
  await again.restore(bytes);
  await again.fit(data, { epochs: 1 });
  expect(await again.averaged()).toEqual(await trainer.averaged());
  await expect(without.restore(bytes)).rejects.toThrow('restore: the checkpoint has ema = 0.75');
});

test('bad options are refused, and what averages take is freed', async () => {
  const gpu = await sharedGpu();
  using model = await create();
  using plain = await trainerOf(model, {});
  using data = Dataset.create(gpu, { inputs, features: 5, classes: labels });
  const before = await settledBytes(gpu);
  const wrong: readonly (readonly [ema: object, message: string])[] = [
    [{ decay: 1 }, 'trainer: ema with decay = 1; decay must be a number in [0, 1).'],
    [null as unknown as object, 'trainer: ema: options = null; options must be { decay }.'],
    [{ momentum: 0.9 }, 'trainer: ema has no option "momentum".'],
  ];
  for (const [ema, message] of wrong) await expect(trainerOf(model, { ema })).rejects.toThrow(message);
  (await trainerOf(model)).dispose();
  expect(await settledBytes(gpu)).toBe(before);
  await expect(plain.averaged()).rejects.toThrow('averaged: this trainer has no averages.');
  await expect(plain.evaluate(data, { weights: 'ema' })).rejects.toThrow(
    'evaluate: weights = "ema" (a string); this trainer has no averages; make it with { ema: { decay: 0.999 } }.',
  );
  await expect(plain.evaluate(data, { weights: 'mean' as 'ema' })).rejects.toThrow('it must be "model" or "ema".');
});
