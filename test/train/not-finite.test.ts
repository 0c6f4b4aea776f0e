import { expect, test } from 'vitest';
import { adagrad, type NotFiniteError, sgd } from '../../src/index.js';
import type { FakeDevice } from '../support/fake-device.js';
import { errorOf, type SmallTraining, smallTraining } from '../support/small-training.js';

/** Makes each training step add 1 to all parameters and optimizer states, and step number `bad` and later ones give NaN. */
function trainUntil({ device }: { readonly device: FakeDevice }, bad: number): void {
  device.onReplay = ({ what, step, tensors }) => {
    if (what !== 'fit' || step === undefined) return;
    const steps = Math.ceil(step.rows / 4);
    const failing = step.index + steps > bad;
    const learned = new Map(tensors.filter(({ label }) => STATE.test(label)).map((tensor) => [tensor.storage, tensor]));
    for (const tensor of learned.values()) {
      const values = device.floats(tensor);
      values.set(values.map((value) => (failing ? Number.NaN : value + steps)));
    }
    const status = tensors.find(({ label }) => label === 'status');
    if (!failing || status === undefined) return;
    const words = new Uint32Array(device.floats(status).buffer, device.floats(status).byteOffset, status.length);
    words[0] = Math.min(words[0] ?? 0, bad);
  };
}
const STATE = /parameters|velocity|squares/;

const failureOf = (on: SmallTraining, options: object): Promise<unknown> =>
  errorOf(() => on.trainer.fit(on.data, { epochs: 9, ...options }));
const flat = async (on: SmallTraining): Promise<number[]> =>
  (await on.model.weights()).flatMap(({ data }) => [...data]);

test('stop leaves the parameters as they are, and says so', async () => {
  const on = await smallTraining();
  trainUntil(on, 14);
  const error = await failureOf(on, {});
  expect(error).toMatchObject({ name: 'NotFiniteError', step: 14, where: 'loss', restored: false });
  const { message } = error as NotFiniteError;
  expect(message).toContain('The parameters are those after this failure, and most likely not finite');
  expect(message).toContain('trainer.restore(checkpoint)');
  expect(message).toContain('smaller learning rate');
  expect(message).toContain('clip: { norm: 1 }');
  expect((await flat(on)).some(Number.isNaN)).toBe(true);
});

const optimizers = { 'one dispatch a step': sgd({ learningRate: 0.1, momentum: 0.9 }), several: adagrad() };
test.for(
  Object.entries(optimizers).flatMap(([name, optimizer]) =>
    [false, true].map((streamed) => ({ name, optimizer, streamed })),
  ),
)('restore puts back the state after the latest epoch: $name, streamed $streamed', async ({ optimizer, streamed }) => {
  const on = await smallTraining({ optimizer, stepsPerSubmit: 2 });
  const data = streamed ? on.makeStream() : on.data;
  const before = await flat(on);
  // Of six steps an epoch, the third of the third epoch fails.
  trainUntil(on, 14);
  const checkpoints: Uint8Array[] = [];
  const error = await errorOf(() =>
    on.trainer.fit(data, {
      epochs: 9,
      onNotFinite: 'restore',
      onEpoch: async () => void checkpoints.push(await on.trainer.checkpoint()),
    }),
  );
  expect(error).toMatchObject({ name: 'NotFiniteError', step: 14, restored: true });
  expect((error as NotFiniteError).message).toContain('are again as they were after epoch 2 (step 12).');
  expect(await flat(on)).toEqual(before.map((value) => expect.closeTo(value + 12, 4)));
  // All that a checkpoint has: optimizer state, steps and epochs too.
  expect(checkpoints.length).toBe(2);
  expect(await on.trainer.checkpoint()).toEqual(checkpoints[1]);
  expect(await on.trainer.loss()).toBeNaN();
  // Training goes on from there.
  on.device.onReplay = undefined;
  expect((await on.trainer.fit(data, { epochs: 1 })).length).toBe(1);
});

