import { expect, test } from 'vitest';
import { commands } from 'vitest/browser';
import {
  accuracy,
  cosine,
  DataError,
  Dataset,
  DeviceLostError,
  DisposedError,
  dense,
  Gpu,
  type Layer,
  LimitError,
  type Metric,
  Mlp,
  MlpError,
  type Normalization,
  NotFiniteError,
  ShapeError,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
} from '../src/index.js';
import { sharedGpu } from './support/gpu.js';
import { clusters, hashOf } from './support/problems.js';

const loss = softmaxCrossEntropy();
const optimizer = sgd({ learningRate: 0.1 });

async function small(gpu: Gpu): Promise<{ model: Mlp; trainer: Trainer<Metric<'accuracy'>>; data: Dataset }> {
  const { inputs, labels } = clusters(40, 4, 3);
  const model = await Mlp.create(gpu, { inputs: 4, layers: [dense(5, 'relu'), dense(3)], seed: 1 });
  const trainer = await model.trainer({ loss, optimizer, metrics: [accuracy()], batchSize: 8 });
  return { model, trainer, data: Dataset.create(gpu, { inputs, features: 4, classes: labels }) };
}

const relu = 'rleu' as 'relu';
const badModels: [string, { inputs: number; layers: Layer[]; seed?: number; normalize?: Normalization }, string][] = [
  [
    'units = 0',
    { inputs: 4, layers: [dense(5), dense(3), dense(0)] },
    'Mlp.create: layer 2 (dense) has units = 0; units must be a positive integer.',
  ],
  ['units = 1.5', { inputs: 4, layers: [dense(1.5)] }, 'layer 0 (dense) has units = 1.5'],
  ['units = NaN', { inputs: 4, layers: [dense(Number.NaN)] }, 'layer 0 (dense) has units = NaN'],
  ['no layers', { inputs: 4, layers: [] }, 'layers is empty; a model needs at least one.'],
  ['inputs = −1', { inputs: -1, layers: [dense(3)] }, 'inputs = -1; inputs must be a positive integer.'],
  [
    'an unknown activation',
    { inputs: 4, layers: [dense(3, relu)] },
    'Activation "rleu" is not known. Known: linear, relu,',
  ],
  ['α = NaN', { inputs: 4, layers: [dense(3, { type: 'elu', alpha: Number.NaN })] }, 'elu has alpha = NaN'],
  [
    'an unknown initializer',
    { inputs: 4, layers: [dense(3, 'relu', { initializer: 'he' as 'heNormal' })] },
    'layer 0 (dense) has initializer "he", which is not known. Known: zeros, constant, normal, uniform, heNormal,',
  ],
  [
    'an initializer for matrices at a bias',
    { inputs: 4, layers: [dense(3, 'relu', { biasInitializer: 'heNormal' })] },
    'layer 0 (dense) has biasInitializer "heNormal", which is for weights. Known: zeros, constant, normal, uniform.',
  ],
  ['a fractional seed', { inputs: 4, layers: [dense(3)], seed: 0.5 }, 'seed = 0.5; seed must be an integer ≥ 0.'],
  [
    'std = 0',
    { inputs: 4, layers: [dense(3)], normalize: { mean: 0, std: 0 } },
    'normalize of feature 0 has mean = 0 and std = 0; std must be > 0, mean/std and 1/std finite in float32.',
  ],
  [
    'a mean beyond float32',
    { inputs: 4, layers: [dense(3)], normalize: { mean: 1e39, std: 1 } },
    'normalize of feature 0 has mean = 1e+39 and std = 1; std must be > 0, mean/std and 1/std finite in float32.',
  ],
  [
    'a deviation whose inverse is beyond float32',
    { inputs: 2, layers: [dense(3)], normalize: { mean: [0, 0], std: [1, 1e-40] } },
    'normalize of feature 1 has mean = 0 and std = 1e-40; ',
  ],
  [
    'an unknown normalisation',
    { inputs: 4, layers: [dense(3)], normalize: 'none' as 'unit' },
    'normalize is "none" (a string); it must be "unit", "signed" or { mean, std }.',
  ],
  [
    'a name in the place of a layer',
    { inputs: 4, layers: [dense(3), 'relu' as unknown as Layer] },
    'layer 1 is "relu" (a string); it must be a value like dense(10).',
  ],
  [
    'a layer that was not called',
    { inputs: 4, layers: [dense as unknown as Layer] },
    'layer 0 is a function; it must be a value like dense(10).',
  ],
  [
    'a layer of your own without a width',
    { inputs: 4, layers: [{ ...dense(3), outputs: () => Number.NaN }] },
    'layer 0 (dense) has outputs = NaN; outputs must be a positive integer.',
  ],
];
test.for(badModels)('Mlp.create refuses %s', async ([, options, message]) => {
  const gpu = await sharedGpu();
  const before = gpu.memory;
  await expect(Mlp.create(gpu, options)).rejects.toThrow(message);
  await expect(Mlp.create(gpu, options)).rejects.toThrow(MlpError);
  expect(gpu.memory).toEqual(before);
});

