import { expect, test } from 'vitest';
import { LimitError, MlpError } from '../../src/base/errors.js';
import {
  accuracy,
  adam,
  confusionMatrix,
  Dataset,
  dense,
  Mlp,
  softmaxCrossEntropy,
  Tensor,
  type Trainer,
} from '../../src/index.js';
import type { AnyMetric } from '../../src/nn/metrics/metric.js';
import { FakeDevice } from '../support/fake-device.js';
import { clusters } from '../support/problems.js';
import { errorOf, quiet } from '../support/small-training.js';

const FEATURES = 5;
const { inputs, labels } = clusters(24, FEATURES, 3);
const bytes = Uint8Array.from(inputs, (value) => 100 + 20 * value);

/** The parts that operations need; each is made before the fault. */
interface Setting {
  readonly device: FakeDevice;
  readonly model: Mlp;
  readonly trainer: Trainer<AnyMetric>;
  readonly data: Dataset;
  readonly validation: Dataset;
  readonly stream: Dataset;
  readonly tensor: Tensor;
}

const makeModel = (device: FakeDevice): Promise<Mlp> =>
  Mlp.create(device, { inputs: FEATURES, layers: [dense(70, 'relu'), dense(3)] });
const makeTrainer = (model: Mlp): Promise<Trainer<AnyMetric>> =>
  model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: adam({ learningRate: 0.1 }),
    batchSize: 4,
    clip: { norm: 1 },
    penalties: { l2: 1e-3 },
    metrics: [accuracy(), confusionMatrix()],
  });
const makeData = (device: FakeDevice): Dataset =>
  Dataset.create(device, { inputs, features: FEATURES, classes: labels });

async function setting(): Promise<Setting> {
  const device = new FakeDevice();
  const model = await makeModel(device);
  const read = (first: number, count: number) => ({
    inputs: inputs.slice(first * FEATURES, (first + count) * FEATURES),
    classes: labels.slice(first, first + count),
  });
  return {
    device,
    model,
    trainer: await makeTrainer(model),
    data: makeData(device),
    validation: makeData(device),
    stream: Dataset.stream(device, { length: 24, features: FEATURES, chunk: 8, read }),
    tensor: Tensor.from(device, inputs, [24, FEATURES]),
  };
}

/** Waits for all. @throws the error of one; or another, if several have one */
async function onlyError(all: readonly Promise<unknown>[]): Promise<void> {
  const settled = await Promise.allSettled(all);
  const errors: unknown[] = settled.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
  if (errors.length > 1) throw new Error(`It was told more than once: ${errors.join(' ')}`);
  if (errors.length > 0) throw errors[0];
}

