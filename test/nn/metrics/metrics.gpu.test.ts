import { expect, expectTypeOf, test } from 'vitest';
import {
  accuracy,
  auc,
  binaryCrossEntropy,
  classificationError,
  confusionMatrix,
  Dataset,
  dense,
  f1,
  type Metric,
  Mlp,
  mae,
  meanSquaredError,
  precision,
  r2,
  recall,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
  topK,
} from '../../../src/index.js';
import { logOdds } from '../../reference/score-counts.js';
import { sharedGpu } from '../../support/gpu.js';
import { randomNumbers } from '../../support/labels.js';
import { clusters } from '../../support/problems.js';

/** What each sample is, and what it is taken for, counted by hand. */
function countsOf(actual: ArrayLike<number>, predicted: ArrayLike<number>, classes: number): number[][] {
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < actual.length; i++) {
    const row = matrix[actual[i] ?? 0] ?? [];
    row[predicted[i] ?? 0] = (row[predicted[i] ?? 0] ?? 0) + 1;
  }
  return matrix;
}

/** The share of pairs, one of a class and one of another, in which the first has the larger log-odds; mean over classes. */
function macroAuc(logits: Float32Array, labels: ArrayLike<number>, classes: number): number {
  const areas = Array.from({ length: classes }, (_, k) => {
    const odds = Array.from({ length: labels.length }, (_, r) =>
      logOdds([...logits.subarray(r * classes, (r + 1) * classes)], k),
    );
    const own = odds.filter((_, r) => labels[r] === k);
    const others = odds.filter((_, r) => labels[r] !== k);
    const right = own.reduce((sum, { score }) => sum + others.filter((other) => other.score < score).length, 0);
    return right / (own.length * others.length);
  });
  return areas.reduce((sum, area) => sum + area, 0) / classes;
}

const plus = (a: number[][], b: number[][]): number[][] =>
  a.map((row, i) => row.map((count, k) => count + (b[i]?.[k] ?? 0)));

test('metrics of classes, on partial batches: evaluated, trained, and from step to step', async () => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(101, 5, 4);
  using model = await Mlp.create(gpu, { inputs: 5, layers: [dense(16, 'tanh'), dense(4)], seed: 1 });
  using trainer = await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0 }),
    metrics: [
      accuracy(),
      classificationError(),
      confusionMatrix(),
      precision(),
      recall(),
      f1(),
      { ...f1({ average: 'macro' }), name: 'macroF1' as const },
      topK(1),
      topK(2),
      auc(),
    ],
    batchSize: 16,
    stepsPerSubmit: 1,
  });
  using data = Dataset.create(gpu, { inputs, features: 5, classes: labels, weights: randomNumbers(101, 0, 2, 1) });
  const logits = await model.predict(inputs, { output: 'logits' });
  const predicted = await model.predict(inputs, { output: 'classes' });
  const matrix = countsOf(labels, predicted, 4);
  const right = matrix.reduce((sum, row, k) => sum + (row[k] ?? 0), 0);
  const second = [...labels].filter((label, i) => {
    const row = logits.slice(4 * i, 4 * i + 4);
    return row.filter((z) => z > (row[label] ?? 0)).length < 2;
  }).length;
  const columns = [0, 1, 2, 3].map((k) => matrix.reduce((sum, row) => sum + (row[k] ?? 0), 0));
  const f1s = matrix.map((row, k) => (2 * (row[k] ?? 0)) / (row.reduce((a, b) => a + b, 0) + (columns[k] ?? 0)));
  const expected = {
    accuracy: right / 101,
    classificationError: 1 - right / 101,
    confusionMatrix: matrix,
    precision: matrix.map((row, k) => (row[k] ? (row[k] ?? 0) / (columns[k] ?? 0) : 0)),
    recall: matrix.map((row, k) => (row[k] ?? 0) / row.reduce((a, b) => a + b, 0)),
    f1: f1s,
    macroF1: expect.closeTo(f1s.reduce((a, b) => a + b) / 4, 12),
    top1: right / 101,
    top2: second / 101,
    // Two scores of about 25 · 76 pairs in one of 2¹⁵ bins would be 1/7600 of a class's value.
    auc: expect.closeTo(macroAuc(logits, labels, 4), 3),
  };
  expect(right).toBeGreaterThan(0);
  expect(right).toBeLessThan(101);
  const found = await trainer.evaluate(data);
  expect(found).toEqual({ loss: found.loss, ...expected });
  expectTypeOf(found.confusionMatrix).toEqualTypeOf<number[][]>();
  expectTypeOf(found.precision).toEqualTypeOf<number[]>();
  expectTypeOf(found.macroF1).toEqualTypeOf<number>();
  expectTypeOf(found.auc).toEqualTypeOf<number>();
  expectTypeOf(found.top2).toEqualTypeOf<number>();
  let sum = countsOf([], [], 4);
  let reports = 0;
  // At a rate of 0 the model stays what it is.
  const [epoch] = await trainer.fit(data, {
    epochs: 1,
    validation: data,
    onStep: (result) => {
      sum = plus(sum, result.confusionMatrix);
      reports += 1;
    },
  });
  expect(epoch).toMatchObject(expected);
  expect(epoch?.validation).toMatchObject(expected);
  expect(reports).toBeGreaterThan(1);
  expect(sum).toEqual(matrix);
});