const badData: [string, Parameters<typeof Dataset.create>[1], string][] = [
  [
    'a wrong length',
    { inputs: new Float32Array(7), features: 2, classes: [0, 0, 0] },
    'inputs has 7 numbers, not a multiple of the 2 features of a sample.',
  ],
  [
    'features = 0',
    { inputs: new Float32Array(4), features: 0, classes: [0] },
    'features = 0; features must be a positive integer.',
  ],
  ['no samples', { inputs: new Float32Array(0), features: 2, classes: [] }, 'there are no samples.'],
  ['too few classes', { inputs: new Float32Array(4), features: 2, classes: [0] }, 'there are 2 samples but 1 classes.'],
  [
    'a fractional class',
    { inputs: new Float32Array(4), features: 2, classes: [0, 1.5] },
    'classes[1] is 1.5; a class is an integer ≥ 0.',
  ],
  ['a negative class', { inputs: new Float32Array(4), features: 2, classes: [-1, 0] }, 'classes[0] is -1'],
  [
    'a NaN',
    { inputs: [0, 0, 0, Number.NaN, 0, 0], features: 2, classes: [0, 0, 0] },
    'inputs at row 1, column 1 is NaN; it must be a finite float32 number.',
  ],
  ['a number beyond float32', { inputs: [1e39, 0], features: 2, classes: [0] }, 'inputs at row 0, column 0 is 1e+39'],
  [
    'a NaN target',
    { inputs: [1, 2], features: 1, targets: [0, 1, 1, Number.NaN] },
    'targets at row 1, column 1 is NaN',
  ],
  ['neither classes nor targets', { inputs: [1, 2], features: 1 }, 'pass either classes or targets; got neither.'],
  [
    'targets of a wrong length',
    { inputs: [1, 2], features: 1, targets: [1, 0, 1] },
    'targets has 3 numbers, not a multiple of the 2 samples.',
  ],
];
test.for(badData)('Dataset.create refuses %s', async ([, options, message]) => {
  const gpu = await sharedGpu();
  const before = gpu.memory;
  expect(() => Dataset.create(gpu, options)).toThrow(message);
  expect(() => Dataset.create(gpu, options)).toThrow(MlpError);
  expect(gpu.memory).toEqual(before);
});

test.for([
  ['a web page', '<!doctype html><title>404</title>', 'a web page, not IDX'],
  ['nothing', '', 'IDX'],
])('Dataset.fromIdx refuses %s', async ([, text, message]) => {
  const gpu = await sharedGpu();
  const bytes = new TextEncoder().encode(text);
  await expect(Dataset.fromIdx(gpu, bytes, bytes)).rejects.toThrow(message);
  await expect(Dataset.fromIdx(gpu, bytes, bytes)).rejects.toThrow(DataError);
});

