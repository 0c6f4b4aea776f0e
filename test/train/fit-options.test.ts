import { expect, test, vi } from 'vitest';
import {
  accuracy,
  binaryCrossEntropy,
  cosine,
  Dataset,
  dense,
  Mlp,
  MlpError,
  sgd,
  softmaxCrossEntropy,
} from '../../src/index.js';
import { smallTraining } from '../support/small-training.js';

test('a finished schedule is warned of once, and restart begins it again', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const on = await smallTraining({ optimizer: sgd({ learningRate: 0.5 }) });
  const schedule = cosine({ epochs: 2, per: 'epoch' });
  const rates = async (epochs: number, restart?: boolean): Promise<number[]> =>
    (await on.trainer.fit(on.data, { epochs, schedule, restart })).map(({ learningRate }) => learningRate);
  expect(await rates(2)).toEqual([0.5, 0.25]);
  expect(warn).not.toHaveBeenCalled();
  expect(await rates(2)).toEqual([0, 0]);
  expect(await rates(1)).toEqual([0]);
  expect(warn.mock.calls).toEqual([[expect.stringMatching(/cosine has come to its end.*restart: true/)]]);
  expect(await rates(1, true)).toEqual([0.5]);
  // A checkpoint in the middle of the restarted schedule goes on along it.
  const bytes = await on.trainer.checkpoint();
  const other = await on.makeTrainer();
  await other.restore(bytes);
  const [entry] = await other.fit(on.data, { epochs: 1, schedule });
  expect(entry?.learningRate).toBe(0.25);
  warn.mockRestore();
});

test('restart without a schedule is refused', async () => {
  const { trainer, data } = await smallTraining();
  await expect(trainer.fit(data, { epochs: 1, restart: true })).rejects.toThrow('there is no schedule');
});

test('a share of the samples is held out, and its data sets are released', async () => {
  const on = await smallTraining();
  const [entry] = await on.trainer.fit(on.data, { epochs: 1, validation: 0.25 });
  // 22 samples: 6 are held out, and 16 are 4 batches.
  expect(entry?.steps).toBe(4);
  expect(entry?.validation).toBeDefined();
  const used = on.device.memory.usedBytes;
  await on.trainer.fit(on.data, { epochs: 1, validation: 0.25 });
  expect(on.device.memory.usedBytes).toBe(used);
  for (const [validation, message] of [
    [1.5, 'validation must be a Dataset, or a share'],
    [0, 'validation must be a Dataset, or a share'],
    [0.001, 'leaves a part empty'],
  ] as const) {
    await expect(on.trainer.fit(on.data, { epochs: 1, validation })).rejects.toThrow(message);
  }
});

test.each(['onEpoch', 'onStep'] as const)(
  'a model that is disposed of in %s ends fit with an error that names it',
  async (name) => {
    const { trainer, model, data } = await smallTraining();
    await expect(trainer.fit(data, { epochs: 3, [name]: () => model.dispose() })).rejects.toThrow(
      'This model has been disposed',
    );
  },
);

test('an AbortController in the place of its signal is refused', async () => {
  const { trainer, data } = await smallTraining();
  const signal = new AbortController() as unknown as AbortSignal;
  await expect(trainer.fit(data, { epochs: 1, signal })).rejects.toThrow('Pass controller.signal.');
});

test('one softmax unit with classes 0 and 1 is told of binaryCrossEntropy', async () => {
  const { device } = await smallTraining();
  const model = await Mlp.create(device, { inputs: 1, layers: [dense(1, 'softmax')] });
  const trainer = await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 1 }),
    batchSize: 2,
  });
  const data = Dataset.create(device, { inputs: [0, 1], features: 1, classes: [0, 1] });
  await expect(trainer.fit(data, { epochs: 1 })).rejects.toThrow('Use binaryCrossEntropy()');
});

test('metrics that are no list are refused', async () => {
  const { model } = await smallTraining();
  const options = {
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 1 }),
    batchSize: 2,
    metrics: accuracy(),
  };
  await expect(model.trainer(options as never)).rejects.toThrow('metrics must be a list, such as [accuracy()]');
  await expect(model.trainer({ ...options, loss: binaryCrossEntropy } as never)).rejects.toThrow(MlpError);
});