test('metrics that are made of the same counts share a dispatch, and accuracy has none', async () => {
  const gpu = await sharedGpu();
  const kernelsWith = async (metrics: Metric<string, unknown>[]): Promise<string[]> => {
    using model = await Mlp.create(gpu, { inputs: 5, layers: [dense(70, 'tanh'), dense(70, 'tanh'), dense(4)] });
    using trainer = await model.trainer({
      loss: softmaxCrossEntropy(),
      optimizer: sgd({ learningRate: 0 }),
      metrics,
      batchSize: 64,
    });
    return trainer.plan.dispatches.map(({ kernel }) => kernel).filter((kernel) => kernel === 'class-counts');
  };
  expect(await kernelsWith([accuracy(), classificationError()])).toHaveLength(0);
  expect(await kernelsWith([precision(), recall(), f1(), confusionMatrix()])).toHaveLength(1);
  expect(await kernelsWith([precision(), topK(2)])).toHaveLength(2);
});

test('a small network with a metric of its own is not fused away from it', async () => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: 2, layers: [dense(4, 'tanh'), dense(2)] });
  const options = { loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 0 }), batchSize: 4 };
  using plain = await model.trainer({ ...options, metrics: [accuracy()] });
  using counted = await model.trainer({ ...options, metrics: [confusionMatrix()] });
  expect(plain.plan.toString()).toContain('fused: a small network in one dispatch');
  expect(counted.plan.toString()).toMatch(
    /not fused: a small network in one dispatch \(class-counts .* is not part of it\)/,
  );
});

