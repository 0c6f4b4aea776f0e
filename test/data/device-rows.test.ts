import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  accuracy,
  Dataset,
  type DatasetOptions,
  dense,
  type Gpu,
  type Inputs,
  Mlp,
  type MlpError,
  meanSquaredError,
  sgd,
  softmaxCrossEntropy,
  type Targets,
  Tensor,
  type Trainer,
} from '../../src/index.js';
import type { DType } from '../../src/plan/tensor.js';
import { FakeDevice } from '../support/fake-device.js';
import { nullGpu } from '../support/null-gpu.js';

const device = new FakeDevice();
const other = new FakeDevice();
const optimizer = sgd({ learningRate: 0.1 });

/** A tensor of u32. */
function integers(values: readonly number[], shape: readonly number[] = [values.length]): Tensor<'u32'> {
  const tensor = Tensor.empty(device, shape, 'integers', 'u32');
  tensor.write(Uint32Array.from(values));
  return tensor;
}

/** A tensor of u8. */
function bytes(values: readonly number[], shape: readonly number[]): Tensor<'u8'> {
  const tensor = Tensor.empty(device, shape, 'bytes', 'u8');
  tensor.write(Uint8Array.from(values));
  return tensor;
}

const X = (): Tensor => Tensor.from(device, [1, 2, 3, 4, 5, 6], [3, 2]);
const elements = (tensor: Tensor<DType> | undefined): readonly number[] => [...device.floats(tensor as Tensor)];
const bitsOf = (...numbers: number[]): readonly number[] => [...new Float32Array(Uint32Array.from(numbers).buffer)];

