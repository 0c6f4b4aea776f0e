import { expect, test } from 'vitest';
import {
  accuracy,
  Dataset,
  DisposedError,
  dense,
  Gpu,
  type Metric,
  Mlp,
  MlpError,
  type Profile,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
} from '../../src/index.js';
import { matmul, Tensor } from '../../src/kernels.js';
import { ownGpu } from '../support/gpu.js';
import { clusters, hashOf } from '../support/problems.js';

const FEATURES = 200;
const CLASSES = 10;
const BATCH = 64;
const { inputs, labels } = clusters(4 * BATCH, FEATURES, CLASSES);
const batch = { inputs: inputs.subarray(0, BATCH * FEATURES), labels: labels.subarray(0, BATCH) };

interface Setting {
  readonly model: Mlp;
  readonly trainer: Trainer<Metric<'accuracy'>>;
  readonly data: Dataset;
}

/** A network in which no two dispatches of a step have the same label. */
async function setting(gpu: Gpu): Promise<Setting> {
  const layers = [dense(100, 'relu'), dense(50, 'relu'), dense(CLASSES)];
  const model = await Mlp.create(gpu, { inputs: FEATURES, layers, seed: 1 });
  const options = { loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 0.05, momentum: 0.9 }) };
  const trainer = await model.trainer({ ...options, metrics: [accuracy()], batchSize: BATCH });
  return { model, trainer, data: Dataset.create(gpu, { inputs, features: FEATURES, classes: labels }) };
}

async function withoutTimestamps(): Promise<GPUDevice> {
  const adapter = await navigator.gpu.requestAdapter();
  const requiredFeatures = [...(adapter?.features ?? [])].filter((name) => name !== 'timestamp-query');
  const device = await adapter?.requestDevice({ requiredFeatures: requiredFeatures as GPUFeatureName[] });
  if (device === undefined) throw new Error('no device');
  return device;
}

const steps =
  (trainer: Trainer<Metric<'accuracy'>>, count: number): (() => Promise<void>) =>
  async () => {
    for (let i = 0; i < count; i++) await trainer.step(batch.inputs, batch.labels);
  };

test('a step has the dispatches of its plan, with times that fit into the time it took', async () => {
  using gpu = await ownGpu();
  const { trainer } = await setting(gpu);
  const { dispatches: planned } = trainer.plan;
  // Enough for a GPU on which a dispatch takes less than a step of the browser's clock.
  const STEPS = 100;
  const started = performance.now();
  const profile = await gpu.profile(steps(trainer, STEPS));
  const wall = performance.now() - started;

  const names = planned.map(({ kernel, label, variant }) => ({ kernel, label, variant }));
  expect(profile.dispatches.map(({ kernel, label, variant }) => ({ kernel, label, variant }))).toEqual(names);
  for (const { label, count, dropped, milliseconds, totalMilliseconds } of profile.dispatches) {
    expect([count, dropped], label).toEqual([STEPS, 0]);
    expect(milliseconds, label).toBeGreaterThan(0);
    expect(totalMilliseconds, label).toBeGreaterThanOrEqual(milliseconds ?? Number.POSITIVE_INFINITY);
  }
  expect(profile.totalMilliseconds).toBeGreaterThan(0);
  expect(profile.totalMilliseconds).toBeLessThanOrEqual(wall);
  const lines = profile.toString().split('\n');
  expect(lines.length).toBe(2 + planned.length);
  expect(lines[0]).toMatch(/^dispatch +variant +count +ms each +ms in all +share$/);
  expect(lines[3]).toMatch(
    new RegExp(`^${planned[1]?.label} +${planned[1]?.variant} +${STEPS} +\\d+\\.\\d{3} +\\d+\\.\\d{3}`),
  );
});

test('fit, evaluate, predict and run are seen, in that order, and nothing from before or behind', async () => {
  using gpu = await ownGpu();
  const { model, trainer, data } = await setting(gpu);
  const [A, B, C] = [Tensor.empty(gpu, [3, 5]), Tensor.empty(gpu, [5, 7]), Tensor.empty(gpu, [3, 7])];
  const product = matmul(A, B, C);
  const outside = matmul(A, Tensor.empty(gpu, [5, 9]), Tensor.empty(gpu, [3, 9]));
  gpu.run([outside]);
  const profile = await gpu.profile(async () => {
    await trainer.fit(data, { epochs: 2 });
    await trainer.evaluate(data);
    await model.predict(batch.inputs.subarray(0, FEATURES));
    for (let i = 0; i < 5; i++) gpu.run([product, product]);
  });
  gpu.run([outside]);
  const counts = profile.dispatches.map(({ label, count }) => [label, count] as const);
  expect(counts.find(([label]) => label === outside.label)).toBeUndefined();
  // 2 epochs of 4 steps, and the 4 of the evaluation.
  expect(counts[0]).toEqual([trainer.plan.dispatches[0]?.label, 12]);
  const update = counts.findIndex(([label]) => label === trainer.plan.dispatches.at(-1)?.label);
  expect(counts[update]?.[1]).toBe(8);
  const prediction = counts.findIndex(([label]) => label.startsWith('softmax 1×'));
  expect(prediction).toBeGreaterThan(update);
  expect(counts.slice(prediction + 1)).toEqual([[product.label, 10]]);
});

test('the trained weights have the same bits with a profile and without', async () => {
  const hashes: string[] = [];
  for (const profiled of [false, true]) {
    using gpu = await ownGpu();
    const { model, trainer, data } = await setting(gpu);
    const initial = await hashOf(model);
    const work = (): Promise<unknown> => trainer.fit(data, { epochs: 3 });
    await (profiled ? gpu.profile(work) : work());
    const trained = await hashOf(model);
    expect(trained).not.toBe(initial);
    hashes.push(trained);
  }
  expect(hashes[1]).toBe(hashes[0]);
});