test('one logistic output: accuracy and confusion at ½; several: accuracy counts each', async () => {
  const gpu = await sharedGpu();
  const inputs = [-3, -1, 0.5, 2, -0.5];
  const load = async (units: number): Promise<Mlp> => {
    const model = await Mlp.create(gpu, { inputs: 1, layers: [dense(units, 'sigmoid')] });
    model.setWeights([
      { name: '0.weight', data: new Array<number>(units).fill(1) },
      { name: '0.bias', data: new Array<number>(units).fill(0) },
    ]);
    return model;
  };
  const optimizer = sgd({ learningRate: 0 });
  using one = await load(1);
  using first = await one.trainer({
    loss: binaryCrossEntropy(),
    optimizer,
    metrics: [accuracy(), confusionMatrix(), recall(), auc()],
    batchSize: 2,
  });
  using classes = Dataset.create(gpu, { inputs, features: 1, classes: [0, 1, 1, 0, 0] });
  using targets = Dataset.create(gpu, { inputs, features: 1, targets: [0, 1, 1, 0, 0.25] });
  for (const data of [classes, targets]) {
    expect(await first.evaluate(data)).toMatchObject({
      accuracy: 0.6,
      confusionMatrix: [
        [2, 1],
        [1, 1],
      ],
      recall: [2 / 3, 1 / 2],
      // Of the pairs of −1 and ½ with −3, 2 and −½, three are in order.
      auc: 1 / 2,
    });
  }
  using two = await load(2);
  using second = await two.trainer({
    loss: binaryCrossEntropy(),
    optimizer,
    metrics: [accuracy(), auc()],
    batchSize: 2,
  });
  using rows = Dataset.create(gpu, { inputs, features: 1, targets: [0, 1, 1, 1, 1, 1, 1, 0, 0, 0] });
  // Of the pairs of the first output 5 of 6 are in order, and of the second 1 of 6.
  expect(await second.evaluate(rows)).toMatchObject({ accuracy: 0.6, auc: expect.closeTo((5 / 6 + 1 / 6) / 2, 12) });
});

test('R² and mean absolute error of targets far from 0, on partial batches', async () => {
  const gpu = await sharedGpu();
  const samples = 333;
  const inputs = randomNumbers(samples, -1, 1, 1);
  // Numbers around 4096 that float32 has exactly: their squares would cancel.
  const noise = randomNumbers(samples, -1, 1, 2);
  const targets = Float32Array.from({ length: 2 * samples }, (_, i) => {
    const r = i >> 1;
    return Math.round(256 * ((i % 2 === 0 ? 4096 : -5) + (inputs[r] ?? 0) + 0.3 * (noise[r] ?? 0))) / 256;
  });
  using model = await Mlp.create(gpu, { inputs: 1, layers: [dense(2)] });
  model.setWeights([
    { name: '0.weight', data: [1, 0.5] },
    { name: '0.bias', data: [4096, -5] },
  ]);
  using trainer = await model.trainer({
    loss: meanSquaredError(),
    optimizer: sgd({ learningRate: 0 }),
    metrics: [r2(), mae()],
    batchSize: 100,
    stepsPerSubmit: 1,
  });
  using data = Dataset.create(gpu, { inputs, features: 1, targets });
  const outputs = await model.predict(inputs);
  const score = (rows: readonly number[]): { r2: number; mae: number } => {
    let absolute = 0;
    const ratios = [0, 1].map((k) => {
      const y = rows.map((r) => targets[2 * r + k] ?? 0);
      const errors = rows.map((r, i) => (outputs[2 * r + k] ?? 0) - (y[i] ?? 0));
      const mean = y.reduce((sum, value) => sum + value, 0) / rows.length;
      absolute += errors.reduce((sum, error) => sum + Math.abs(error), 0);
      const squares = errors.reduce((sum, error) => sum + error * error, 0);
      return 1 - squares / y.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    });
    return { r2: ((ratios[0] ?? 0) + (ratios[1] ?? 0)) / 2, mae: absolute / (2 * rows.length) };
  };
  const close = ({ r2: r, mae: m }: { r2: number; mae: number }) => ({
    r2: expect.closeTo(r, 5),
    mae: expect.closeTo(m, 6),
  });
  const all = score([...inputs.keys()]);
  expect(all.r2).toBeGreaterThan(0.5);
  expect(await trainer.evaluate(data)).toMatchObject(close(all));
  let done = 0;
  const windows: unknown[] = [];
  const expected: unknown[] = [];
  const [epoch] = await trainer.fit(data, {
    epochs: 1,
    shuffle: false,
    onStep: (result) => {
      const upTo = Math.min(100 * result.step, samples);
      windows.push({ r2: result.r2, mae: result.mae });
      expected.push(close(score([...inputs.keys()].slice(done, upTo))));
      done = upTo;
    },
  });
  expect(epoch).toMatchObject(close(all));
  expect(windows.length).toBeGreaterThan(1);
  expect(windows).toEqual(expected);
});

