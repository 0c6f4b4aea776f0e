import { expect, test } from 'vitest';
import { type FileTensor, writeSafetensors } from '../../src/base/safetensors.js';
import {
  activation,
  batchNorm,
  Dataset,
  DisposedError,
  dense,
  FormatError,
  Gpu,
  type Layer,
  Mlp,
  meanSquaredError,
  sgd,
  softmaxCrossEntropy,
} from '../../src/index.js';
import { sharedGpu } from '../support/gpu.js';
import { clusters, hashOf } from '../support/problems.js';

const { inputs, labels } = clusters(40, 6, 3);
const mean = [0.1, 0.2, -0.3, 1 / 3, 5, 0];
const create = (gpu: Gpu, seed = 1): Promise<Mlp> =>
  Mlp.create(gpu, {
    inputs: 6,
    layers: [
      dense(9, { type: 'leakyRelu', alpha: 0.02 }, { biasInitializer: { type: 'constant', value: 0.1 } }),
      dense(5, { type: 'gelu', approximate: 'tanh' }, { bias: false, initializer: { type: 'orthogonal', gain: 2 } }),
      dense(3),
    ],
    normalize: { mean, std: 0.7 },
    seed,
  });

test('a model that was saved and loaded is the same model: spec, weights and predictions, bit for bit', async () => {
  const gpu = await sharedGpu();
  using model = await create(gpu);
  using trainer = await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0.1 }),
    batchSize: 8,
  });
  using data = Dataset.create(gpu, { inputs, features: 6, classes: labels });
  await trainer.fit(data, { epochs: 2 });
  const bytes = await model.save();
  // As on another page.
  using other = await Gpu.request();
  using again = await Mlp.load(other, bytes);
  expect(again.spec).toEqual(model.spec);
  expect(await again.weights()).toEqual(await model.weights());
  for (const output of ['logits', 'probabilities'] as const) {
    const [before, after] = [await model.predict(inputs, { output }), await again.predict(inputs, { output })];
    expect(new Uint32Array(after.buffer)).toEqual(new Uint32Array(before.buffer));
  }
  expect(await again.save()).toEqual(bytes);
});

test('Linear, BatchNorm1d, ReLU of PyTorch are dense, batchNorm and activation', async () => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: 1, layers: [dense(1), batchNorm(), activation('relu')] });
  const float = (shape: readonly number[], value: number): FileTensor => ({
    dtype: 'F32',
    shape,
    data: new Uint8Array(Float32Array.of(value).buffer),
  });
  // state_dict() of Sequential(Linear(1, 1), BatchNorm1d(1), ReLU()) with these values; evaluated in PyTorch 1.13.
  const tensors = new Map<string, FileTensor>([
    ['0.weight', float([1, 1], 1)],
    ['0.bias', float([1], 0)],
    ['1.weight', float([1], 1)],
    ['1.bias', float([1], 0)],
    ['1.running_mean', float([1], 0)],
    ['1.running_var', float([1], 5)],
    ['1.num_batches_tracked', { dtype: 'I64', shape: [], data: new Uint8Array(8) }],
  ]);
  await model.loadWeights(writeSafetensors({ tensors, metadata: new Map() }));
  const x = [-3, -1, 1, 3];
  const wanted = [0, 0, 0.44721, 1.34164];
  const predicted = await model.predict(x, { output: 'values' });
  for (const [i, value] of predicted.entries()) expect(value).toBeCloseTo(wanted[i] ?? Number.NaN, 5);
  // In training the batch itself has the mean 0 and the variance 5: the loss is the mean of 0.44721² and 1.34164², and two 0s.
  using trainer = await model.trainer({
    loss: meanSquaredError(),
    optimizer: sgd({ learningRate: 0.1 }),
    batchSize: 4,
  });
  const { loss } = await trainer.gradients(x, [0, 0, 0, 0]);
  expect(loss).toBeCloseTo((0.44721 ** 2 + 1.34164 ** 2) / 4, 4);
});

test('initial values are those of the spec: normal, orthogonal, and a bias that is no zero', async () => {
  const gpu = await sharedGpu();
  using model = await create(gpu);
  const [, bias, orthogonal] = await model.weights();
  expect([...(bias?.data ?? [])]).toEqual(new Array(9).fill(Math.fround(0.1)));
  // (9, 5): five columns at right angles, of length 2.
  const W = orthogonal?.data ?? new Float32Array(0);
  for (let i = 0; i < 5; i++) {
    for (let j = 0; j <= i; j++) {
      let product = 0;
      for (let k = 0; k < 9; k++) product += (W[5 * k + i] ?? NaN) * (W[5 * k + j] ?? NaN);
      expect(Math.abs(product - (i === j ? 4 : 0))).toBeLessThanOrEqual(1.001 * 2 ** -23 * 4);
    }
  }
  expect(model.spec.layers[1]).toMatchObject({
    initializer: { type: 'orthogonal', gain: 2 },
    biasInitializer: 'zeros',
  });
});

