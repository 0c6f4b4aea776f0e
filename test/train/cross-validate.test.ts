import { describe, expect, test } from 'vitest';
import {
  accuracy,
  type CrossValidationOptions,
  confusionMatrix,
  crossValidate,
  Dataset,
  dense,
  type FoldResult,
  type Metric,
  sgd,
  softmaxCrossEntropy,
} from '../../src/index.js';
import { foldsOf } from '../../src/train/folds.js';
import { FakeDevice } from '../support/fake-device.js';
import { clusters } from '../support/problems.js';
import { countRows, errorOf, quiet } from '../support/small-training.js';

const SAMPLES = 23;
const { inputs, labels } = clusters(SAMPLES, 5, 3);
const dataOn = (device: FakeDevice): Dataset => Dataset.create(device, { inputs, features: 5, classes: labels });

const options: CrossValidationOptions<Metric<'accuracy'>> = {
  model: { inputs: 5, layers: [dense(70, 'relu'), dense(3)] },
  trainer: {
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0.1 }),
    batchSize: 4,
    metrics: [accuracy()],
    stepsPerSubmit: 1,
  },
  fit: { epochs: 2 },
};

describe('the rows of the folds', () => {
  const data = dataOn(new FakeDevice());
  const sorted = (rows: Iterable<number>): number[] => [...rows].sort((a, b) => a - b);
  const all = sorted(data.rows);

  test.for([2, 3, 5, 23])('%d folds hold each row out once, in parts of equal size', (folds) => {
    const parts = foldsOf(data, { folds, seed: 4 });
    expect(parts.length).toBe(folds);
    expect(sorted(parts.flatMap(({ test: held }) => [...held]))).toEqual(all);
    for (const { train, test: held } of parts) {
      expect(sorted([...train, ...held])).toEqual(all);
      expect([Math.floor(SAMPLES / folds), Math.ceil(SAMPLES / folds)]).toContain(held.length);
    }
  });

  test('stratified, each class is in all parts within one sample; the order stays random', () => {
    const classes = Uint32Array.from({ length: 60 }, (_, i) => (i < 36 ? 0 : i < 54 ? 1 : 2));
    const uneven = Dataset.create(new FakeDevice(), { inputs: new Float32Array(60), features: 1, classes });
    const counts = (rows: Uint32Array): number[] =>
      [0, 1, 2].map((k) => rows.filter((row) => classes[row] === k).length);
    for (const { test: held, train } of foldsOf(uneven, { folds: 4, stratify: true })) {
      expect(held.length).toBe(15);
      const [most = 0, some = 0, few = 0] = counts(held);
      expect(most).toBe(9);
      expect([4, 5]).toContain(some);
      expect([1, 2]).toContain(few);
      expect(train.slice(0, 20).every((row) => classes[row] === 0)).toBe(false);
    }
    const plain = foldsOf(uneven, { folds: 4 }).map(({ test: held }) => counts(held)[0]);
    expect(new Set(plain).size).toBeGreaterThan(1);
  });

  test('follow from the seed, which is 0 if none is given', () => {
    const rows = (seed?: number): number[][] =>
      foldsOf(data, { folds: 3, ...(seed !== undefined && { seed }) }).map(({ test: held }) => [...held]);
    expect(rows()).toEqual(rows(0));
    expect(rows(1)).toEqual(rows(1));
    expect(rows(1)).not.toEqual(rows(0));
  });

  test('of a part of a data set are rows of that part', () => {
    const [, part] = data.split(0.5, { seed: 2 });
    const parts = foldsOf(part, { folds: 2 });
    expect(sorted(parts.flatMap(({ test: held }) => [...held]))).toEqual(sorted(part.rows));
  });
});

test('each fold trains a new model on the other rows, is evaluated on its own, and frees its memory', async () => {
  const device = new FakeDevice();
  countRows(device);
  const data = dataOn(device);
  const before = device.memory;
  const rows: Record<string, number[]> = { fit: [], evaluate: [] };
  const { onReplay } = device;
  device.onReplay = (replayed) => {
    rows[replayed.what]?.push(replayed.step?.rows ?? 0);
    onReplay?.(replayed);
  };
  const seen: number[] = [];
  const result = await crossValidate(device, options, data, {
    folds: 3,
    onFold: ({ fold, history }) => {
      seen.push(fold);
      expect(history.length).toBe(2);
    },
  });
  const sum = (numbers: readonly number[] = []): number => numbers.reduce((a, b) => a + b, 0);
  expect(sum(rows.evaluate)).toBe(SAMPLES);
  expect(sum(rows.fit)).toBe(2 * 2 * SAMPLES);
  expect(seen).toEqual([1, 2, 3]);
  expect(result.folds.map(({ samples }) => samples)).toEqual([8, 8, 7]);
  // The fake device computes a loss of 1, and no hits.
  expect(result.mean).toEqual({ loss: 1, accuracy: 0 });
  expect(result.std).toEqual({ loss: 0, accuracy: 0 });
  await quiet(device);
  expect(device.memory).toEqual(before);
  expect(`${result}`.split('\n')).toEqual([
    'fold  samples  loss   accuracy',
    '────  ───────  ─────  ────────',
    '1     8        1.000  0.000',
    '2     8        1.000  0.000',
    '3     7        1.000  0.000',
    'mean           1.000  0.000',
    'std            0.000  0.000',
  ]);
});

