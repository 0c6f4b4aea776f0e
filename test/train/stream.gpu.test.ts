import { expect, test } from 'vitest';
import {
  accuracy,
  DataError,
  Dataset,
  type DatasetOptions,
  DisposedError,
  dense,
  Gpu,
  type Metric,
  Mlp,
  MlpError,
  ShapeError,
  type StreamOptions,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
} from '../../src/index.js';
import { settledBytes, sharedGpu } from '../support/gpu.js';
import { clusters, hashOf } from '../support/problems.js';
import { steady } from '../support/steady.js';

const FEATURES = 5;
const CLASSES = 3;

interface Setting {
  readonly model: Mlp;
  readonly trainer: Trainer<Metric<'accuracy'>>;
  [Symbol.dispose](): void;
}

async function setting(gpu: Gpu, batchSize: number, units = 70): Promise<Setting> {
  const layers = [dense(units, 'relu'), dense(CLASSES)];
  const model = await Mlp.create(gpu, { inputs: FEATURES, layers, seed: 3 });
  const trainer = await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0.05, momentum: 0.9 }),
    metrics: [accuracy()],
    batchSize,
  });
  return { model, trainer, [Symbol.dispose]: () => model.dispose() };
}

/** Samples as `Dataset.create` takes them. */
function samplesOf(
  count: number,
  bytes = false,
): DatasetOptions & { inputs: Float32Array | Uint8Array; classes: Uint32Array } {
  const { inputs, labels } = clusters(count, FEATURES, CLASSES);
  return {
    inputs: bytes ? Uint8Array.from(inputs, (value) => 100 + 40 * value) : inputs,
    features: FEATURES,
    classes: labels,
  };
}

/** The same samples as a stream, and what was asked of it. */
function streamOf(count: number, chunk: number, bytes = false): { options: StreamOptions; asked: [number, number][] } {
  const { inputs, classes } = samplesOf(count, bytes);
  const labels = classes;
  const asked: [number, number][] = [];
  const read: StreamOptions['read'] = (first, rows) => {
    asked.push([first, rows]);
    const part = inputs.slice(first * FEATURES, (first + rows) * FEATURES);
    const samples = { inputs: part, classes: labels.slice(first, first + rows) };
    return first % 2 === 0 ? samples : new Promise((resolve) => setTimeout(resolve, 1, samples));
  };
  return { options: { length: count, features: FEATURES, chunk, read }, asked };
}

/** Losses, metrics and weights after two epochs. */
async function trained(gpu: Gpu, data: Dataset, batchSize: number, shuffle: boolean, units?: number) {
  using made = await setting(gpu, batchSize, units);
  const history = await made.trainer.fit(data, { epochs: 2, shuffle });
  const { loss, accuracy } = await made.trainer.evaluate(data);
  return {
    history: history.map((entry) => ({ ...entry, seconds: 0 })),
    hash: await hashOf(made.model),
    last: await made.trainer.loss(),
    accuracy,
    loss: loss.toPrecision(6),
  };
}

test.for([
  { count: 96, batch: 8, chunk: 32, because: 'whole chunks of whole batches' },
  { count: 101, batch: 8, chunk: 32, because: 'a partial chunk that ends in a partial batch' },
  { count: 65, batch: 8, chunk: 32, because: 'a chunk of one row' },
  { count: 100, batch: 8, chunk: 21, because: 'a chunk that is no whole number of batches' },
  { count: 50, batch: 8, chunk: 3, because: 'a chunk that is smaller than a batch' },
  { count: 50, batch: 8, chunk: 1000, because: 'a single chunk' },
  { count: 40, batch: 1, chunk: 7, because: 'batches of one row' },
])('streamed training has the weights of resident training, bit for bit: $because', async ({ count, batch, chunk }) => {
  const gpu = await sharedGpu();
  const { options } = streamOf(count, chunk);
  using resident = Dataset.create(gpu, samplesOf(count));
  using onHost = Dataset.create(gpu, { ...samplesOf(count), chunk });
  using stream = Dataset.stream(gpu, options);
  const expected = await trained(gpu, resident, batch, false);
  expect(await trained(gpu, onHost, batch, false)).toEqual(expected);
  expect(await trained(gpu, stream, batch, false)).toEqual(expected);
  // What is on the host is shuffled in full; what is read, chunk by chunk.
  const shuffled = await trained(gpu, resident, batch, true);
  expect(await trained(gpu, onHost, batch, true)).toEqual(shuffled);
  const inChunks = await trained(gpu, stream, batch, true);
  expect(await trained(gpu, stream, batch, true)).toEqual(inChunks);
  expect(inChunks.hash).not.toBe(expected.hash);
});

