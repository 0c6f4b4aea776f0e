import { expect, test } from 'vitest';
import {
  accuracy,
  Dataset,
  dense,
  Gpu,
  type Metric,
  Mlp,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
} from '../../src/index.js';
import { ownGpu, sharedGpu } from '../support/gpu.js';
import { patient } from '../support/patience.js';
import { clusters } from '../support/problems.js';

/** Calls of WebGPU that cost something, counted on the prototypes. */
const counted = {
  dispatches: [GPUComputePassEncoder.prototype, 'dispatchWorkgroups'],
  buffers: [GPUDevice.prototype, 'createBuffer'],
  bindGroups: [GPUDevice.prototype, 'createBindGroup'],
  pipelines: [GPUDevice.prototype, 'createComputePipelineAsync'],
  writes: [GPUQueue.prototype, 'writeBuffer'],
  submits: [GPUQueue.prototype, 'submit'],
} as const;
type Counts = Record<keyof typeof counted, number>;

async function countCalls(work: () => unknown): Promise<Counts> {
  const counts: Counts = { dispatches: 0, buffers: 0, bindGroups: 0, pipelines: 0, writes: 0, submits: 0 };
  const undo: (() => void)[] = [];
  for (const [name, [prototype, method]] of Object.entries(counted) as [keyof Counts, readonly [object, string]][]) {
    const original: unknown = Reflect.get(prototype, method);
    if (typeof original !== 'function') throw new Error(`${method} is not there.`);
    Reflect.set(prototype, method, function (this: unknown, ...args: unknown[]): unknown {
      counts[name] += 1;
      return Reflect.apply(original, this, args);
    });
    undo.push(() => Reflect.set(prototype, method, original));
  }
  try {
    await work();
  } finally {
    for (const restore of undo) restore();
  }
  return counts;
}

/** Notes when pipelines are asked for, and when how many bytes are written. */
function listen(): { readonly events: string[]; undo(): void } {
  const events: string[] = [];
  const { createComputePipelineAsync } = GPUDevice.prototype;
  const { writeBuffer } = GPUQueue.prototype;
  GPUDevice.prototype.createComputePipelineAsync = function (descriptor) {
    events.push('createComputePipelineAsync');
    return createComputePipelineAsync.call(this, descriptor);
  };
  GPUQueue.prototype.writeBuffer = function (...args: Parameters<typeof writeBuffer>) {
    events.push(`writeBuffer ${args[4] ?? args[2].byteLength}`);
    return Reflect.apply(writeBuffer, this, args);
  };
  return {
    events,
    undo() {
      Object.assign(GPUDevice.prototype, { createComputePipelineAsync });
      Object.assign(GPUQueue.prototype, { writeBuffer });
    },
  };
}

interface Setting {
  readonly gpu: Gpu;
  readonly model: Mlp;
  readonly trainer: Trainer<Metric<'accuracy'>>;
  readonly data: Dataset;
  dispose(): void;
}

async function setting(sizes: readonly number[], batchSize: number, samples: number): Promise<Setting> {
  const gpu = await ownGpu();
  const [inputs = 1, ...units] = sizes;
  const layers = units.map((width, number) => dense(width, number < units.length - 1 ? 'relu' : 'linear'));
  const model = await Mlp.create(gpu, { inputs, layers, seed: 1 });
  const { inputs: values, labels } = clusters(samples, inputs, units.at(-1) ?? 1);
  const data = Dataset.create(gpu, { inputs: values, features: inputs, classes: labels });
  const options = { loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 0.05 }), metrics: [accuracy()] };
  const trainer = await model.trainer({ ...options, batchSize });
  return {
    gpu,
    model,
    trainer,
    data,
    dispose() {
      model.dispose();
      data.dispose();
      gpu.destroy();
    },
  };
}