test('more dispatches than a query set has room for', async () => {
  using gpu = await ownGpu();
  const [A, B, C] = [Tensor.empty(gpu, [1, 1]), Tensor.empty(gpu, [1, 1]), Tensor.empty(gpu, [1, 1])];
  const product = matmul(A, B, C);
  const { dispatches } = await gpu.profile(() => {
    for (let i = 0; i < 21; i++) gpu.run(new Array(100).fill(product));
  });
  expect(dispatches.map(({ count, dropped }) => [count, dropped])).toEqual([[2100, 0]]);
});

test('memory is as before, also when the work throws, and a profile can be taken again', async () => {
  using gpu = await Gpu.request();
  const { trainer } = await setting(gpu);
  await steps(trainer, 1)();
  await trainer.loss();
  const alive = countQuerySets(gpu.device);
  const { usedBytes, allocatedBytes } = gpu.memory;
  // A buffer that lay idle in the pool may have been taken and given up: then there is less than before, never more.
  const expectAsBefore = (): void => {
    expect(gpu.memory.usedBytes).toBe(usedBytes);
    expect(gpu.memory.allocatedBytes).toBeLessThanOrEqual(allocatedBytes);
  };
  expect((await gpu.profile(steps(trainer, 2))).dispatches[0]?.count).toBe(2);
  expectAsBefore();
  const failure = new Error('the work failed');
  const failing = gpu.profile(() => {
    void steps(trainer, 2)();
    throw failure;
  });
  await expect(failing).rejects.toBe(failure);
  expectAsBefore();
  const rejecting = gpu.profile(async () => {
    await steps(trainer, 2)();
    await trainer.loss();
    throw failure;
  });
  await expect(rejecting).rejects.toBe(failure);
  expect((await gpu.profile(steps(trainer, 1))).dispatches[0]?.count).toBe(1);
  expectAsBefore();
  expect(alive()).toEqual({ made: 4, alive: 0 });
});

/** How many query sets are made from now on, and how many of them are still there. */
function countQuerySets(device: GPUDevice): () => { readonly made: number; readonly alive: number } {
  let [made, destroyed] = [0, 0];
  const { createQuerySet } = device;
  device.createQuerySet = (descriptor) => {
    const set = createQuerySet.call(device, descriptor);
    made += 1;
    const { destroy } = set;
    set.destroy = () => {
      destroyed += 1;
      return destroy.call(set);
    };
    return set;
  };
  return () => ({ made, alive: made - destroyed });
}

test('a device without timestamp-query: everything is counted, and the times are null', async () => {
  const device = await withoutTimestamps();
  const gpu = Gpu.from(device);
  expect(gpu.info.features.has('timestamp-query')).toBe(false);
  const { trainer } = await setting(gpu);
  const planned = trainer.plan.dispatches.map(({ label }) => label);
  const profile = await gpu.profile(steps(trainer, 2));
  const none = { count: 2, dropped: 0, milliseconds: null, totalMilliseconds: null };
  expect(profile.dispatches).toMatchObject(planned.map((label) => ({ label, ...none })));
  expect(profile.totalMilliseconds).toBeNull();
  expect(profile.toString()).toMatch(/ 2 +– +– +–$/m);
  gpu.destroy();
  device.destroy();
});

test('work that dispatches nothing gives an empty profile', async () => {
  using gpu = await ownGpu();
  const profile = await gpu.profile(() => undefined);
  expect([profile.dispatches, profile.totalMilliseconds]).toEqual([[], null]);
});

test('a profile within a profile, or beside it, is refused, and the outer one goes on', async () => {
  using gpu = await ownGpu();
  const { trainer } = await setting(gpu);
  let inner: Promise<Profile> | undefined;
  const outer = gpu.profile(async () => {
    inner = gpu.profile(() => undefined);
    await inner.catch(() => undefined);
    await steps(trainer, 1)();
  });
  expect((await outer).dispatches.length).toBe(trainer.plan.dispatches.length);
  await expect(inner).rejects.toThrow('profile: another profile is being taken on this Gpu.');
  await expect(inner).rejects.toMatchObject({ name: 'MlpError', code: 'busy' });
  const waiting = (): Promise<number> => {
    void steps(trainer, 1)();
    return trainer.loss();
  };
  const both = await Promise.allSettled([gpu.profile(waiting), gpu.profile(waiting)]);
  expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
});

test('after destroy, and when the Gpu is destroyed meanwhile: DisposedError', async () => {
  const gpu = await ownGpu();
  const { trainer } = await setting(gpu);
  const destroyed = gpu.profile(() => {
    void steps(trainer, 1)();
    gpu.destroy();
  });
  await expect(destroyed).rejects.toThrow(DisposedError);
  let called = false;
  const late = gpu.profile(() => {
    called = true;
  });
  await expect(late).rejects.toThrow(DisposedError);
  await expect(late).rejects.toThrow(MlpError);
  expect(called).toBe(false);
});

test('a device that is lost while a profile is taken: the error says so', async () => {
  const gpu = await Gpu.request();
  const { trainer } = await setting(gpu);
  const lost = gpu.profile(async () => {
    await steps(trainer, 1)();
    gpu.device.destroy();
    await gpu.lost;
  });
  await expect(lost).rejects.toThrow('The GPU device was lost');
  gpu.destroy();
});