test.for([4, 70])('bytes are streamed as bytes, with %d hidden units', async (units) => {
  const gpu = await sharedGpu();
  using resident = Dataset.create(gpu, samplesOf(90, true));
  using stream = Dataset.stream(gpu, streamOf(90, 16, true).options);
  using onHost = Dataset.create(gpu, { ...samplesOf(90, true), chunk: 16 });
  const expected = await trained(gpu, resident, 8, false, units);
  expect(await trained(gpu, stream, 8, false, units)).toEqual(expected);
  expect(await trained(gpu, onHost, 8, false, units)).toEqual(expected);
});

test('rows of targets are streamed', async () => {
  const gpu = await sharedGpu();
  const { inputs, classes } = samplesOf(50);
  const targets = Float32Array.from({ length: 50 * CLASSES }, (_, i) =>
    classes[Math.floor(i / CLASSES)] === i % CLASSES ? 1 : 0,
  );
  using resident = Dataset.create(gpu, { inputs, features: FEATURES, targets });
  using onHost = Dataset.create(gpu, { inputs, features: FEATURES, targets, chunk: 16 });
  expect(await trained(gpu, onHost, 8, true)).toEqual(await trained(gpu, resident, 8, true));
});

test('an epoch asks for each sample once, in an order of its own', async () => {
  const gpu = await sharedGpu();
  const { options, asked } = streamOf(101, 16);
  using stream = Dataset.stream(gpu, options);
  expect([stream.length, stream.classCount]).toEqual([101, 0]);
  using made = await setting(gpu, 8);
  await made.trainer.fit(stream, { epochs: 2 });
  expect(stream.classCount).toBe(CLASSES);
  const [probe, ...chunks] = asked;
  expect(probe).toEqual([0, 1]);
  const epochs = [chunks.slice(0, 7), chunks.slice(7)];
  for (const epoch of epochs) {
    expect(epoch.map(([first]) => first).sort((a, b) => a - b)).toEqual([0, 16, 32, 48, 64, 80, 96]);
    expect(epoch.at(-1)).toEqual([96, 5]);
  }
  expect(epochs[0]).not.toEqual(epochs[1]);
});

test('two chunks are on the GPU, whatever the length, and nothing remains', async () => {
  const gpu = await Gpu.request();
  using made = await setting(gpu, 8);
  const before = await settledBytes(gpu);
  const peaks: number[] = [];
  for (const count of [256, 4096]) {
    using stream = Dataset.stream(gpu, streamOf(count, 64).options);
    let peak = 0;
    const onStep = (): void => {
      peak = Math.max(peak, gpu.memory.usedBytes);
    };
    await made.trainer.fit(stream, { epochs: 1, onStep });
    peaks.push(peak - before);
    expect(await settledBytes(gpu)).toBe(before);
    await made.trainer.evaluate(stream);
    expect(await settledBytes(gpu)).toBe(before);
  }
  // Inputs, a label and a place in the order for each of 2·64 rows; then reports, uniforms and the step's own values.
  expect(peaks[1]).toBe(peaks[0]);
  const own = 2 * 64 * 4 * (FEATURES + 2);
  expect(peaks[0]).toBeGreaterThan(own);
  expect(peaks[0]).toBeLessThan(own + 16_384);
  gpu.destroy();
});

