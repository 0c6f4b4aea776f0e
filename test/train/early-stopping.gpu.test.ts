import { expect, test } from 'vitest';
import {
  accuracy,
  batchNorm,
  Dataset,
  dense,
  type Metric,
  Mlp,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
} from '../../src/index.js';
import { settledBytes, sharedGpu } from '../support/gpu.js';
import { clusters, hashOf } from '../support/problems.js';

interface Setting {
  readonly model: Mlp;
  readonly trainer: Trainer<Metric<'accuracy'>>;
  readonly data: Dataset;
}

/** Learns, so that its loss falls in each of the first epochs; with running statistics, which are no parameters. */
async function start(): Promise<Setting> {
  const gpu = await sharedGpu();
  const layers = [dense(8, 'tanh'), batchNorm(), dense(3)];
  const model = await Mlp.create(gpu, { inputs: 4, layers, seed: 1 });
  const optimizer = sgd({ learningRate: 0.05 });
  const metrics = [accuracy()];
  const trainer = await model.trainer({ loss: softmaxCrossEntropy(), optimizer, metrics, batchSize: 16 });
  const { inputs, labels } = clusters(64, 4, 3);
  return { model, trainer, data: Dataset.create(gpu, { inputs, features: 4, classes: labels }) };
}

const end = ({ model, data }: Setting): void => {
  model.dispose();
  data.dispose();
};

/** The parameters after so many epochs, running statistics included. */
async function after(epochs: number): Promise<string> {
  const setting = await start();
  await setting.trainer.fit(setting.data, { epochs });
  const hash = await hashOf(setting.model);
  end(setting);
  return hash;
}

test('fit ends after `patience` epochs that are not better, and the model has its best epoch', async () => {
  const usedBytes = await settledBytes(await sharedGpu());
  const setting = await start();
  // The loss falls, so that with `max` every epoch but the first is worse.
  const earlyStopping = { monitor: 'loss', mode: 'max', patience: 3 } as const;
  const history = await setting.trainer.fit(setting.data, { epochs: 20, earlyStopping });
  expect(history.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
  const losses = history.map(({ loss }) => loss);
  expect([...losses].sort((a, b) => b - a)).toEqual(losses);
  expect(await hashOf(setting.model)).toBe(await after(1));
  end(setting);
  expect(await settledBytes(await sharedGpu()), 'nothing is left behind').toBe(usedBytes);
});

test('as long as it improves, fit goes on, and nothing is put back', async () => {
  const setting = await start();
  const history = await setting.trainer.fit(setting.data, {
    epochs: 4,
    validation: setting.data,
    earlyStopping: { patience: 1 },
  });
  expect(history.length).toBe(4);
  expect(await hashOf(setting.model)).toBe(await after(4));
  end(setting);
});

test('an improvement smaller than minimumDelta is none', async () => {
  const setting = await start();
  const earlyStopping = { monitor: 'loss', patience: 2, minimumDelta: 10, restoreBest: false };
  const history = await setting.trainer.fit(setting.data, { epochs: 20, earlyStopping });
  expect(history.length).toBe(3);
  // Without restoreBest the model has its last epoch.
  expect(await hashOf(setting.model)).toBe(await after(3));
  end(setting);
});

test('the best is put back after the last epoch too, but not when fit was aborted', async () => {
  const setting = await start();
  const earlyStopping = { monitor: 'validation.accuracy', mode: 'min', patience: 10, minimumDelta: 1 } as const;
  await setting.trainer.fit(setting.data, { epochs: 3, validation: setting.data, earlyStopping });
  expect(await hashOf(setting.model)).toBe(await after(1));
  end(setting);

  const other = await start();
  const controller = new AbortController();
  const onEpoch = ({ epoch }: { readonly epoch: number }): void => {
    if (epoch === 2) controller.abort();
  };
  const { signal } = controller;
  await other.trainer.fit(other.data, { epochs: 3, validation: other.data, earlyStopping, signal, onEpoch });
  expect(await hashOf(other.model)).toBe(await after(2));
  end(other);
});

test('what an epoch does not give, and options out of range, are refused before anything is trained', async () => {
  const setting = await start();
  const before = await hashOf(setting.model);
  const refused = async (earlyStopping: object, message: string): Promise<void> => {
    const fitting = setting.trainer.fit(setting.data, { epochs: 1, earlyStopping });
    await expect(fitting).rejects.toMatchObject({ code: 'bad-option', message: expect.stringContaining(message) });
  };
  await refused({}, 'monitor = "validation.loss", which an epoch does not give. It gives loss, accuracy');
  await refused({ monitor: 'loss', patience: 0 }, 'patience = 0');
  await refused({ monitor: 'loss', minimumDelta: -1 }, 'minimumDelta = -1');
  await refused({ monitor: 'loss', mode: 'least' }, 'mode = "least"');
  expect(await hashOf(setting.model)).toBe(before);
  // It can be used as before.
  expect((await setting.trainer.fit(setting.data, { epochs: 1 })).length).toBe(1);
  end(setting);
});