test('a data set copies a tensor, which may change or go at once', () => {
  const inputs = X();
  const targets = Tensor.from(device, [7, 8, 9], [3, 1]);
  using data = Dataset.create(device, { inputs, targets });
  inputs.write(new Float32Array(6));
  inputs.dispose();
  targets.dispose();
  expect([data.length, data.features, data.classCount, data.indices]).toEqual([3, 2, 1, false]);
  expect(elements(data.resident?.inputs)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(elements(data.resident?.labels)).toEqual([7, 8, 9]);
  const before = device.memory.buffers;
  data.dispose();
  expect(device.memory.buffers).toBe(before - 2);
});

test('a data set takes views, bytes, buffers, and host data beside them', async () => {
  const rows = Tensor.from(device, [9, 9, 1, 2, 3, 4], [3, 2]).view(2, [2, 2]);
  using viewed = Dataset.create(device, { inputs: rows, classes: ['b', 'a'] });
  expect(elements(viewed.resident?.inputs)).toEqual([1, 2, 3, 4]);
  expect(viewed.classNames).toEqual(['a', 'b']);
  using ofBytes = Dataset.create(device, { inputs: bytes([1, 2, 3, 4, 5, 6], [2, 3]), classes: integers([1, 0]) });
  const { inputs, labels } = ofBytes.resident!;
  expect([inputs.dtype, inputs.shape, labels.dtype, labels.shape]).toEqual(['u8', [2, 3], 'u32', [2, 1]]);
  expect([...(await inputs.read())]).toEqual([1, 2, 3, 4, 5, 6]);
  expect([ofBytes.indices, ofBytes.classCount]).toEqual([true, 0]);
  const { buffer } = Tensor.from(device, [1, 2, 3, 4, 5, 6, 7, 8], [8]);
  using ofBuffer = Dataset.create(device, {
    inputs: buffer,
    features: 2,
    classes: integers([1, 0, 2, 1]).buffer,
    classNames: ['x', 'y', 'z'],
  });
  expect([ofBuffer.length, ofBuffer.classCount]).toEqual([4, 3]);
  using host = Dataset.create(device, { inputs: [[1], [2]], targets: Tensor.from(device, [1, 2, 3, 4], [2, 2]) });
  expect(elements(host.resident?.labels)).toEqual([1, 2, 3, 4]);
});

const disposed = X();
disposed.dispose();
const lacking = Object.assign(device.allocate(32, 'mine'), { usage: 0x80 | 0x8 });
const badData: readonly [string, object, string, string][] = [
  [
    'another width',
    { inputs: X(), features: 3, classes: [0] },
    'shape',
    'inputs has shape (3, 2); it must be (samples, 3).',
  ],
  ['no features', { inputs: X().view(0, [6]), classes: [0] }, 'shape', 'features = undefined; features must be'],
  [
    'an odd length',
    { inputs: X().view(0, [5]), features: 2, classes: [0] },
    'shape',
    'inputs has shape (5); it must be (samples, 2).',
  ],
  [
    'another element type',
    { inputs: integers([1, 2], [1, 2]), classes: [0] },
    'data',
    'inputs is a tensor of u32; it must be f32 or u8.',
  ],
  [
    'float classes',
    { inputs: X(), classes: Tensor.from(device, [0, 1, 2], [3]) },
    'data',
    'classes is a tensor of f32; it must be u32.',
  ],
  [
    'integer targets',
    { inputs: X(), targets: integers([0, 1, 2]) },
    'data',
    'targets is a tensor of u32; it must be f32.',
  ],
  [
    'too few classes',
    { inputs: X(), classes: integers([0, 1]) },
    'shape',
    'classes has 2 rows, but there are 3 samples.',
  ],
  [
    'another device',
    { inputs: Tensor.from(other, [1, 2], [1, 2]), classes: [0] },
    'other-gpu',
    'inputs is a tensor on another device.',
  ],
  [
    'targets of another device',
    { inputs: [[1]], targets: Tensor.from(other, [1], [1]) },
    'other-gpu',
    'targets is a tensor on another',
  ],
  ['a disposed tensor', { inputs: disposed, classes: [0, 1, 2] }, 'disposed', '"tensor" has no memory'],
  [
    'a buffer without COPY_SRC',
    { inputs: lacking, features: 8, classes: [0] },
    'bad-option',
    'inputs lacks COPY_SRC usage.',
  ],
  [
    'bytes within a word',
    { inputs: bytes([1, 2, 3, 4, 5, 6], [3, 2]).view(2, [1, 2]), classes: [0] },
    'shape',
    'inputs begins within a 4-byte word.',
  ],
  [
    'weights beside labels on the device',
    { inputs: X(), classes: integers([0, 1, 2]), weights: [1, 1, 1] },
    'data',
    'classes on a device cannot have weights',
  ],
  [
    'two kinds of labels',
    { inputs: X(), classes: integers([0, 1, 2]), targets: [1, 2, 3] },
    'data',
    'or other labels beside them',
  ],
  [
    'weights on the device',
    { inputs: X(), classes: [0, 1, 2], weights: Tensor.from(device, [1, 1, 1], [3]) },
    'data',
    'weights is an object; it must be an array of numbers. Read it: await value.read().',
  ],
];
test.for(badData)('a data set refuses %s', ([, options, code, message]) => {
  const before = device.memory;
  const error = ((): unknown => {
    try {
      return Dataset.create(device, options as DatasetOptions);
    } catch (thrown) {
      return thrown;
    }
  })();
  expect((error as MlpError).message).toContain(message);
  expect((error as MlpError).code).toBe(code);
  expect(device.memory).toEqual(before);
});

async function trainerOf(outputs: number, loss = softmaxCrossEntropy()): Promise<[Mlp, Trainer]> {
  const model = await Mlp.create(device, { inputs: 2, layers: [dense(outputs)] });
  return [model, await model.trainer({ loss, optimizer, batchSize: 4 })];
}

/** The inputs and labels that the latest plan read. */
function read(count: number): readonly (readonly number[])[] {
  const tensors = device.replays.at(-1)?.tensors ?? [];
  const find = (label: string): Tensor<DType> | undefined => tensors.find((tensor) => tensor.label === label);
  return [elements(find('batch inputs')).slice(0, 2 * count), elements(find('batch labels')).slice(0, count)];
}

test.for<[string, () => [Inputs, Targets], readonly number[]]>([
  ['tensors, classes', () => [X(), integers([2, 0, 1])], bitsOf(2, 0, 1)],
  ['classes in a column', () => [X(), integers([2, 0, 1], [3, 1])], bitsOf(2, 0, 1)],
  ['a flat tensor', () => [X().view(0, [6]), [2, 0, 1]], bitsOf(2, 0, 1)],
  [
    'buffers',
    () => [Tensor.from(device, [1, 2, 3, 4, 5, 6, 7, 8], [8]).buffer, integers([2, 0, 1, 2]).buffer],
    bitsOf(2, 0, 1),
  ],
  [
    'nested inputs',
    () => [
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      integers([2, 0, 1]),
    ],
    bitsOf(2, 0, 1),
  ],
])('step takes %s', async ([, minibatch, labels]) => {
  const [, trainer] = await trainerOf(3);
  const [inputs, targets] = minibatch();
  await trainer.step(inputs, targets);
  expect(read(3)).toEqual([[1, 2, 3, 4, 5, 6], labels]);
  await trainer.gradients(inputs, targets);
  expect(read(3)).toEqual([[1, 2, 3, 4, 5, 6], labels]);
});

test('step takes rows of targets on the device', async () => {
  const [, trainer] = await trainerOf(1, meanSquaredError());
  await trainer.step(X(), Tensor.from(device, [7, 8, 9], [3, 1]));
  expect(read(3)).toEqual([
    [1, 2, 3, 4, 5, 6],
    [7, 8, 9],
  ]);
});

test.for<[string, Inputs, Targets, string]>([
  [
    'another width',
    Tensor.from(device, [1, 2, 3, 4, 5, 6], [2, 3]),
    [0, 1, 2],
    'inputs has shape (2, 3); it must be (samples, 2).',
  ],
  [
    'too many rows',
    Tensor.from(device, new Float32Array(10), [5, 2]),
    [0, 1, 2, 0, 1],
    '5 samples came, but batchSize = 4.',
  ],
  [
    'targets of another width',
    X(),
    Tensor.from(device, [1, 2, 3, 4, 5, 6], [3, 2]),
    'a row of targets has 2 numbers, but the model has 3',
  ],
  ['too few classes', X(), integers([1, 2]), 'classes has 2 rows, but there are 3 samples.'],
  ['a tensor of another device', Tensor.from(other, [1, 2], [1, 2]), [0], 'inputs is a tensor on another device.'],
  ['classes of another device', [1, 2], Tensor.empty(other, [1], 'x', 'u32'), 'classes is a tensor on another device.'],
])('step refuses %s, and queues nothing', async ([, inputs, targets, message]) => {
  const [, trainer] = await trainerOf(3);
  const { length } = device.log;
  await expect(trainer.step(inputs, targets)).rejects.toThrow(message);
  expect(device.log.slice(length)).toEqual([]);
});

test('predict takes tensors of its width only, on its device', async () => {
  const [model] = await trainerOf(3);
  expect(await model.predict(X())).toHaveLength(9);
  expect(await model.predict(X().view(0, [6]))).toHaveLength(9);
  expect(await model.predict(bytes([1, 2, 3, 4], [2, 2]))).toHaveLength(6);
  for (const [inputs, message] of [
    [Tensor.wrap(X().buffer, [2, 3]), 'predict: inputs has shape (2, 3); it must be (samples, 2).'],
    [X().view(0, [3]), 'predict: inputs has shape (3); it must be (samples, 2).'],
    [integers([1, 2], [1, 2]), 'predict: inputs is a tensor of u32; it must be f32 or u8.'],
    [Tensor.from(other, [1, 2], [1, 2]), 'predict: inputs is a tensor on another device.'],
    [disposed, 'has no memory'],
  ] as const) {
    await expect(model.predict(inputs as Inputs)).rejects.toThrow(message);
  }
});

// On Dawn's null backend: WebGPU accepts the copies.

let gpu: Gpu;
let foreign: Gpu;
beforeEach(async () => {
  [gpu, foreign] = await Promise.all([nullGpu(), nullGpu()]);
});
afterEach(() => {
  gpu.destroy();
  foreign.destroy();
});

test('WebGPU accepts data sets, steps and predictions of GPUBuffers, and bytes of any number', async () => {
  const { STORAGE, COPY_SRC } = GPUBufferUsage;
  const usage = STORAGE | COPY_SRC;
  const inputs = gpu.device.createBuffer({ size: 48, usage });
  const classes = gpu.device.createBuffer({ size: 16, usage });
  const model = await Mlp.create(gpu, { inputs: 3, layers: [dense(3)] });
  const trainer = await model.trainer({ loss: softmaxCrossEntropy(), optimizer, batchSize: 4, metrics: [accuracy()] });
  using data = Dataset.create(gpu, { inputs, features: 3, classes });
  await trainer.fit(data, { epochs: 1, onNotFinite: 'ignore' });
  await trainer.evaluate(data);
  await data.statistics();
  await trainer.step(inputs, classes);
  await trainer.gradients(inputs, classes);
  expect(await model.predict(inputs)).toHaveLength(12);
  const odd = Tensor.empty(gpu, [3, 3], 'odd', 'u8');
  using ofBytes = Dataset.create(gpu, { inputs: odd, classes: [0, 1, 2] });
  expect((await trainer.evaluate(ofBytes)).accuracy).toBeDefined();
  await trainer.step(odd, [0, 1, 2]);
  await gpu.idle();
  gpu.check();
});

test('a GPUBuffer of another device, or without the usage, is refused', async () => {
  const { STORAGE, COPY_SRC, UNIFORM } = GPUBufferUsage;
  const theirs = foreign.device.createBuffer({ size: 24, usage: STORAGE | COPY_SRC });
  const model = await Mlp.create(gpu, { inputs: 2, layers: [dense(3)] });
  await expect(model.predict(theirs)).rejects.toMatchObject({ code: 'other-gpu' });
  using data = Dataset.create(gpu, { inputs: theirs, features: 2, classes: [0, 1, 2] });
  await expect(data.statistics()).rejects.toMatchObject({ code: 'validation' });
  const uniform = gpu.device.createBuffer({ size: 24, usage: UNIFORM });
  await expect(model.predict(uniform)).rejects.toThrow('lacks STORAGE usage.');
  expect(() => Dataset.create(gpu, { inputs: uniform, features: 2, classes: [0, 1, 2] })).toThrow(
    'lacks COPY_SRC usage.',
  );
});

test('a model that standardizes targets learns from a data set on the device, and refuses such a minibatch', async () => {
  const model = await Mlp.create(device, { inputs: 2, layers: [dense(1)], targets: 'standardize' });
  const trainer = await model.trainer({ loss: meanSquaredError(), optimizer, batchSize: 4 });
  const targets = Tensor.from(device, [7, 8, 9], [3, 1]);
  using data = Dataset.create(device, { inputs: X(), targets });
  await trainer.fit(data, { epochs: 1 });
  await expect(trainer.step(X(), targets)).rejects.toThrow(
    'step: targets that the model standardizes must be an array',
  );
});