test('mean and population deviation are over the folds, element by element for lists', async () => {
  const device = new FakeDevice();
  let fold = 0;
  const own: Metric<'score'> = { name: 'score', unfit: () => undefined, value: () => fold ** 2 };
  const result = await crossValidate(
    device,
    {
      model: (_, number) => {
        fold = number;
        return { inputs: 5, layers: [dense(3)] };
      },
      trainer: {
        loss: softmaxCrossEntropy(),
        optimizer: sgd({ learningRate: 0.1 }),
        batchSize: 4,
        metrics: [own, confusionMatrix()],
      },
      fit: { epochs: 1 },
    },
    dataOn(device),
    { folds: 3 },
  );
  // 1, 4, 9: mean 14/3, variance 98/3 − (14/3)².
  expect(result.mean.score).toBeCloseTo(14 / 3, 14);
  expect(result.std.score).toBeCloseTo(Math.sqrt(98 / 3 - (14 / 3) ** 2), 14);
  expect(result.mean.confusionMatrix).toEqual([
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ]);
  expect(`${result}`).not.toContain('confusionMatrix');
});

test('a function gets the rows that the fold trains on', async () => {
  const device = new FakeDevice();
  const lengths: number[] = [];
  await crossValidate(
    device,
    {
      ...options,
      model: async (train) => {
        lengths.push(train.length);
        return options.model as { inputs: number; layers: [] };
      },
    },
    dataOn(device),
    { folds: 2 },
  );
  expect(lengths).toEqual([11, 12]);
});

test('a signal stops it: the completed folds are the result, and nothing is left behind', async () => {
  const device = new FakeDevice();
  countRows(device);
  const data = dataOn(device);
  const before = device.memory;
  for (const [epochs, completed] of [
    [1, 0],
    [3, 1],
  ] as const) {
    const controller = new AbortController();
    let seen = 0;
    const onEpoch = (): void => {
      seen += 1;
      if (seen === epochs) controller.abort();
    };
    const { signal } = controller;
    const result = await crossValidate(device, { ...options, fit: { epochs: 2, onEpoch } }, data, { folds: 3, signal });
    expect(result.folds.length).toBe(completed);
    expect(seen).toBe(epochs);
    expect(result.mean.loss).toEqual(completed === 0 ? Number.NaN : 1);
    await quiet(device);
    expect(device.memory).toEqual(before);
  }
});

test('an error of a fold rejects, and everything is freed', async () => {
  const device = new FakeDevice();
  const data = dataOn(device);
  const before = device.memory;
  const onFold = ({ fold }: FoldResult): void => {
    if (fold === 2) throw new Error('no more folds');
  };
  await expect(crossValidate(device, options, data, { onFold })).rejects.toThrow('no more folds');
  await quiet(device);
  expect(device.memory).toEqual(before);
  const bad = { ...options, trainer: { ...options.trainer, batchSize: 0 } };
  await expect(crossValidate(device, bad, data)).rejects.toThrow('batchSize = 0');
  await quiet(device);
  expect(device.memory).toEqual(before);
  for (let n = 1; n < 40; n += 3) {
    device.plan({ outOfMemory: n });
    await expect(crossValidate(device, options, data, { folds: 2 })).rejects.toMatchObject({ code: 'out-of-memory' });
    await quiet(device);
    expect(device.memory, `allocation ${n}`).toEqual(before);
  }
});

describe('calls that cannot be', () => {
  const device = new FakeDevice();
  const data = dataOn(device);
  const stream = Dataset.stream(device, { length: 8, features: 5, read: () => ({ inputs: [], classes: [] }) });
  const values = Dataset.create(device, { inputs, features: 5, targets: Array.from(labels) });
  type Call = Parameters<typeof crossValidate>;
  const calls: readonly [what: string, call: readonly unknown[], error: object][] = [
    [
      'one fold',
      [device, options, data, { folds: 1 }],
      { message: expect.stringContaining('folds must be from 2 to') },
    ],
    ['more folds than samples', [device, options, data, { folds: 24 }], { message: expect.stringContaining('the 23') }],
    ['half a fold', [device, options, data, { folds: 2.5 }], { code: 'bad-option' }],
    ['folds that are a text', [device, options, data, { folds: '5' }], { code: 'bad-option' }],
    ['a seed below 0', [device, options, data, { seed: -1 }], { code: 'bad-seed' }],
    ['an unknown option', [device, options, data, { k: 5 }], { message: expect.stringContaining('has no option "k"') }],
    ['a stream', [device, options, stream, {}], { message: expect.stringContaining('a stream cannot be divided') }],
    ['strata of targets', [device, options, values, { stratify: true }], { code: 'data' }],
    ['a data set elsewhere', [new FakeDevice(), options, data, {}], { code: 'other-gpu' }],
    ['no data set', [device, options, undefined, {}], { code: 'bad-option' }],
    ['data that are no set', [device, options, { inputs }, {}], { message: expect.stringContaining('Dataset.create') }],
    ['no device', [undefined, options, data, {}], { code: 'bad-option' }],
    ['no options', [device, undefined, data, {}], { message: expect.stringContaining('model = undefined; pass') }],
    ['options of one call', [device, { inputs: 5, layers: [] }, data, {}], { code: 'bad-option' }],
    [
      'no fit',
      [device, { ...options, fit: undefined }, data, {}],
      { message: expect.stringContaining('fit = undefined') },
    ],
    [
      'a signal of fit',
      [device, { ...options, fit: { epochs: 1, signal: new AbortController().signal } }, data, {}],
      { message: expect.stringContaining('Pass it in the last argument') },
    ],
  ];
  test.for(calls)('%s', async ([, call, error]) => {
    const { log } = device;
    const before = log.length;
    const found = await errorOf(() => crossValidate(...(call as unknown as Call)));
    expect(found).toBeInstanceOf(Error);
    expect(found).toMatchObject(error);
    expect(log.length).toBe(before);
  });

  test('a data set that is disposed', async () => {
    const gone = dataOn(device);
    gone.dispose();
    await expect(crossValidate(device, options, gone)).rejects.toMatchObject({ code: 'disposed' });
  });
});
