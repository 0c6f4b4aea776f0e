import { expect, test } from 'vitest';
import { dense } from '../../src/index.js';
import { Model } from '../../src/model/model.js';
import { type EarlyStoppingOptions, earlyStopping } from '../../src/train/early-stopping.js';
import { FakeDevice } from '../support/fake-device.js';
import { errorOf } from '../support/small-training.js';

const OUTCOME = { loss: 0, accuracy: 0, validation: { loss: 0 } };

async function setting(): Promise<{ device: FakeDevice; model: Model }> {
  const device = new FakeDevice();
  const model = await Model.create(device, { inputs: 2, layers: [dense(2)] });
  // The initial values are drawn before anything is copied.
  await model.weights();
  return { device, model };
}

interface Case {
  readonly because: string;
  readonly options: EarlyStoppingOptions;
  readonly losses: readonly number[];
  /** The epoch that was one too many. */
  readonly stops: number | undefined;
  /** The epoch whose parameters the model has in the end. */
  readonly has: number;
}
const cases: readonly Case[] = [
  {
    because: 'the patience is counted from the best',
    options: { patience: 2 },
    losses: [3, 1, 2, 2],
    stops: 4,
    has: 2,
  },
  {
    because: 'an improvement starts it anew',
    options: { patience: 2 },
    losses: [3, 4, 2, 3, 1],
    stops: undefined,
    has: 5,
  },
  {
    because: 'the last was worse, but none too many',
    options: { patience: 2 },
    losses: [1, 2],
    stops: undefined,
    has: 1,
  },
  { because: 'the same is no improvement', options: { patience: 1 }, losses: [1, 1], stops: 2, has: 1 },
  { because: 'less than the least', options: { patience: 1, minimumDelta: 0.5 }, losses: [2, 1.5], stops: 2, has: 1 },
  {
    because: 'more than the least',
    options: { patience: 1, minimumDelta: 0.5 },
    losses: [2, 1.4],
    stops: undefined,
    has: 2,
  },
  { because: 'more is better', options: { patience: 1, mode: 'max' }, losses: [1, 2, 1], stops: 3, has: 2 },
  {
    because: 'NaN is never an improvement',
    options: { patience: 2 },
    losses: [Number.NaN, 5, Number.NaN, 6],
    stops: 4,
    has: 2,
  },
  { because: 'there is no best', options: { patience: 2 }, losses: [Number.NaN, Number.NaN], stops: 2, has: 2 },
  { because: 'nothing is kept', options: { patience: 1, restoreBest: false }, losses: [1, 2], stops: 2, has: 2 },
];
test.for(cases)('$because', async ({ options, losses, stops, has }) => {
  const { device, model } = await setting();
  const before = device.memory;
  const stopping = await earlyStopping(model, { monitor: 'loss', ...options }, OUTCOME);
  let stopped: number | undefined;
  for (const [index, loss] of losses.entries()) {
    for (const tensor of [model.flatParameters, model.flatBuffers]) device.floats(tensor).fill(index + 1);
    if (stopping.observe({ ...OUTCOME, loss })) stopped = index + 1;
  }
  expect(stopped).toBe(stops);
  stopping.restore();
  for (const tensor of [model.flatParameters, model.flatBuffers])
    expect(new Set(await tensor.read())).toEqual(new Set([has]));
  stopping.dispose();
  expect(device.memory).toEqual(before);
});

const wrong: readonly (readonly [options: object, message: string])[] = [
  [{ patience: 0 }, 'earlyStopping: patience = 0'],
  [{ minimumDelta: -1 }, 'earlyStopping: minimumDelta = -1'],
  [{ mode: 'least' }, 'earlyStopping: mode = "least"'],
  [{ monitor: 'f1' }, 'monitor = "f1", which an epoch does not give. It gives loss, accuracy, validation.loss.'],
];
test.for(wrong)('%j is refused before anything is allocated', async ([options, message]) => {
  const { device, model } = await setting();
  const before = device.memory;
  const error = await errorOf(() => earlyStopping(model, options, OUTCOME));
  expect(error).toMatchObject({ code: 'bad-option', message: expect.stringContaining(message) });
  expect(device.memory).toEqual(before);
});