test('a step of 784-400-200-10 at batch 128 is 7 dispatches and one small write, and makes nothing', async () => {
  // The pipelines of the training whose bits are recorded in test/train/bits.gpu.test.ts.
  const gpu = await sharedGpu();
  const layers = [dense(400, 'relu'), dense(200, 'relu'), dense(10)];
  using model = await Mlp.create(gpu, { inputs: 784, layers, normalize: 'unit', seed: 1 });
  const { inputs, labels } = clusters(8 * 128, 784, 10);
  const pixels = Uint8Array.from(inputs, (value) => 128 + 40 * value);
  using data = Dataset.create(gpu, { inputs: pixels, features: 784, classes: labels });
  const optimizer = sgd({ learningRate: 0.05, momentum: 0.9 });
  const options = { loss: softmaxCrossEntropy(), optimizer, metrics: [accuracy()] };
  using trainer = await model.trainer({ ...options, batchSize: 128, stepsPerSubmit: 4 });
  const epoch = (): Promise<unknown> => trainer.fit(data, { epochs: 1 });
  await trainer.fit(data, { epochs: 4 });
  // The larger tiles that take over are compiled once, behind the first steps.
  const large = (): boolean =>
    trainer.plan.dispatches.every(({ flops, variant }) => flops < 2 ** 23 || !variant.endsWith('8x8'));
  await expect.poll(large, { timeout: patient(30_000) }).toBe(true);
  const one = await countCalls(epoch);
  const three = await countCalls(() => trainer.fit(data, { epochs: 3 }));
  // What an epoch costs beside its steps (its order, its sums) is the same for each; a step must not add to it.
  expect(one.dispatches).toBe(8 * 7);
  expect(trainer.plan.dispatches.length).toBe(7);
  expect(three.dispatches).toBe(3 * one.dispatches);
  expect([one.buffers, one.bindGroups, one.pipelines]).toEqual([0, 0, 0]);
  // Two submits of four steps, a write each; the order and the two sums of the epoch.
  expect(one.submits).toBe(2);
  expect(one.writes).toBe(2 + 3);
  expect(trainer.plan.toString()).toContain('matmul NN 128×400×784 gathered u8 bias relu');
  expect(trainer.plan.dispatches.some(({ label }) => /^matmul NT 128×784/.test(label))).toBe(false);
});

test('1,000 steps leave the memory unchanged, and dispose brings it back to zero', async () => {
  const { gpu, model, trainer, data, dispose } = await setting([6, 8, 3], 10, 100);
  await trainer.fit(data, { epochs: 1, validation: data });
  const before = gpu.memory;
  await trainer.fit(data, { epochs: 100 });
  expect(gpu.memory).toEqual(before);
  const step = clusters(10, 6, 3);
  await trainer.step(step.inputs, step.labels);
  const withStep = gpu.memory;
  const counts = await countCalls(async () => {
    for (let i = 0; i < 100; i++) await trainer.step(step.inputs, step.labels);
  });
  expect([counts.buffers, counts.bindGroups]).toEqual([0, 0]);
  await trainer.loss();
  expect(gpu.memory.usedBytes).toBe(withStep.usedBytes);
  await model.predict(step.inputs);
  model.dispose();
  data.dispose();
  expect(gpu.memory).toEqual({ allocatedBytes: 0, usedBytes: 0, pooledBytes: 0, buffers: 0 });
  dispose();
});

