import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  DisposedError,
  dense,
  dropout,
  type Gpu,
  type Layer,
  LimitError,
  Mlp,
  type PredictOptions,
  residual,
  Tensor,
} from '../../src/index.js';
import type { DeviceBuffer } from '../../src/plan/memory.js';
import { FakeDevice } from '../support/fake-device.js';
import { type AllocationFailure, failingAllocation, nullGpu } from '../support/null-gpu.js';
import { errorOf, quiet } from '../support/small-training.js';

let gpu: Gpu;
let model: Mlp;
beforeEach(async () => {
  gpu = await nullGpu();
  model = await Mlp.create(gpu, { inputs: 4, layers: [dense(5, 'relu'), dense(3)] });
});
afterEach(() => gpu.destroy());

const samples = (count: number): Float32Array => new Float32Array(4 * count);

/** Bind groups that are made while `work` runs: a plan makes some, and a replay none. */
async function bindGroups(work: () => Promise<unknown>): Promise<number> {
  const create = vi.spyOn(gpu.device, 'createBindGroup');
  await work();
  const { length } = create.mock.calls;
  create.mockRestore();
  return length;
}

test('the plan of a batch size that is used again and again is made once, while twenty others come and go', async () => {
  const ours = (): Promise<unknown> => model.predict(samples(16), { batchSize: 16 });
  const other = (batchSize: number) => (): Promise<unknown> => model.predict(samples(32), { batchSize });
  const perPlan = await bindGroups(ours);
  expect(perPlan).toBeGreaterThan(0);
  expect(await bindGroups(ours)).toBe(0);
  for (let batchSize = 1; batchSize <= 20; batchSize++) {
    if (batchSize === 16) continue;
    expect(await bindGroups(other(batchSize))).toBe(perPlan);
    expect(await bindGroups(ours), `after batches of ${batchSize}`).toBe(0);
  }
  // The seven that were used last are kept beside it, and no more.
  for (const batchSize of [20, 19, 18, 17, 15, 14, 13]) expect(await bindGroups(other(batchSize))).toBe(0);
  expect(await bindGroups(other(12))).toBe(perPlan);
});

test('a plan that makes room gives its memory back', async () => {
  const used: number[] = [];
  for (let batchSize = 1001; batchSize <= 1020; batchSize++) {
    await model.predict(samples(1024), { batchSize });
    used.push(gpu.memory.usedBytes);
  }
  // Eight plans are kept, each as large as any other but for a few rows.
  expect(used[7]).toBeGreaterThan(7 * ((used[1] ?? 0) - (used[0] ?? 0)));
  expect(used[19]).toBeLessThan(1.02 * (used[7] ?? 0));
  model.dispose();
  expect(gpu.memory.usedBytes).toBe(0);
});

test('many batch sizes at once: each is answered, though most plans are left before they are used', async () => {
  const sizes = Array.from({ length: 30 }, (_, i) => i + 1);
  const results = await Promise.all(sizes.map((batchSize) => model.predict(samples(40), { batchSize })));
  expect(results.map(({ length }) => length)).toEqual(sizes.map(() => 120));
  await gpu.idle();
  gpu.check();
  model.dispose();
  expect(gpu.memory.usedBytes).toBe(0);
});

test('calls of one batch size at once share a plan', async () => {
  await model.predict(samples(8), { batchSize: 2 });
  const together = await bindGroups(() =>
    Promise.all([1, 2, 3, 4].map(() => model.predict(samples(8), { batchSize: 8 }))),
  );
  expect(together).toBe(await bindGroups(() => model.predict(samples(8), { batchSize: 4 })));
});

test('no samples, fewer than a batch, one more than a batch', async () => {
  expect(await bindGroups(() => model.predict(samples(0)))).toBe(0);
  expect(await model.predict(samples(0))).toEqual(new Float32Array(0));
  expect(await model.predict([], { output: 'classes' })).toEqual(new Uint32Array(0));
  expect((await model.predict(samples(3), { batchSize: 1000 })).length).toBe(9);
  expect((await model.predict(samples(3), { batchSize: 2, output: 'classes' })).length).toBe(3);
  // 1000 samples at a time would be as many rows as there are not: the next power of 2 does.
  const rows = vi.spyOn(gpu.device, 'createBuffer');
  await model.predict(samples(6), { batchSize: 1000 });
  expect(rows.mock.calls.find(([{ label }]) => label === 'inputs')?.[0].size).toBe(4 * 4 * 8);
});