test('what is larger than a buffer may be is streamed without being told to', async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter?.requestDevice();
  if (device === undefined) throw new Error('no device');
  const limits: Record<string, number> = {};
  for (const name in device.limits) limits[name] = Number(Reflect.get(device.limits, name));
  Object.defineProperty(device, 'limits', { value: { ...limits, maxStorageBufferBindingSize: 8192 } });
  const gpu = Gpu.from(device);
  using small = Dataset.create(gpu, samplesOf(400));
  using large = Dataset.create(gpu, samplesOf(500));
  using fewBytes = Dataset.create(gpu, samplesOf(500, true));
  expect([small, large, fewBytes].map(({ resident }) => resident !== undefined)).toEqual([true, false, true]);
  const real = await sharedGpu();
  using same = Dataset.create(real, samplesOf(500));
  expect(await trained(gpu, large, 8, true, 20)).toEqual(await trained(real, same, 8, true, 20));
  expect(await large.statistics()).toEqual(await large.statistics());
  gpu.destroy();
  device.destroy();
});

test('splits and statistics of what stays on the host', async () => {
  const gpu = await sharedGpu();
  using resident = Dataset.create(gpu, samplesOf(90));
  using onHost = Dataset.create(gpu, { ...samplesOf(90), chunk: 16 });
  using stream = Dataset.stream(gpu, streamOf(90, 16).options);
  const [part] = resident.split(0.5, { stratify: true });
  const [samePart] = onHost.split(0.5, { stratify: true });
  expect(await trained(gpu, samePart, 8, true)).toEqual(await trained(gpu, part, 8, true));
  const expected = await resident.statistics({ per: 'feature' });
  const before = await settledBytes(gpu);
  for (const data of [onHost, stream]) {
    const { mean, std } = await data.statistics({ per: 'feature' });
    for (const [c, value] of expected.mean.entries()) {
      expect(mean[c]).toBeCloseTo(value, 6);
      expect(std[c]).toBeCloseTo(expected.std[c] ?? Number.NaN, 6);
    }
  }
  expect(await settledBytes(gpu)).toBe(before);
  expect(() => stream.split(0.5)).toThrow('a stream cannot be split');
});

/** What `read` gives for a chunk, and what `fit` then says. */
const broken: [
  what: string,
  read: (count: number) => unknown,
  error: new (...values: never[]) => Error,
  message: string,
][] = [
  ['rejects', () => Promise.reject(new RangeError('no network')), RangeError, 'no network'],
  [
    'gives too few',
    (count) => ({ inputs: new Float32Array(5 * count - 5), classes: new Uint8Array(count - 1) }),
    ShapeError,
    'gave 15 samples; 16 were requested.',
  ],
  [
    'gives no whole samples',
    (count) => ({ inputs: new Float32Array(5 * count - 1), classes: new Uint8Array(count) }),
    ShapeError,
    'not a multiple of the 5 features',
  ],
  [
    'gives too few labels',
    (count) => ({ inputs: new Float32Array(5 * count), classes: [0] }),
    ShapeError,
    'there are 16 samples but 1 classes',
  ],
  [
    'gives NaN',
    (count) => ({ inputs: new Float32Array(5 * count).fill(Number.NaN), classes: new Uint8Array(count) }),
    DataError,
    'inputs at row 0, column 0 is NaN',
  ],
  [
    'gives a class that the model has not',
    (count) => ({ inputs: new Float32Array(5 * count), classes: new Uint8Array(count).fill(3) }),
    DataError,
    'Dataset.stream: read: the largest class is 3, but the model has 3 outputs',
  ],
  [
    'gives a negative class',
    (count) => ({ inputs: new Float32Array(5 * count), classes: new Int8Array(count).fill(-1) }),
    DataError,
    'classes[0] is -1',
  ],
  [
    'gives bytes after floats',
    (count) => ({ inputs: new Uint8Array(5 * count), classes: new Uint8Array(count) }),
    DataError,
    'gave u8 inputs and 1 u32 for each label, but an earlier call gave f32 inputs and 1 u32 for each label.',
  ],
  [
    'gives targets after classes',
    (count) => ({ inputs: new Float32Array(5 * count), targets: new Float32Array(3 * count).fill(1 / 3) }),
    DataError,
    'gave f32 inputs and 3 f32 for each label',
  ],
  ['gives nothing', () => undefined, MlpError, 'there are no samples'],
];
test.for(broken)('a read that %s rejects fit, and the trainer stays usable', async ([, read, error, message]) => {
  const gpu = await sharedGpu();
  const { options } = streamOf(64, 16);
  let isBroken = true;
  using stream = Dataset.stream(gpu, {
    ...options,
    read: (first, count) =>
      isBroken && first === 32 ? (read(count) as ReturnType<StreamOptions['read']>) : options.read(first, count),
  });
  using made = await setting(gpu, 8);
  const before = await settledBytes(gpu);
  for (const work of [
    () => made.trainer.fit(stream, { epochs: 1, shuffle: false }),
    () => made.trainer.evaluate(stream),
  ]) {
    const failure = await work().catch((reason: unknown) => reason);
    expect(failure).toBeInstanceOf(error);
    expect(failure).toMatchObject({ message: expect.stringContaining(message) });
    // What is being read back is freed when it has come.
    expect(await settledBytes(gpu)).toBe(before);
  }
  isBroken = false;
  expect((await made.trainer.fit(stream, { epochs: 1 })).length).toBe(1);
});

