import { expect, test } from 'vitest';
import { Dataset, type StreamedSamples } from '../../src/index.js';
import type { DeviceBuffer } from '../../src/plan/memory.js';
import { errorOf, quiet, type SmallTraining, smallTraining } from '../support/small-training.js';

const FEATURES = 5;
const BATCH = 4;
const LENGTH = 22;
const CHUNK = 8;

interface Streamed extends SmallTraining {
  readonly stream: Dataset;
  /** For each read, its place and how many submits there were before. */
  readonly reads: { readonly first: number; readonly count: number; readonly submits: number }[];
  /** For each batch, the number of its slot and its samples. */
  readonly batches: { readonly slot: number; readonly samples: readonly number[] }[];
}

/** A stream of samples that have their own number in each of their features. @param before is awaited before samples are given */
async function streamed(before?: (first: number) => unknown): Promise<Streamed> {
  const on = await smallTraining();
  const { device } = on;
  const reads: Streamed['reads'] = [];
  const batches: Streamed['batches'] = [];
  const slots: DeviceBuffer[] = [];
  device.onReplay = ({ tensors, step }) => {
    const data = tensors.find(({ label }) => label === 'batch inputs');
    const order = tensors.find(({ label }) => label === 'order');
    if (data === undefined || order === undefined || step === undefined) throw new Error('There is no batch.');
    if (!slots.includes(data.buffer)) slots.push(data.buffer);
    const rows = new Uint32Array(device.floats(order).buffer).subarray(step.first, step.first + step.rows);
    const samples = [...rows].map((row) => device.floats(data)[row * FEATURES] ?? -1);
    batches.push({ slot: slots.indexOf(data.buffer), samples });
  };
  const read = async (first: number, count: number): Promise<StreamedSamples> => {
    const submits = device.log.filter((entry) => entry.startsWith('submit')).length;
    reads.push({ first, count, submits });
    await before?.(first);
    return {
      inputs: Float32Array.from({ length: count * FEATURES }, (_, i) => first + Math.floor(i / FEATURES)),
      classes: Uint32Array.from({ length: count }, (_, i) => (first + i) % 3),
    };
  };
  const stream = Dataset.stream(device, { length: LENGTH, features: FEATURES, chunk: CHUNK, read });
  return { ...on, stream, reads, batches };
}

const counting = (length: number, first = 0): number[] => Array.from({ length }, (_, i) => first + i);

test('chunks take the two slots in turn, and every sample its place', async () => {
  const { trainer, stream, batches, reads } = await streamed();
  await trainer.fit(stream, { epochs: 1, shuffle: false });
  expect(batches).toEqual([
    { slot: 0, samples: counting(4) },
    { slot: 0, samples: counting(4, 4) },
    { slot: 1, samples: counting(4, 8) },
    { slot: 1, samples: counting(4, 12) },
    { slot: 0, samples: counting(4, 16) },
    { slot: 0, samples: counting(2, 20) },
  ]);
  // One sample tells of which kind they are.
  expect(reads.map(({ first, count }) => [first, count])).toEqual([
    [0, 1],
    [0, 8],
    [8, 8],
    [16, 6],
  ]);
});

test('a shuffled epoch has each sample once: whole chunks in an order of its own, and the partial one last', async () => {
  const { trainer, stream, batches, reads } = await streamed();
  await trainer.fit(stream, { epochs: 3 });
  const epochs = [0, 1, 2].map((epoch) => batches.slice(6 * epoch, 6 * epoch + 6).map(({ samples }) => samples));
  for (const epoch of epochs) {
    expect(epoch.flat().toSorted((a, b) => a - b)).toEqual(counting(LENGTH));
    const chunks = [epoch.slice(0, 2), epoch.slice(2, 4), epoch.slice(4)].map((parts) => parts.flat());
    for (const chunk of chunks) expect(new Set(chunk.map((sample) => Math.floor(sample / CHUNK))).size).toBe(1);
    expect(chunks.at(-1)?.toSorted((a, b) => a - b)).toEqual(counting(6, 16));
  }
  expect(new Set(epochs.map(String)).size).toBe(3);
  expect(reads.length).toBe(1 + 3 * 3);
});

test('one chunk is read ahead, while the steps of the one before it are queued, and no other', async () => {
  const { trainer, stream, reads } = await streamed();
  await trainer.fit(stream, { epochs: 1, shuffle: false });
  await trainer.evaluate(stream);
  // Of fit: none before the first two, two steps before the third. Of evaluate: a submit is a chunk.
  expect(reads.map(({ submits }) => submits)).toEqual([0, 0, 0, 2, 6, 6, 7]);
});

const broken = [1, 2, 3, 4].flatMap((number) => (['fit', 'evaluate'] as const).map((name) => ({ number, name })));
test.for(broken)('what read number $number throws rejects $name, and the trainer goes on', async ({ number, name }) => {
  let calls = 0;
  const { device, trainer, stream } = await streamed(() => {
    calls += 1;
    if (calls === number) throw new Error('the file is gone');
  });
  const run = (): unknown => (name === 'fit' ? trainer.fit(stream, { epochs: 1 }) : trainer.evaluate(stream));
  const before = device.memory;
  expect(await errorOf(run)).toEqual(new Error('the file is gone'));
  await quiet(device);
  // The workspace keeps what the plans of the stream have needed.
  expect(device.memory.usedBytes - before.usedBytes).toBeLessThan(number === 1 ? 1 : 200);
  const after = device.memory;
  expect(await errorOf(run)).toBeUndefined();
  await quiet(device);
  expect(device.memory.usedBytes - after.usedBytes).toBeLessThan(number === 1 ? 200 : 1);
});

test('a signal ends fit though a read never does', async () => {
  const { device, trainer, stream } = await streamed((first) =>
    first === 8 ? new Promise(() => undefined) : undefined,
  );
  const stop = new AbortController();
  const training = trainer.fit(stream, { epochs: 1, shuffle: false, signal: stop.signal });
  await quiet(device);
  stop.abort();
  expect(await training).toEqual([]);
});

test('samples that come too late for a stream that has been left are written nowhere', async () => {
  let give = (): void => undefined;
  const { device, model, trainer, stream, data } = await streamed((first) =>
    first === 8 ? new Promise<void>((resolve) => (give = resolve)) : undefined,
  );
  const stop = new AbortController();
  const training = trainer.fit(stream, { epochs: 1, shuffle: false, signal: stop.signal });
  await quiet(device);
  stop.abort();
  await training;
  const { length } = device.log;
  give();
  await quiet(device);
  expect(device.log.length).toBe(length);
  model.dispose();
  data.dispose();
  expect(device.memory.usedBytes).toBe(0);
});

test('a chunk is whole batches, and a data set in one chunk takes one slot', async () => {
  const { device, trainer, batches } = await streamed();
  const read = (first: number, count: number) => ({
    inputs: new Float32Array(count * FEATURES).fill(first),
    classes: new Uint32Array(count),
  });
  const odd = Dataset.stream(device, { length: LENGTH, features: FEATURES, chunk: 2 * BATCH + 3, read });
  const all = Dataset.stream(device, { length: LENGTH, features: FEATURES, chunk: 100, read });
  for (const [set, slots] of [
    [odd, 2],
    [all, 1],
  ] as const) {
    batches.length = 0;
    await trainer.fit(set, { epochs: 1 });
    expect(batches.map(({ samples }) => samples.length)).toEqual([4, 4, 4, 4, 4, 2]);
    expect(new Set(batches.map(({ slot }) => slot)).size).toBe(slots);
  }
});