test('Dataset.fromIdx reads images and labels, and refuses a truncated file', async () => {
  const gpu = await sharedGpu();
  const images = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6);
  const labels = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 4, 9);
  using data = await Dataset.fromIdx(gpu, images, labels);
  expect([data.length, data.features, data.classCount]).toEqual([2, 3, 10]);
  await expect(Dataset.fromIdx(gpu, images.subarray(0, 20), labels)).rejects.toThrow(DataError);
  await expect(Dataset.fromIdx(gpu, labels, images)).rejects.toThrow(DataError);
  await expect(Dataset.fromIdx(gpu, labels, labels)).rejects.toThrow(
    'Dataset.fromIdx: the IDX file of images has 1 dimension, as labels have; images have 3.',
  );
  await expect(Dataset.fromIdx(gpu, images, Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 1, 4))).rejects.toThrow(
    '2 images but 1 labels',
  );
});

test('JavaScript may pass names, functions that were not called, and nothing: each is said in words', async () => {
  const { model, trainer, data } = await small(await sharedGpu());
  const not = <T>(value: unknown): T => value as T;
  const options = { loss, optimizer, batchSize: 8 };
  const wrong: [Partial<Parameters<typeof model.trainer>[0]>, string][] = [
    [{ loss: not('mse') }, 'trainer: loss is "mse" (a string); it must be a value like softmaxCrossEntropy().'],
    [{ loss: not(softmaxCrossEntropy) }, 'trainer: loss is a function; it must be'],
    [{ loss: not(undefined) }, 'trainer: loss is undefined; it must be'],
    [{ loss: { ...loss, link: not('linear') } }, 'trainer: the loss has link = "linear"; link must be "softmax"'],
    [
      { optimizer: not('adam') },
      'trainer: optimizer is "adam" (a string); it must be a value like sgd({ learningRate: 0.1 }).',
    ],
    [{ optimizer: not(sgd) }, 'trainer: optimizer is a function'],
    [{ optimizer: { ...optimizer, spec: not({ type: 'own' }) } }, 'the optimizer has learningRate = undefined'],
    [{ metrics: [not(accuracy)] }, 'trainer: a metric is a function; it must be a value like accuracy().'],
    [{ metrics: [not('accuracy')] }, 'trainer: a metric is "accuracy" (a string); it must be'],
  ];
  for (const [changes, message] of wrong) {
    await expect(model.trainer({ ...options, ...changes })).rejects.toThrow(message);
  }
  await expect(trainer.fit(data, { epochs: 1, schedule: not(cosine) })).rejects.toThrow(
    'fit: schedule is a function; it must be a value like cosine({ epochs: 1 }).',
  );
  expect((await trainer.fit(data, { epochs: 1 })).length).toBe(1);
});

