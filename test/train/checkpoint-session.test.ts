import { expect, test } from 'vitest';
import { MlpError } from '../../src/base/errors.js';
import { adam, reduceOnPlateau } from '../../src/index.js';
import { errorOf, quiet, type SmallTraining, smallTraining } from '../support/small-training.js';

/** A training whose replays write their numbers into everything that a checkpoint has. */
async function setting(): Promise<SmallTraining> {
  const on = await smallTraining({ optimizer: adam({ learningRate: 0.1 }) });
  on.device.onReplay = ({ what, step, tensors }) => {
    if (what === 'evaluate' || step === undefined) return;
    for (const tensor of tensors.filter(({ label }) => label !== 'status'))
      on.device.floats(tensor)[0] = 1 + step.index;
  };
  return on;
}

const trained = ({ device }: SmallTraining): number[] =>
  device.replays.flatMap(({ what, step }) => (what === 'fit' ? [step?.index ?? -1] : []));

test('a checkpoint brings bytes, steps, epochs and the memory of a schedule to another trainer', async () => {
  const [one, other] = [await setting(), await setting()];
  const schedule = reduceOnPlateau({ monitor: 'loss', patience: 1 });
  await one.trainer.fit(one.data, { epochs: 2, schedule });
  const blob = await one.trainer.checkpoint();
  await other.trainer.step(other.x, other.y);
  await other.trainer.restore(blob);
  expect(await other.trainer.checkpoint()).toEqual(blob);
  expect(await other.model.weights()).toEqual(await one.model.weights());
  expect((await other.model.weights())[0]?.data[0]).toBe(12);
  // The loss of the last step is not part of it.
  expect(await other.trainer.loss()).toBeNaN();
  await one.trainer.fit(one.data, { epochs: 1, schedule });
  await other.trainer.fit(other.data, { epochs: 1, schedule });
  expect(trained(other)).toEqual([12, 13, 14, 15, 16, 17]);
  expect(await other.trainer.checkpoint()).toEqual(await one.trainer.checkpoint());
});

test('a checkpoint is of the moment of its call, whatever is queued behind it', async () => {
  const { trainer, x, y } = await setting();
  await trainer.step(x, y);
  const before = await trainer.checkpoint();
  const taken = trainer.checkpoint();
  const behind = trainer.step(x, y);
  trainer.learningRate = 5;
  expect(await taken).toEqual(before);
  await behind;
  expect(await trainer.checkpoint()).not.toEqual(before);
});

test('a checkpoint is busy in the middle of an epoch, and taken between epochs', async () => {
  const on = await setting();
  const { device, trainer, data } = on;
  const busy = new MlpError('busy', 'checkpoint: fit is in the middle of an epoch. Call it in onEpoch, or await fit.');
  const within: unknown[] = [];
  const between: Uint8Array[] = [];
  await trainer.fit(data, {
    epochs: 2,
    validation: data,
    onStep: async () => {
      within.push(await errorOf(() => trainer.checkpoint()));
    },
    onEpoch: async () => {
      between.push(await trainer.checkpoint());
    },
  });
  expect(within.length).toBeGreaterThan(2);
  for (const error of within) expect(error).toEqual(busy);
  expect(between).toHaveLength(2);
  expect(await trainer.checkpoint()).toEqual(between[1]);
  await quiet(device);
});

test('nothing is restored while fit runs, nor from bytes that are not whole', async () => {
  const { device, trainer, data } = await setting();
  const blob = await trainer.checkpoint();
  const codes: unknown[] = [];
  await trainer.fit(data, {
    epochs: 1,
    onEpoch: async () => {
      codes.push(await errorOf(() => trainer.restore(blob)));
    },
  });
  expect(codes).toEqual([
    new MlpError('busy', 'restore: fit is running on this model. Await it, or stop it through its signal.'),
  ]);
  const after = await trainer.checkpoint();
  const writes = device.log.length;
  const changed = blob.slice();
  changed[20] = (changed[20] ?? 0) ^ 1;
  expect(await errorOf(() => trainer.restore(changed))).toMatchObject({ code: 'format' });
  expect(device.log.length).toBe(writes);
  expect(await trainer.checkpoint()).toEqual(after);
});

test('a fit that begins while a restore is on its way is not undone by it', async () => {
  const { trainer, data } = await setting();
  const blob = await trainer.checkpoint();
  const restoring = errorOf(() => trainer.restore(blob));
  const training = trainer.fit(data, { epochs: 1 });
  expect(await restoring).toMatchObject({ code: 'busy' });
  expect(await training).toHaveLength(1);
});