const refusals: [string, PredictOptions<'logits'>, typeof LimitError | typeof Error][] = [
  ['a batch beyond the limit', { batchSize: 70_000 }, LimitError],
  ['no batch at all', { batchSize: 0 }, Error],
  ['an unknown output', { output: 'logit' as 'logits' }, Error],
];
test.for(refusals)('%s is refused, and leaves nothing behind', async ([, options, kind]) => {
  await model.predict(samples(4));
  const before = gpu.memory;
  await expect(model.predict(samples(4), options)).rejects.toThrow(kind);
  expect(gpu.memory).toEqual(before);
});

const layers: readonly [options: PredictOptions, message: string][] = [
  [{ layer: 2 }, 'predict: layer = 2; layer must be the number or the name of one of 0 (dense), 1 (dense).'],
  [{ layer: -1 }, 'predict: layer = -1;'],
  [{ layer: 0.5 }, 'predict: layer = 0.5;'],
  [{ layer: '0.0' }, 'predict: layer = "0.0";'],
  [{ layer: 'dense' }, 'predict: layer = "dense";'],
  [{ layer: null as never }, 'predict: layer = null;'],
  [{ layer: [0] as never }, 'predict: layer is an array;'],
  [{ layer: 0, output: 'logits' }, 'predict: there are both output and layer.'],
];
test.for(layers)('no layer of %o', async ([options, message]) => {
  const { usedBytes } = gpu.memory;
  const error = await model.predict(samples(4), options as PredictOptions<'logits'>).catch((cause: unknown) => cause);
  expect(error).toMatchObject({ code: 'bad-option', message: expect.stringContaining(message) });
  expect(gpu.memory.usedBytes).toBe(usedBytes);
});

test('plans of layers are kept beside those of outputs', async () => {
  const ours = (): Promise<Float32Array> => model.predict(samples(16), { layer: 0 });
  expect((await ours()).length).toBe(16 * 5);
  expect((await model.predict(samples(16), { output: 'values' })).length).toBe(16 * 3);
  expect(await bindGroups(ours)).toBe(0);
});

test('a layer that its container does not record is refused', async () => {
  const inert: Layer = {
    spec: { type: 'inert' },
    layers: [dense(4)],
    outputs: (inputs) => inputs,
    parameters: () => [],
    record: () => undefined,
  };
  using odd = await Mlp.create(gpu, { inputs: 4, layers: [inert, dense(3)] });
  await expect(odd.predict(samples(4), { layer: '0.0' })).rejects.toThrow(
    'layer = "0.0" (dense), which the layer that',
  );
});

test('the input of a layer that records nothing is its output, also where nothing else reads the batch', async () => {
  using model = await Mlp.create(gpu, {
    inputs: 4,
    layers: [dropout(0.5), residual([dropout(0.5), dense(4)]), dense(3)],
  });
  for (const layer of [0, '1.0']) expect((await model.predict(samples(2), { layer })).length).toBe(8);
  using only = await Mlp.create(gpu, { inputs: 4, layers: [dropout(0.5)] });
  expect((await only.predict(samples(2), { output: 'values' })).length).toBe(8);
});

test.for<AllocationFailure>(['out-of-memory', 'exception'])(
  'after the n-th allocation failed (%s) nothing is left behind, and the next call works',
  async (how) => {
    await model.predict(samples(4), { batchSize: 1 });
    await gpu.idle();
    const { usedBytes } = gpu.memory;
    let failures = 0;
    for (let n = 1; ; n++) {
      let error: unknown;
      let result: ArrayLike<number> | undefined;
      const options = { batchSize: 100 + n };
      const failed = await failingAllocation(gpu.device, n, how, async () => {
        try {
          result = await model.predict(samples(200), options);
        } catch (cause) {
          error = cause;
        }
      });
      if (!failed) {
        expect([error, result?.length]).toEqual([undefined, 600]);
        break;
      }
      failures += 1;
      expect(result).toBeUndefined();
      if (how === 'exception') expect(error).toBeInstanceOf(RangeError);
      else expect(error, `allocation ${n}`).toMatchObject({ code: 'out-of-memory' });
      await gpu.idle();
      gpu.check();
      // The sixth and later ones are of the call, whose plan is there by then.
      if (n < 6) expect(gpu.memory.usedBytes, `allocation ${n}`).toBe(usedBytes);
      expect((await model.predict(samples(4), { batchSize: 1 })).length).toBe(12);
    }
    expect(failures).toBeGreaterThanOrEqual(5);
    model.dispose();
    expect(gpu.memory.usedBytes).toBe(0);
  },
);