test('bad calls of a trainer are refused and lose nothing', async () => {
  const gpu = await sharedGpu();
  const { model, trainer, data } = await small(gpu);
  const before = await hashOf(model);
  const memory = gpu.memory;
  const make = (features: number, classes: number[]): Dataset =>
    Dataset.create(gpu, { inputs: new Float32Array(features * classes.length), features, classes });
  using otherFeatures = make(5, new Array<number>(8).fill(0));
  using otherClasses = make(4, new Array<number>(8).fill(7));
  using notProbable = Dataset.create(gpu, { inputs: new Float32Array(32), features: 4, targets: new Float32Array(24) });
  const gone = make(4, new Array<number>(8).fill(0));
  gone.dispose();

  await expect(trainer.fit(otherFeatures, { epochs: 1 })).rejects.toThrow(
    'a sample of the data set has 5 features, but the model has 4 inputs.',
  );
  await expect(trainer.fit(otherClasses, { epochs: 1 })).rejects.toThrow(
    'the largest class is 7, but the model has 3 outputs, for classes 0 to 2.',
  );
  await expect(trainer.fit(notProbable, { epochs: 1 })).rejects.toThrow('row 0 sums to 0');
  await expect(trainer.fit(gone, { epochs: 1 })).rejects.toThrow(DisposedError);
  await expect(trainer.fit(data, { epochs: 1.5 })).rejects.toThrow('epochs = 1.5; epochs must be an integer ≥ 0.');
  await expect(trainer.fit(data, { epochs: 1, validation: otherFeatures })).rejects.toThrow(
    'fit: validation: a sample',
  );
  await expect(trainer.evaluate(otherFeatures)).rejects.toThrow(ShapeError);
  await expect(trainer.gradients([1, 2, 3, 4], [3])).rejects.toThrow('the largest class is 3');
  await expect(trainer.step(new Float32Array(3), [0])).rejects.toThrow('step: inputs has 3 numbers');
  await expect(trainer.step(new Float32Array(36), new Array<number>(9).fill(0))).rejects.toThrow(
    '9 samples came, but batchSize = 8. Pass at most that many.',
  );
  await expect(trainer.step([1, 2, Number.NaN, 4], [0])).rejects.toThrow('inputs at row 0, column 2 is NaN');
  await expect(trainer.step([1, 2, 3, 4], [0.5])).rejects.toThrow(DataError);
  expect(() => {
    trainer.learningRate = -1;
  }).toThrow('learningRate = -1; learningRate must be a finite number ≥ 0.');
  await expect(model.trainer({ loss, optimizer, batchSize: 0 })).rejects.toThrow(
    'batchSize = 0; batchSize must be a positive integer.',
  );
  await expect(model.trainer({ loss, optimizer, batchSize: 4, stepsPerSubmit: 0 })).rejects.toThrow(
    'stepsPerSubmit = 0',
  );
  expect(() => sgd({ learningRate: Number.NaN })).toThrow(
    'sgd: learningRate = NaN; learningRate must be a finite number ≥ 0.',
  );
  expect(() => sgd({ learningRate: 1, nesterov: true })).toThrow('nesterov needs momentum > 0');
  await expect(model.predict([1, 2, 3])).rejects.toThrow(
    'predict: inputs has 3 numbers, not a multiple of the 4 features',
  );
  await expect(model.predict([1, 2, 3, Number.NaN])).rejects.toThrow('row 0, column 3 is NaN');
  expect(() => model.setWeights([])).toThrow('expected 0.weight, 0.bias, 1.weight, 1.bias, but got nothing.');
  const weights = await model.weights();
  expect(() => model.setWeights(weights.map((w) => ({ ...w, data: w.data.slice(1) })))).toThrow(
    '0.weight is (4, 5), 20 values, but got 19.',
  );
  expect(() => model.setWeights(weights.map((w) => ({ ...w, data: w.data.map(() => Number.NaN) })))).toThrow(
    '0.weight at row 0, column 0 is NaN',
  );

  expect(await hashOf(model)).toBe(before);
  expect((await trainer.fit(data, { epochs: 1 })).length).toBe(1);
  model.dispose();
  data.dispose();
  expect(gpu.memory.usedBytes).toBeLessThan(memory.usedBytes);
});

test('fit while fit runs is refused, and so is step; evaluate and predict are not', async () => {
  const gpu = await sharedGpu();
  const { model, trainer, data } = await small(gpu);
  const first = trainer.fit(data, { epochs: 20 });
  await expect(trainer.fit(data, { epochs: 1 })).rejects.toMatchObject({ code: 'busy' });
  await expect(trainer.step([1, 2, 3, 4], [0])).rejects.toThrow(
    'fit is running on this model. Await it, or stop it through its signal.',
  );
  const [evaluation, prediction] = await Promise.all([trainer.evaluate(data), model.predict([1, 2, 3, 4])]);
  expect(Number.isFinite(evaluation.loss)).toBe(true);
  expect(prediction.length).toBe(3);
  expect((await first).length).toBe(20);
  expect((await trainer.fit(data, { epochs: 1 })).length).toBe(1);
  model.dispose();
  data.dispose();
});