test('predict on host bytes, floats, a Tensor and a GPUBuffer; probabilities, logits and classes agree', async () => {
  const { gpu, model, dispose } = await setting([6, 8, 3], 10, 100);
  const { Tensor } = await import('../../src/index.js');
  const { inputs } = clusters(37, 6, 3, 5);
  const logits = await model.predict(inputs, { output: 'logits' });
  const probabilities = await model.predict(inputs);
  const classes = await model.predict(inputs, { output: 'classes' });
  expect([logits.length, probabilities.length, classes.length]).toEqual([111, 111, 37]);
  for (let row = 0; row < 37; row++) {
    const z = [...logits.subarray(3 * row, 3 * row + 3)];
    const sum = z.reduce((total, value) => total + Math.exp(value), 0);
    for (const [k, value] of z.entries()) expect(probabilities[3 * row + k]).toBeCloseTo(Math.exp(value) / sum, 5);
    expect(classes[row]).toBe(z.indexOf(Math.max(...z)));
  }
  expect(await model.predict(inputs, { batchSize: 5 })).toEqual(probabilities);
  const tensor = Tensor.from(gpu, inputs, [37, 6]);
  expect(await model.predict(tensor)).toEqual(probabilities);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const buffer = gpu.device.createBuffer({ size: inputs.byteLength, usage });
  gpu.device.queue.writeBuffer(buffer, 0, inputs);
  expect(await model.predict(buffer, { batchSize: 8 })).toEqual(probabilities);
  expect(await model.predict(new Float32Array(0))).toEqual(new Float32Array(0));
  const bytes = Uint8Array.from({ length: 12 }, (_, i) => 20 * i);
  expect(await model.predict(bytes)).toEqual(await model.predict(Float32Array.from(bytes)));
  dispose();
});

test('initial values are drawn while the first kernels compile, and not at all if others are set', async () => {
  using gpu = await Gpu.request();
  const layers = [dense(300, 'tanh'), dense(2)];
  const { events, undo } = listen();
  try {
    using model = await Mlp.create(gpu, { inputs: 40, layers, seed: 3 });
    using _trainer = await model.trainer({
      loss: softmaxCrossEntropy(),
      optimizer: sgd({ learningRate: 0.1 }),
      batchSize: 8,
    });
    // Two layers, each in whole blocks of 64: 40·300 + 300 and 300·2 + 2 elements.
    const all = `writeBuffer ${4 * (12352 + 640)}`;
    const drawn = events.indexOf(all);
    expect(drawn).toBeGreaterThan(events.lastIndexOf('createComputePipelineAsync'));
    const weights = await model.weights();
    events.length = 0;
    using other = await Mlp.create(gpu, { inputs: 40, layers, seed: 4 });
    other.setWeights(weights);
    expect(await other.weights()).toEqual(weights);
    expect(events.filter((event) => event === all)).toHaveLength(1);
    // One that nobody uses owes nothing.
    (await Mlp.create(gpu, { inputs: 40, layers })).dispose();
    gpu.run([]);
  } finally {
    undo();
  }
});

test('weights come and go bit for bit', async () => {
  const { model, dispose } = await setting([6, 8, 3], 10, 100);
  const before = await model.weights();
  expect(before.map(({ name, shape }) => `${name} ${shape.join('×')}`)).toEqual([
    '0.weight 6×8',
    '0.bias 8',
    '1.weight 8×3',
    '1.bias 3',
  ]);
  model.setWeights(before.map((weight) => ({ ...weight, data: weight.data.map((value) => value + 1) })));
  const moved = await model.weights();
  expect(moved[0]?.data[5]).toBe(Math.fround((before[0]?.data[5] ?? 0) + 1));
  model.setWeights(before);
  expect(await model.weights()).toEqual(before);
  expect(JSON.parse(JSON.stringify(model.spec))).toEqual(model.spec);
  expect(model.parameterCount).toBe(6 * 8 + 8 + 8 * 3 + 3);
  expect(model.summary()).toContain('6 → 8');
  dispose();
});

test("the app's own device is shared, and left alive", async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter?.requestDevice();
  if (device === undefined) throw new Error('no device');
  const gpu = Gpu.from(device);
  expect(gpu.info.vendor).not.toBe('');
  const model = await Mlp.create(gpu, { inputs: 2, layers: [dense(2)] });
  expect((await model.predict([1, 2])).length).toBe(2);
  gpu.destroy();
  device.pushErrorScope('validation');
  device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE }).destroy();
  expect(await device.popErrorScope()).toBeNull();
  expect(
    await Promise.race([device.lost.then(() => 'lost'), new Promise((resolve) => setTimeout(resolve, 50, 'alive'))]),
  ).toBe('alive');
  device.destroy();
});