test('restore in the first epoch puts back the state that fit began with', async () => {
  const on = await smallTraining();
  const before = await flat(on);
  trainUntil(on, 0);
  const error = await failureOf(on, { onNotFinite: 'restore', earlyStopping: { monitor: 'loss' } });
  expect(error).toMatchObject({
    restored: true,
    message: expect.stringContaining('they were when fit began (step 0)'),
  });
  expect(await flat(on)).toEqual(before);
});

test('restore frees its copy, and no other form needs one', async () => {
  const on = await smallTraining();
  await on.trainer.fit(on.data, { epochs: 1 });
  const { usedBytes } = on.device.memory;
  const during: number[] = [];
  for (const onNotFinite of ['stop', 'ignore', 'restore'] as const) {
    await on.trainer.fit(on.data, {
      epochs: 1,
      onNotFinite,
      onEpoch: () => void during.push(on.device.memory.usedBytes),
    });
    expect(on.device.memory.usedBytes).toBe(usedBytes);
  }
  const [stop = 0, ignore = 0, restore = 0] = during;
  expect(ignore).toBe(stop);
  expect(restore).toBeGreaterThan(stop);
});

test('ignore goes on', async () => {
  const on = await smallTraining();
  trainUntil(on, 3);
  expect((await on.trainer.fit(on.data, { epochs: 2, onNotFinite: 'ignore' })).length).toBe(2);
});

test.for(['abort', true, null, 1])('onNotFinite = %j is refused', async (onNotFinite) => {
  const on = await smallTraining();
  expect(await failureOf(on, { onNotFinite })).toMatchObject({
    code: 'bad-option',
    message: expect.stringMatching(/^fit: onNotFinite = .*; onNotFinite must be "stop", "restore" or "ignore"\.$/),
  });
});

/** Replaces all weights during a pause in step 8, which is in the second epoch. @param what is done in the pause */
async function fitWithPause(on: SmallTraining, options: object, what: () => unknown): Promise<unknown> {
  let steps = 0;
  return await errorOf(() =>
    on.trainer.fit(on.data, {
      epochs: 3,
      ...options,
      onStep: async () => {
        steps += 1;
        if (steps !== 8) return;
        on.trainer.pause();
        await what();
        on.trainer.resume();
      },
    }),
  );
}
const setAll = async ({ model }: SmallTraining, value: number): Promise<void> =>
  model.setWeights((await model.weights()).map((weight) => ({ ...weight, data: weight.data.map(() => value) })));

test('restore keeps what others set during a pause', async () => {
  const on = await smallTraining();
  trainUntil(on, 10);
  const error = await fitWithPause(on, { onNotFinite: 'restore' }, () => setAll(on, 100));
  expect((error as NotFiniteError).message).toContain('they were after an update during a pause');
  // The steps in flight at the pause may follow the update; none of another state is in it.
  expect(new Set(await flat(on)).size).toBe(1);
  expect((await flat(on))[0]).toBeGreaterThanOrEqual(100);
});

test.for([
  { because: 'weights that are set', update: true },
  { because: 'a reader', update: false },
])(
  'early stopping after a pause with $because: epochs before it count, unless others have updated the model',
  async ({ update }) => {
    const on = await smallTraining();
    const before = await flat(on);
    trainUntil(on, Number.POSITIVE_INFINITY);
    // The loss, which the fake device leaves 0, never improves: the best epoch is the first, with 6 steps.
    await fitWithPause(on, { earlyStopping: { monitor: 'loss', patience: 9 } }, () =>
      update ? setAll(on, 1000) : on.model.weights(),
    );
    const found = await flat(on);
    if (update) expect(Math.min(...found)).toBeGreaterThanOrEqual(1000);
    else expect(found).toEqual(before.map((value) => expect.closeTo(value + 6, 4)));
  },
);