test.for(['data', 'validation'] as const)('a data set disposed while fit reads it (%s) stops fit', async (which) => {
  const gpu = await sharedGpu();
  const { model, trainer, data } = await small(gpu);
  const { inputs, labels } = clusters(40, 4, 3);
  const validation = Dataset.create(gpu, { inputs, features: 4, classes: labels });
  const onStep = (): void => (which === 'data' ? data : validation).dispose();
  await expect(trainer.fit(data, { epochs: 1e6, validation, onStep })).rejects.toThrow(
    /^(fit|evaluate): the data set has been disposed\. Make it again\.$/,
  );
  await expect(trainer.evaluate(which === 'data' ? data : validation)).rejects.toThrow(DisposedError);
  expect((await model.predict([1, 2, 3, 4])).length).toBe(3);
  model.dispose();
  data.dispose();
  validation.dispose();
});

test('an error in a callback rejects fit with it, and the trainer goes on', async () => {
  const gpu = await sharedGpu();
  const { model, trainer, data } = await small(gpu);
  const fail = (): never => {
    throw new RangeError('mine');
  };
  await expect(trainer.fit(data, { epochs: 2, onStep: fail })).rejects.toThrow('mine');
  await expect(trainer.fit(data, { epochs: 2, onEpoch: async () => fail() })).rejects.toThrow('mine');
  expect((await trainer.fit(data, { epochs: 1 })).length).toBe(1);
  model.dispose();
  data.dispose();
});

test('after dispose every call says so', async () => {
  const gpu = await sharedGpu();
  const { model, trainer, data } = await small(gpu);
  trainer.dispose();
  trainer.dispose();
  await expect(trainer.fit(data, { epochs: 1 })).rejects.toThrow(
    'This trainer has been disposed. Make a new one with model.trainer().',
  );
  await expect(trainer.loss()).rejects.toThrow(DisposedError);
  await expect(trainer.step([1, 2, 3, 4], [0])).rejects.toThrow(DisposedError);
  model.dispose();
  model.dispose();
  await expect(model.predict([1, 2, 3, 4])).rejects.toThrow(
    'This model has been disposed. Make a new one with Mlp.create().',
  );
  await expect(model.weights()).rejects.toThrow(DisposedError);
  await expect(model.trainer({ loss, optimizer, batchSize: 1 })).rejects.toThrow(DisposedError);
  data.dispose();
});

test('a destroyed Gpu says so, in the middle of fit too', async () => {
  const gpu = await Gpu.request();
  const { model, trainer, data } = await small(gpu);
  const fitting = trainer.fit(data, { epochs: 1e6 });
  const refused = expect(fitting).rejects.toThrow(DisposedError);
  trainer.pause(); // a pause must not outlive the device
  setTimeout(() => gpu.destroy(), 100);
  await refused;
  await expect(model.predict([1, 2, 3, 4])).rejects.toThrow('This Gpu has been destroyed.');
  expect(gpu.memory.allocatedBytes).toBe(0);
  expect(() => Dataset.create(gpu, { inputs: [1], features: 1, classes: [0] })).toThrow(DisposedError);
  model.dispose();
});

test('more than the GPU allows is refused with the limit, what was needed and what there is', async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter?.requestDevice();
  if (device === undefined) throw new Error('no device');
  using gpu = Gpu.from(device);
  const { maxStorageBufferBindingSize } = gpu.info.limits;
  await expect(Mlp.create(gpu, { inputs: 70_000, layers: [dense(1000)] })).rejects.toThrow(
    `"parameters" needs a buffer of 280004096 bytes, but this GPU allows ${maxStorageBufferBindingSize} (maxStorageBufferBindingSize).`,
  );
  await expect(Mlp.create(gpu, { inputs: 70_000, layers: [dense(1000)] })).rejects.toThrow(LimitError);
  using model = await Mlp.create(gpu, { inputs: 2, layers: [dense(2)] });
  const used = gpu.memory.usedBytes;
  await expect(model.trainer({ loss, optimizer, batchSize: 70_000 })).rejects.toThrow(
    'batchSize = 70000, but this GPU allows 65535 workgroups in a dimension (maxComputeWorkgroupsPerDimension)',
  );
  await expect(model.predict(new Float32Array(2), { batchSize: 70_000 })).rejects.toThrow(LimitError);
  await expect(model.predict(new Float32Array(2), { batchSize: 70_000 })).rejects.toThrow(
    'predict: batchSize = 70000, but this GPU allows 65535 workgroups in a dimension (maxComputeWorkgroupsPerDimension)',
  );
  expect(gpu.memory.usedBytes).toBe(used);
});

