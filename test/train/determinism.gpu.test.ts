import { expect, test } from 'vitest';
import {
  adam,
  batchNorm,
  cosine,
  Dataset,
  dense,
  dropout,
  Gpu,
  layerNorm,
  Mlp,
  residual,
  type Schedule,
  softmaxCrossEntropy,
  type Trainer,
  warmUp,
} from '../../src/index.js';
import { sharedGpu } from '../support/gpu.js';
import { clusters, hashOf } from '../support/problems.js';

// Everything at once that draws, remembers or counts: masks, the order of samples, running statistics, Adam's moments and its number
// of the step, the schedule's epoch, a clip by a norm.

const FEATURES = 6;
const CLASSES = 3;
const EPOCHS = 4;
const { inputs, labels } = clusters(67, FEATURES, CLASSES);

interface Training {
  readonly model: Mlp;
  readonly trainer: Trainer;
}

async function start(gpu: Gpu, seed: number, stepsPerSubmit: number | 'auto' = 'auto'): Promise<Training> {
  const layers = [
    dense(20, 'relu'),
    batchNorm(),
    dropout(0.3),
    residual([dense(9, 'prelu'), layerNorm(), dropout(0.1), dense(20)], { activation: 'swish' }),
    dense(CLASSES),
  ];
  const model = await Mlp.create(gpu, { inputs: FEATURES, layers, seed });
  const options = { loss: softmaxCrossEntropy(), optimizer: adam({ learningRate: 0.01 }), batchSize: 16 };
  return { model, trainer: await model.trainer({ ...options, clip: { norm: 0.5 }, stepsPerSubmit }) };
}

const schedule = (): Schedule => warmUp({ epochs: 1, after: cosine({ epochs: EPOCHS }) });
/** The last batch of an epoch has three rows. */
const dataOn = (gpu: Gpu): Dataset => Dataset.create(gpu, { inputs, features: FEATURES, classes: labels });

async function train({ trainer }: Training, gpu: Gpu, epochs: number): Promise<number[]> {
  using data = dataOn(gpu);
  const history = await trainer.fit(data, { epochs, schedule: schedule(), validation: data });
  return history.flatMap(({ loss, learningRate, validation }) => [loss, learningRate, validation?.loss ?? Number.NaN]);
}

test('the same seed gives the same bits twice in a row, however many steps share a submit; another seed others', async () => {
  const gpu = await sharedGpu();
  const run = async (seed: number, stepsPerSubmit: number | 'auto'): Promise<string> => {
    const training = await start(gpu, seed, stepsPerSubmit);
    using model = training.model;
    const history = await train(training, gpu, EPOCHS);
    return `${await hashOf(model)} ${history}`;
  };
  const first = await run(1, 'auto');
  expect(await run(1, 'auto')).toBe(first);
  expect(await run(1, 1)).toBe(first);
  expect(await run(1, 3)).toBe(first);
  expect(await run(2, 'auto')).not.toBe(first);
});

test.for([0, 1, 2, 3])(
  'a checkpoint after %i of 4 epochs goes on to the same bits, on another device too',
  async (done) => {
    const gpu = await sharedGpu();
    const whole = await start(gpu, 1);
    const history = await train(whole, gpu, EPOCHS);
    const first = await start(gpu, 1);
    const before = await train(first, gpu, done);
    const bytes = await first.trainer.checkpoint();
    // What comes behind it must not be in it.
    await train(first, gpu, 1);
    using other = await Gpu.request();
    const second = await start(other, 1);
    await second.trainer.restore(bytes);
    const after = await train(second, other, EPOCHS - done);
    expect([...before, ...after]).toEqual(history);
    expect(await hashOf(second.model)).toBe(await hashOf(whole.model));
    // Training again where it was restored is training once more, not the same epoch.
    await second.trainer.restore(bytes);
    expect(await train(second, other, EPOCHS - done)).toEqual(after);
    for (const { model } of [whole, first]) model.dispose();
  },
);

test('a checkpoint between two steps goes on with the mask of the next one', async () => {
  const gpu = await sharedGpu();
  const step = ({ trainer }: Training, from: number): Promise<void> =>
    trainer.step(inputs.slice(FEATURES * from, FEATURES * (from + 16)), labels.slice(from, from + 16));
  const whole = await start(gpu, 1);
  for (let number = 0; number < 6; number++) await step(whole, 5 * number);
  const first = await start(gpu, 1);
  for (let number = 0; number < 3; number++) await step(first, 5 * number);
  const second = await start(gpu, 1);
  await second.trainer.restore(await first.trainer.checkpoint());
  for (let number = 3; number < 6; number++) await step(second, 5 * number);
  expect(await hashOf(second.model)).toBe(await hashOf(whole.model));
  for (const { model } of [whole, first, second]) model.dispose();
});