/** Every call that allocates: the names that its errors may begin with, and the call, which gives back what it made. */
const calls: Readonly<Record<string, readonly [names: readonly string[], call: (on: Setting) => unknown]>> = {
  'Mlp.create': [['Mlp.create'], async ({ device }) => (await makeModel(device)).dispose()],
  'Dataset.create, and its first use': [
    ['Dataset.create', 'evaluate'],
    async ({ device, trainer }) => {
      using fresh = makeData(device);
      await trainer.evaluate(fresh);
    },
  ],
  trainer: [['trainer'], async ({ model }) => (await makeTrainer(model)).dispose()],
  'step on bytes, and its next use': [
    ['step'],
    async ({ device, trainer }) => {
      await trainer.step(bytes.subarray(0, 20), labels.subarray(0, 4));
      await trainer.step(bytes.subarray(0, 20), labels.subarray(0, 4));
      await quiet(device);
      await trainer.loss();
    },
  ],
  'step on bytes, and fit at once': [
    ['step', 'fit', 'earlyStopping', 'evaluate'],
    ({ trainer, data, validation }) =>
      onlyError([
        trainer.step(bytes.subarray(0, 20), labels.subarray(0, 4)),
        trainer.fit(data, { epochs: 1, validation }),
      ]),
  ],
  'gradients, and diagnose at once': [
    ['gradients', 'diagnose'],
    ({ trainer, data }) =>
      onlyError([trainer.gradients(inputs.subarray(0, 20), labels.subarray(0, 4)), trainer.diagnose(data)]),
  ],
  'diagnose, twice at once': [
    ['diagnose'],
    ({ trainer, data, validation }) => onlyError([trainer.diagnose(data), trainer.diagnose(validation)]),
  ],
  'step on bytes, and gradients at once': [
    ['step', 'gradients'],
    async ({ trainer }) => {
      const step = errorOf(() => trainer.step(bytes.subarray(0, 20), labels.subarray(0, 4)));
      const error = await errorOf(() => trainer.gradients(inputs.subarray(0, 20), labels.subarray(0, 4)));
      const told = await step;
      if (told !== undefined && error !== undefined) expect(told).toBe(error);
      if ((told ?? error) !== undefined) throw told ?? error;
    },
  ],
  gradients: [['gradients'], ({ trainer }) => trainer.gradients(inputs.subarray(0, 20), labels.subarray(0, 4))],
  checkGradients: [
    ['gradients', 'checkGradients'],
    ({ trainer }) => trainer.checkGradients(inputs.subarray(0, 20), labels.subarray(0, 4), { elements: 1 }),
  ],
  fit: [
    ['fit', 'earlyStopping', 'evaluate'],
    ({ trainer, data, validation }) =>
      trainer.fit(data, { epochs: 2, validation, earlyStopping: { monitor: 'validation.loss' } }),
  ],
  'fit of a stream': [['fit'], ({ trainer, stream }) => trainer.fit(stream, { epochs: 2 })],
  evaluate: [['evaluate'], ({ trainer, data }) => trainer.evaluate(data)],
  'evaluate of a stream': [['evaluate'], ({ trainer, stream }) => trainer.evaluate(stream)],
  diagnose: [['diagnose'], ({ trainer, data }) => trainer.diagnose(data, { bins: 4 })],
  lossSurface: [['lossSurface', 'evaluate'], ({ trainer, data }) => trainer.lossSurface(data, { points: 2 })],
  predict: [['predict'], ({ model }) => model.predict(inputs)],
  'predict of a tensor': [['predict'], ({ model, tensor }) => model.predict(tensor, { batchSize: 8 })],
  statistics: [['statistics'], ({ data }) => data.statistics()],
  'statistics of a stream': [['statistics'], ({ stream }) => stream.statistics()],
  checkpoint: [['checkpoint'], ({ trainer }) => trainer.checkpoint()],
};

/** Calls of several parts, of which a trainer or a model keeps those that it has made: the next call finds them. */
const keepsParts = [
  'step on bytes, and fit at once',
  'step on bytes, and gradients at once',
  'gradients, and diagnose at once',
  'diagnose, twice at once',
  'fit',
  'diagnose',
  'predict',
];

const cases = Object.entries(calls).flatMap(([name, [names, call]]) =>
  (['outOfMemory', 'limit'] as const).map((fault) => ({ name, names, call, fault })),
);
test.for(cases)('$name: $fault at each allocation is told once, and leaves nothing behind', async (wanted) => {
  const { name, names, call, fault } = wanted;
  const intact = await setting();
  await call(intact);
  await quiet(intact.device);
  for (let allocation = 1; ; allocation++) {
    const on = await setting();
    const { device, model, trainer } = on;
    await quiet(device);
    const before = device.memory;
    const plans = new Set(device.bound);
    device.plan({ [fault]: allocation });
    const error = await errorOf(() => call(on));
    const where = `${fault} at allocation ${allocation}`;
    if (device.isFaultAhead) {
      expect(error, 'without a fault').toBeUndefined();
      // A checkpoint only reads.
      expect(allocation).toBeGreaterThan(name === 'checkpoint' ? 0 : 2);
      return;
    }
    if (fault === 'limit') expect(error, where).toBeInstanceOf(LimitError);
    else {
      expect(error, where).toBeInstanceOf(MlpError);
      const { code, message } = error as MlpError;
      expect(code, `${where}: ${message}`).toBe('out-of-memory');
      expect(names, where).toContain(message.split(':')[0]);
    }
    await quiet(device);
    if (keepsParts.includes(name)) {
      expect(device.memory.usedBytes, where).toBeLessThanOrEqual(intact.device.memory.usedBytes);
    } else {
      expect(device.memory, where).toEqual(before);
      expect(device.bound, where).toEqual(plans);
    }
    expect(await errorOf(() => call(on)), `again, after ${where}`).toBeUndefined();
    expect(await errorOf(() => trainer.loss()), `after ${where}`).toBeUndefined();
    await quiet(device);
    expect(device.memory, `again, after ${where}`).toEqual(intact.device.memory);
    model.dispose();
    for (const each of [on.data, on.validation, on.stream, on.tensor]) each.dispose();
    await quiet(device);
    expect(device.memory.usedBytes, where).toBe(0);
  }
});