test('loadWeights takes the weights of a file, and refuses those of another model', async () => {
  const gpu = await sharedGpu();
  using model = await create(gpu, 1);
  using other = await create(gpu, 2);
  const bytes = await model.save();
  await other.loadWeights(bytes);
  expect(await hashOf(other)).toBe(await hashOf(model));
  using smaller = await Mlp.create(gpu, { inputs: 6, layers: [dense(3)] });
  const before = await hashOf(smaller);
  await expect(smaller.loadWeights(bytes)).rejects.toThrow(
    'loadWeights: the file has "2.weight", but the model has only ',
  );
  await expect(smaller.loadWeights(bytes)).rejects.toThrow(FormatError);
  expect(await hashOf(smaller)).toBe(before);
});

test('a layer of a user is loaded by who made it', async () => {
  const gpu = await sharedGpu();
  const mine = (units: number): Layer => {
    const inner = dense(units, 'relu');
    return { ...inner, spec: { type: 'mine', units } };
  };
  using model = await Mlp.create(gpu, { inputs: 6, layers: [mine(4), dense(3)], seed: 3 });
  const bytes = await model.save();
  await expect(Mlp.load(gpu, bytes)).rejects.toMatchObject({ code: 'unknown-layer' });
  using again = await Mlp.load(gpu, bytes, { layers: { mine: ({ units }) => mine(Number(units)) } });
  expect(await again.predict(inputs)).toEqual(await model.predict(inputs));
});

test('bad bytes are refused before anything is allocated, whichever they are', async () => {
  const gpu = await sharedGpu();
  using model = await create(gpu);
  const bytes = await model.save();
  const before = gpu.memory;
  const bad = [new Uint8Array(0), new ArrayBuffer(5), new TextEncoder().encode('<!doctype html>'), bytes.subarray(1)];
  for (let length = 0; length < bytes.length; length += 7) bad.push(bytes.subarray(0, length));
  for (const file of bad) await expect(Mlp.load(gpu, file)).rejects.toThrow(FormatError);
  expect(gpu.memory).toEqual(before);
});

test('what is saved while fit runs are the weights between two steps, and fit is not disturbed', async () => {
  const gpu = await sharedGpu();
  const options = { loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 0.05, momentum: 0.9 }), batchSize: 8 };
  using stepped = await create(gpu);
  using stepping = await stepped.trainer(options);
  const epochs = 12;
  const known = [await hashOf(stepped)];
  for (let number = 0; number < 5 * epochs; number++) {
    const first = 8 * (number % 5);
    await stepping.step(inputs.slice(6 * first, 6 * (first + 8)), labels.slice(first, first + 8));
    known.push(await hashOf(stepped));
  }
  expect(new Set(known).size).toBe(known.length);

  using model = await create(gpu);
  using trainer = await model.trainer({ ...options, stepsPerSubmit: 1 });
  using data = Dataset.create(gpu, { inputs, features: 6, classes: labels });
  const saved: Promise<Uint8Array>[] = [];
  await trainer.fit(data, { epochs, shuffle: false, onStep: () => void saved.push(model.save()) });
  expect(await hashOf(model)).toBe(known.at(-1));
  const at: number[] = [];
  for (const bytes of saved) {
    using again = await Mlp.load(gpu, await bytes);
    at.push(known.indexOf(await hashOf(again)));
  }
  expect(Math.min(...at)).toBeGreaterThanOrEqual(1);
  expect(at).toEqual([...at].sort((a, b) => a - b));
  expect(new Set(at).size).toBeGreaterThan(5);
});

test('calls that cannot be', async () => {
  const gpu = await sharedGpu();
  const model = await create(gpu);
  const bytes = await model.save();
  for (const format of ['onnx', 'tfjs'] as const) {
    await expect(model.save({ format: format as unknown as 'safetensors' })).rejects.toThrow(
      `save: format = "${format}"; format must be "safetensors".`,
    );
  }
  model.dispose();
  await expect(model.save()).rejects.toThrow(DisposedError);
  await expect(model.loadWeights(bytes)).rejects.toThrow(DisposedError);
  const gone = await Gpu.request();
  gone.destroy();
  await expect(Mlp.load(gone, bytes)).rejects.toThrow(DisposedError);
});