/** A model of one input and 784 outputs on a device that computes the output 784·x + k. */
async function wideModel() {
  const device = new FakeDevice();
  const wide = await Mlp.create(device, { inputs: 1, layers: [dense(784)] });
  device.onReplay = ({ step, tensors }) => {
    const inputs = tensors.find(({ label }) => label === 'inputs');
    const outputs = tensors.find(({ shape }) => shape.length === 2 && shape[1] === 784 && shape[0] !== 1);
    if (inputs === undefined || outputs === undefined) throw new Error('The plan has no inputs or no outputs.');
    const [X, Y] = [device.floats(inputs), device.floats(outputs)];
    for (let i = 0; i < 784 * (step?.rows ?? 0); i++) Y[i] = 784 * (X[Math.floor(i / 784)] ?? 0) + (i % 784);
  };
  /** Bytes of the staging buffers in use, and of the largest one, so far. */
  const staging = { most: 0, largest: 0 };
  const inUse = new Map<DeviceBuffer, number>();
  const { allocate, free } = device;
  device.allocate = (byteLength, label, use) => {
    const buffer = allocate.call(device, byteLength, label, use);
    if (use !== 'staging') return buffer;
    inUse.set(buffer, byteLength);
    staging.largest = Math.max(staging.largest, byteLength);
    staging.most = Math.max(
      staging.most,
      [...inUse.values()].reduce((sum, bytes) => sum + bytes),
    );
    return buffer;
  };
  device.free = (buffer) => {
    inUse.delete(buffer);
    free.call(device, buffer);
  };
  return { device, wide, staging };
}

test('large outputs are read in parts, through two staging buffers of 16 MiB at most', async () => {
  const { device, wide, staging } = await wideModel();
  const count = 18_000;
  const options = { output: 'logits', batchSize: 1000 } as const;
  const outputs = await wide.predict(
    Float32Array.from({ length: count }, (_, row) => row),
    options,
  );
  expect(outputs.length).toBe(784 * count);
  const wrong = outputs.findIndex((value, i) => value !== i);
  expect(wrong).toBe(-1);
  // All outputs are 56 MB; a staging buffer has room for five batches.
  expect(staging).toEqual({ most: 2 * 5 * 4 * 784 * 1000, largest: 5 * 4 * 784 * 1000 });
  // A batch that is larger than a part is read as one.
  expect((await wide.predict(new Float32Array(8000), { ...options, batchSize: 8000 })).length).toBe(784 * 8000);
  wide.dispose();
  expect(device.memory.usedBytes).toBe(0);
});

test('a plan that makes room while its outputs are read in parts is used to the end', async () => {
  const { device, wide } = await wideModel();
  const first = wide.predict(new Float32Array(18_000).fill(3), { output: 'logits', batchSize: 1000 });
  const others = Array.from({ length: 12 }, (_, i) => wide.predict(new Float32Array(64), { batchSize: i + 2 }));
  await Promise.all(others);
  expect((await first).every((value, i) => value === 3 * 784 + (i % 784))).toBe(true);
  await quiet(device);
  wide.dispose();
  expect(device.memory.usedBytes).toBe(0);
});

test('a model that is disposed while its outputs are read in parts ends the prediction', async () => {
  const { device, wide } = await wideModel();
  const predicting = errorOf(() => wide.predict(new Float32Array(30_000), { output: 'logits', batchSize: 1000 }));
  await expect.poll(() => device.log.filter((entry) => entry === 'submit predict').length).toBeGreaterThan(5);
  wide.dispose();
  expect(await predicting).toBeInstanceOf(DisposedError);
  await quiet(device);
  expect(device.memory.usedBytes).toBe(0);
});

test('a large tensor is read through staging buffers of 16 MiB at most, all copied in one submit', async () => {
  const elements = 10 * 2 ** 20 + 3;
  const tensor = Tensor.empty(gpu, [elements + 64]);
  const create = vi.spyOn(gpu.device, 'createBuffer');
  const submit = vi.spyOn(gpu.device.queue, 'submit');
  const used = gpu.memory.usedBytes;
  expect((await tensor.view(64, [elements]).read()).length).toBe(elements);
  expect(create.mock.calls.map(([{ size }]) => size)).toEqual([2 ** 24, 2 ** 24, 2 ** 23 + 16]);
  expect(submit.mock.calls.filter(([commands]) => [...commands].length > 0)).toHaveLength(1);
  expect(gpu.memory.usedBytes).toBe(used);
  // Bytes that do not begin and end at whole words.
  const bytes = Tensor.empty(gpu, [2 ** 24 + 9], 'bytes', 'u8');
  expect((await bytes.view(3, [2 ** 24 + 5]).read()).length).toBe(2 ** 24 + 5);
});