test('an infinite learning path stops fit with the step and the layer', async () => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(40, 4, 3);
  using model = await Mlp.create(gpu, { inputs: 4, layers: [dense(5, 'relu'), dense(3)], seed: 1 });
  using trainer = await model.trainer({ loss, optimizer: sgd({ learningRate: 1e30 }), batchSize: 8 });
  using data = Dataset.create(gpu, { inputs: inputs.map((x) => 1e10 * x), features: 4, classes: labels });
  const error = await trainer.fit(data, { epochs: 1 }).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(NotFiniteError);
  expect(error).toMatchObject({ code: 'not-finite' });
  expect(String(error)).toMatch(/not finite after step \d+ \(epoch 1, its step \d+\) at learning rate 1e\+30/);
  expect(String(error)).toMatch(/the loss|a parameter of layer [01] \(dense\)/);
});

test('one infinite parameter is found in its layer, at its step, though the loss stays finite', async () => {
  const gpu = await sharedGpu();
  const { model, trainer, data } = await small(gpu);
  const weights = await model.weights();
  // Large enough that an update overflows, small enough that relu of its unit is 0 and the loss never sees it.
  const hidden = weights.map((w) => ({ ...w, data: w.name === '0.bias' ? w.data.map(() => -3.4e38) : w.data }));
  model.setWeights(hidden);
  const decaying = await model.trainer({
    loss,
    optimizer: sgd({ learningRate: 1, weightDecay: 2.5, momentum: 0.9 }),
    batchSize: 8,
  });
  const error = await decaying.fit(data, { epochs: 3 }).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(NotFiniteError);
  expect(error).toMatchObject({ where: '0', step: 0 });
  expect((await decaying.fit(data, { epochs: 1, onNotFinite: 'ignore' })).length).toBe(1);
  model.dispose();
  data.dispose();
  trainer.dispose();
});

test('device.destroy() stops fit, predict and loss with DeviceLostError', async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter?.requestDevice();
  if (device === undefined) throw new Error('no device');
  const gpu = Gpu.from(device);
  const { model, trainer, data } = await small(gpu);
  const fitting = trainer.fit(data, { epochs: 1e6 }).catch((cause: unknown) => cause);
  await new Promise((resolve) => setTimeout(resolve, 100));
  device.destroy();
  expect(await fitting).toBeInstanceOf(DeviceLostError);
  await expect(model.predict([1, 2, 3, 4])).rejects.toThrow(DeviceLostError);
  await expect(trainer.loss()).rejects.toThrow('The GPU device was lost (destroyed)');
  await expect(gpu.lost).resolves.toMatchObject({ reason: 'destroyed' });
  model.dispose();
});

// Last: the GPU process dies, and with it every device of this page.
test('a crash of the GPU process stops fit, predict and loss with DeviceLostError', async () => {
  const gpu = await Gpu.request();
  const { model, trainer, data } = await small(gpu);
  const fitting = trainer.fit(data, { epochs: 1e6 }).catch((cause: unknown) => cause);
  const predicting = (async () => {
    for (;;) await model.predict([1, 2, 3, 4]);
  })().catch((cause: unknown) => cause);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await commands.crashGpu();
  expect(await fitting).toBeInstanceOf(DeviceLostError);
  expect(await predicting).toBeInstanceOf(DeviceLostError);
  await expect(trainer.loss()).rejects.toThrow(DeviceLostError);
  model.dispose();
  expect(() => Dataset.create(gpu, { inputs: [1], features: 1, classes: [0] })).toThrow(DeviceLostError);
});