/** A model whose output is its input plus ½, and a trainer that takes one sample a step. */
async function oneByOne(): Promise<Trainer<ReturnType<typeof mae> | ReturnType<typeof r2>>> {
  const model = await Mlp.create(await sharedGpu(), { inputs: 1, layers: [dense(1)] });
  const [weight, bias] = await model.weights();
  if (weight === undefined || bias === undefined) throw new Error('dense(1) has a weight and a bias.');
  await model.setWeights([
    { ...weight, data: Float32Array.of(1) },
    { ...bias, data: Float32Array.of(0.5) },
  ]);
  return await model.trainer({
    loss: meanSquaredError(),
    optimizer: sgd({ learningRate: 0 }),
    metrics: [mae(), r2()],
    batchSize: 1,
  });
}

// With sums in float32, and relative to the first target, these were 0.976869 and 0.
test.for([
  { name: '0, then 290 and 291', first: 0, others: 290, expected: 0.944063 },
  { name: '300, then 0 and 1', first: 300, others: 0, expected: 0.947199 },
])('R² over 20,000 batches of one: targets $name', async ({ first, others, expected }) => {
  const targets = Float32Array.from({ length: 20_000 }, (_, i) => (i === 0 ? first : others + (i % 2)));
  using data = Dataset.create(await sharedGpu(), { inputs: targets, features: 1, targets });
  using trainer = await oneByOne();
  const found = await trainer.evaluate(data);
  expect(found).toEqual({ loss: 0.25, mae: 0.5, r2: expect.closeTo(expected, 6) });
  // Relative to Σ(y − c)² ≤ 7 spreads, a sum is off by 6 roundings, and a move of c by 8 once.
  const mean = targets.reduce((sum, y) => sum + y, 0) / targets.length;
  const spread = targets.reduce((sum, y) => sum + (y - mean) ** 2, 0);
  const exactly = 1 - (targets.length * 0.25) / spread;
  expect(Math.abs(found.r2 - exactly)).toBeLessThanOrEqual((1 - exactly) * 7 * 14 * 2 ** -23);
});

test('R² of targets that are all the same is 1 or 0', async () => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: 1, layers: [dense(1, 'linear', { initializer: 'zeros' })] });
  using trainer = await model.trainer({
    loss: meanSquaredError(),
    optimizer: sgd({ learningRate: 0 }),
    metrics: [r2()],
    batchSize: 2,
  });
  using met = Dataset.create(gpu, { inputs: [1, 2, 3], features: 1, targets: [0, 0, 0] });
  using missed = Dataset.create(gpu, { inputs: [1, 2, 3], features: 1, targets: [5, 5, 5] });
  expect((await trainer.evaluate(met)).r2).toBe(1);
  expect((await trainer.evaluate(missed)).r2).toBe(0);
});

test('a metric that says nothing about the loss is refused with the remedy', async () => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: 1, layers: [dense(3)] });
  const optimizer = sgd({ learningRate: 0 });
  const message = async (loss: ReturnType<typeof softmaxCrossEntropy>, metric: Metric<string, unknown>) =>
    await model.trainer({ loss, optimizer, metrics: [metric], batchSize: 2 }).then(() => '', String);
  expect(await message(meanSquaredError(), accuracy())).toContain('trainer: accuracy measures classes');
  expect(await message(meanSquaredError(), confusionMatrix())).toContain('Use r2() or mae()');
  expect(await message(softmaxCrossEntropy(), r2())).toContain('trainer: r2 measures values');
  expect(await message(binaryCrossEntropy(), precision())).toContain('each of the 3 outputs decides on its own');
  expect(await message(binaryCrossEntropy(), topK(2))).toContain('Use softmaxCrossEntropy()');
  expect(await message(softmaxCrossEntropy(), topK())).toContain('trainer: top5 needs at least 5 classes');
  expect(() => topK(0)).toThrow('k = 0');
});