test('a signal ends fit while it waits for a chunk', async () => {
  const gpu = await sharedGpu();
  const { options } = streamOf(64, 16);
  const controller = new AbortController();
  let finish = (): void => {};
  using stream = Dataset.stream(gpu, {
    ...options,
    async read(first, count) {
      if (first === 32) {
        await new Promise<void>((resolve) => {
          finish = resolve;
          // By then the steps before are done, and fit waits for this chunk.
          setTimeout(() => controller.abort(), 200);
        });
      }
      return await options.read(first, count);
    },
  });
  using made = await setting(gpu, 8);
  const before = await settledBytes(gpu);
  expect(await made.trainer.fit(stream, { epochs: 1, shuffle: false, signal: controller.signal })).toEqual([]);
  expect(await settledBytes(gpu)).toBe(before);
  finish();
  const { options: whole } = streamOf(64, 16);
  using other = Dataset.stream(gpu, whole);
  expect((await made.trainer.fit(other, { epochs: 1 })).length).toBe(1);
});

test('pause holds a stream back until resume', async () => {
  const gpu = await sharedGpu();
  const { options, asked } = streamOf(400, 8);
  using stream = Dataset.stream(gpu, options);
  using made = await setting(gpu, 4);
  let isPaused = false;
  const done = made.trainer.fit(stream, {
    epochs: 1,
    onStep: () => {
      if (isPaused) return;
      isPaused = true;
      made.trainer.pause();
    },
  });
  await expect.poll(() => isPaused).toBe(true);
  // Of 51 chunks; without the pause all would be asked for before the count is steady.
  expect(await steady(() => asked.length)).toBeLessThan(51);
  made.trainer.resume();
  expect((await done)[0]?.steps).toBe(100);
});

test('a stream that is disposed of while it is read stops fit', async () => {
  const gpu = await sharedGpu();
  const { options } = streamOf(400, 8);
  using stream = Dataset.stream(gpu, options);
  using made = await setting(gpu, 4);
  const work = made.trainer.fit(stream, { epochs: 1, onStep: () => stream.dispose() });
  await expect(work).rejects.toThrow(DisposedError);
});

test('two evaluations at the same time do not mix', async () => {
  const gpu = await sharedGpu();
  using one = Dataset.stream(gpu, streamOf(96, 16).options);
  using two = Dataset.create(gpu, { ...samplesOf(60), chunk: 8 });
  using made = await setting(gpu, 8);
  const apart = [await made.trainer.evaluate(one), await made.trainer.evaluate(two)];
  expect(await Promise.all([made.trainer.evaluate(one), made.trainer.evaluate(two)])).toEqual(apart);
});

test.for<[what: string, change: Partial<StreamOptions>, message: string]>([
  ['length = 0', { length: 0 }, 'Dataset.stream: length = 0; length must be a positive integer.'],
  ['chunk = 1.5', { chunk: 1.5 }, 'chunk = 1.5'],
  ['features = NaN', { features: Number.NaN, chunk: 1 }, 'features = NaN'],
])('Dataset.stream refuses %s', async ([, change, message]) => {
  const gpu = await sharedGpu();
  expect(() => Dataset.stream(gpu, { ...streamOf(10, 2).options, ...change })).toThrow(message);
});
