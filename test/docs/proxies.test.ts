import { expect, test } from 'vitest';
import { isReactive, reactive, ref } from 'vue';
import * as api from '../../src/index.js';
import * as kernels from '../../src/kernels.js';
import { nullGpu } from '../support/null-gpu.js';
import { smallTraining } from '../support/small-training.js';

// A proxy of an object with private members cannot reach them: its methods throw a TypeError.

test("Vue's ref and reactive leave every object with private members as it is", async () => {
  const gpu = await nullGpu();
  const { model, trainer, data } = await smallTraining();
  const tensor = api.Tensor.from(gpu, [1, 2], [2]);
  const profile = await gpu.profile(() => undefined);
  for (const object of [gpu, model, trainer, data, tensor, tensor.view(0, [1]), trainer.plan]) {
    expect(ref(object).value, object.constructor.name).toBe(object);
    expect(reactive(object), object.constructor.name).toBe(object);
  }
  // No private members: a proxy does no harm.
  expect(String(reactive(profile))).toBe(String(profile));
  gpu.destroy();
});

const isClass = (value: unknown): value is { readonly prototype: object } =>
  typeof value === 'function' && /^class\b/.test(String(value));
// Vue makes no proxies of errors.
const classes = Object.entries<unknown>({ ...api, ...kernels }).flatMap(([name, value]) =>
  isClass(value) && !(value.prototype instanceof Error) ? [{ name, prototype: value.prototype }] : [],
);

test.each(classes)('nor does Vue make a proxy of another $name', ({ prototype }) => {
  expect(isReactive(reactive(Object.create(prototype) as object))).toBe(false);
});

test('options, layers, losses and data may be proxies', async () => {
  const { device, data } = await smallTraining();
  const options = reactive({ inputs: 5, layers: [api.dense(8, 'relu'), api.dense(3)], seed: 1 });
  const model = await api.Mlp.create(device, options as api.ModelOptions);
  const training = reactive({
    loss: api.softmaxCrossEntropy(),
    optimizer: api.sgd({ learningRate: 0.1 }),
    batchSize: 4,
  });
  const trainer = await model.trainer(training as api.TrainerOptions);
  await trainer.fit(data, reactive({ epochs: 1, signal: new AbortController().signal }));
  await model.predict(reactive([1, 2, 3, 4, 5]));
  expect(trainer.plan.toString()).not.toBe('');
});
