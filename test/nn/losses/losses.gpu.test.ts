import { expect, test } from 'vitest';
import {
  accuracy,
  binaryCrossEntropy,
  DataError,
  Dataset,
  dense,
  huber,
  type Layer,
  type Loss,
  logCosh,
  Mlp,
  MlpError,
  meanAbsoluteError,
  meanSquaredError,
  sgd,
  softmaxCrossEntropy,
} from '../../../src/index.js';
import { exact } from '../../reference/bounded.js';
import { elementwiseLoss } from '../../reference/elementwise-loss.js';
import { softmaxCrossEntropy as crossEntropyOf } from '../../reference/softmax-cross-entropy.js';
import { sharedGpu } from '../../support/gpu.js';
import { randomClasses, randomNumbers } from '../../support/labels.js';
import { clusters, hashOf } from '../../support/problems.js';

test.for([
  { activation: 'softmax', units: 3, loss: softmaxCrossEntropy() },
  { activation: 'sigmoid', units: 1, loss: binaryCrossEntropy() },
] as const)('a last layer with $activation trains to the bits of one without', async ({ activation, units, loss }) => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(60, 4, Math.max(units, 2));
  using data = Dataset.create(gpu, { inputs, features: 4, classes: labels });
  const hashes: string[] = [];
  for (const last of ['linear', activation] as const) {
    using model = await Mlp.create(gpu, {
      inputs: 4,
      layers: [dense(5, 'tanh'), dense(units, last, { initializer: 'xavierUniform' })],
      seed: 2,
    });
    using trainer = await model.trainer({ loss, optimizer: sgd({ learningRate: 0.1 }), batchSize: 16 });
    await trainer.fit(data, { epochs: 2 });
    hashes.push(await hashOf(model));
    const [probabilities, values] = [await model.predict(inputs), await model.predict(inputs, { output: 'values' })];
    // With an activation of its own, what the last layer gives are the probabilities.
    expect(values.join() === probabilities.join()).toBe(last === activation);
    const sums = Array.from({ length: 60 }, (_, r) => probabilities.slice(r * units, (r + 1) * units));
    if (units > 1) for (const row of sums) expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
    else expect(probabilities.every((p) => p > 0 && p < 1)).toBe(true);
  }
  expect(hashes[0]).toBe(hashes[1]);
});

const regressions = [
  { name: 'squaredError', loss: meanSquaredError() },
  { name: 'absoluteError', loss: meanAbsoluteError() },
  { name: 'huber', loss: huber({ delta: 0.5 }), delta: 0.5 },
  { name: 'logCosh', loss: logCosh() },
  { name: 'binaryCrossEntropy', loss: binaryCrossEntropy() },
  {
    name: 'binaryCrossEntropy',
    loss: binaryCrossEntropy({ positiveWeight: [3, 0.5] }),
    positiveWeights: Float32Array.of(3, 0.5),
  },
  {
    name: 'binaryCrossEntropy',
    loss: binaryCrossEntropy({ positiveWeight: 4 }),
    positiveWeights: Float32Array.of(4, 4),
  },
] as const;

/** A model of one linear layer, whose outputs are those of `predict`. */
const outputsOf = async (model: Mlp, inputs: Float32Array, columns: number) =>
  exact([inputs.length / 3, columns], await model.predict(inputs, { output: 'logits' }));

for (const weighted of [false, true]) {
  test.for(regressions)(
    `evaluate and gradients of $loss.spec, sample weights: ${weighted}; the last batch is of one sample`,
    async ({ name, loss, ...options }) => {
      const gpu = await sharedGpu();
      const samples = 13;
      const inputs = randomNumbers(samples * 3, -2, 2, 1);
      const targets = randomNumbers(samples * 2, 0, 1, 2);
      const weights = weighted ? randomNumbers(samples, 0, 2, 3) : undefined;
      using model = await Mlp.create(gpu, { inputs: 3, layers: [dense(2)], seed: 4 });
      using trainer = await model.trainer({ loss, optimizer: sgd({ learningRate: 0 }), batchSize: 4 });
      using data = Dataset.create(gpu, { inputs, features: 3, targets, ...(weights && { weights }) });
      const outputs = await outputsOf(model, inputs, 2);
      const { losses } = elementwiseLoss(name, outputs, targets, samples, { ...options, weights });
      const mean = losses.values.reduce((sum, value) => sum + value, 0) / samples;
      // The logits are those that were measured: what is left are the roundings of the losses, a few in 2⁻²³ each.
      expect((await trainer.evaluate(data)).loss).toBeCloseTo(mean, 6);
      const [epoch] = await trainer.fit(data, { epochs: 1 });
      expect(epoch?.loss).toBeCloseTo(mean, 6);
      const first = elementwiseLoss(name, exact([4, 2], outputs.values.slice(0, 8)), targets.slice(0, 8), 4, {
        ...options,
        weights,
      });
      const found = await trainer.gradients(inputs.slice(0, 12), targets.slice(0, 8), weights?.slice(0, 4));
      expect(found.loss).toBeCloseTo(first.losses.values.reduce((sum, value) => sum + value, 0) / 4, 6);
      const bias = [0, 1].map((k) => [0, 1, 2, 3].reduce((sum, r) => sum + (first.gradient.values[2 * r + k] ?? 0), 0));
      expect([...(found.gradients[1]?.data ?? [])]).toEqual(bias.map((value) => expect.closeTo(value, 6)));
      // With the rate 0 a step changes nothing, but its loss is known.
      await trainer.step(inputs.slice(0, 12), targets.slice(0, 8), weights?.slice(0, 4));
      expect(await trainer.loss()).toBe(found.loss);
    },
  );
}

const classification = [
  { options: {}, probabilities: false },
  { options: { labelSmoothing: 0.2 }, probabilities: false },
  { options: { classWeights: [0.5, 2, 1] }, probabilities: false },
  { options: { classWeights: [0.5, 2, 1] }, probabilities: true },
  { options: { labelSmoothing: 0.1, classWeights: [0, 2, 1] }, probabilities: false },
];
for (const weighted of [false, true]) {
  test.for(classification)(
    `an epoch's mean with $options, probabilities: $probabilities, sample weights: ${weighted}`,
    async ({ options, probabilities }) => {
      const gpu = await sharedGpu();
      const samples = 13;
      const inputs = randomNumbers(samples * 3, -2, 2, 1);
      const classes = randomClasses(samples, 3, 6);
      const rows = Float32Array.from({ length: samples * 3 }, (_, i) =>
        classes[Math.floor(i / 3)] === i % 3 ? 0.75 : 0.125,
      );
      const labels = probabilities ? rows : classes;
      const weights = weighted ? randomNumbers(samples, 0, 2, 3) : undefined;
      using model = await Mlp.create(gpu, { inputs: 3, layers: [dense(3)], seed: 4 });
      using trainer = await model.trainer({
        loss: softmaxCrossEntropy(options),
        optimizer: sgd({ learningRate: 0 }),
        metrics: [accuracy()],
        batchSize: 4,
      });
      const given = probabilities ? { targets: rows } : { classes };
      using data = Dataset.create(gpu, { inputs, features: 3, ...given, ...(weights && { weights }) });
      const outputs = await outputsOf(model, inputs, 3);
      const form = {
        labelSmoothing: options.labelSmoothing,
        classWeights: options.classWeights && Float32Array.from(options.classWeights),
        weights,
      };
      const { summed, divisors, correct } = crossEntropyOf(outputs, labels, samples, form);
      const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);
      const expected = {
        loss: expect.closeTo(total(summed.values) / total(divisors.values), 6),
        accuracy: total(correct.values) / samples,
      };
      expect(await trainer.evaluate(data)).toEqual(expected);
      expect((await trainer.fit(data, { epochs: 1 }))[0]).toMatchObject(expected);
      const part = crossEntropyOf(exact([4, 3], outputs.values.slice(0, 12)), labels, 4, form);
      const targets = probabilities ? rows.slice(0, 12) : classes.slice(0, 4);
      const found = await trainer.gradients(inputs.slice(0, 12), targets, weights?.slice(0, 4));
      expect(found.loss).toBeCloseTo(total(part.losses.values) / 4, 6);
      const bias = [0, 1, 2].map((k) =>
        [0, 1, 2, 3].reduce((sum, r) => sum + (part.gradient.values[3 * r + k] ?? 0), 0),
      );
      expect([...(found.gradients[1]?.data ?? [])]).toEqual(bias.map((value) => expect.closeTo(value, 6)));
    },
  );
}

test('weights of 1 change no bit, and a weight of 2 counts like the sample twice', async () => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(40, 4, 3);
  const train = async (weights?: Float32Array): Promise<string> => {
    using model = await Mlp.create(gpu, {
      inputs: 4,
      layers: [dense(64, 'tanh'), dense(64, 'tanh'), dense(3)],
      seed: 2,
    });
    using trainer = await model.trainer({
      loss: softmaxCrossEntropy({ labelSmoothing: 0.1 }),
      optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }),
      batchSize: 16,
    });
    using data = Dataset.create(gpu, { inputs, features: 4, classes: labels, ...(weights && { weights }) });
    await trainer.fit(data, { epochs: 2 });
    return await hashOf(model);
  };
  expect(await train(new Float32Array(40).fill(1))).toBe(await train());
  using model = await Mlp.create(gpu, { inputs: 4, layers: [dense(3)], seed: 2 });
  using trainer = await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 1 }),
    batchSize: 4,
  });
  const [x, y] = [inputs.slice(0, 8), inputs.slice(0, 4)];
  const once = await trainer.gradients(x, labels.slice(0, 2), [2, 1]);
  const twice = await trainer.gradients([...x, ...y], [...labels.slice(0, 2), labels[0] ?? 0]);
  expect(once.loss * 2).toBeCloseTo(twice.loss * 3, 5);
});

test.for([
  {
    loss: meanSquaredError(),
    given: { classes: [0, 1, 0] },
    message: 'meanSquaredError learns from targets, 2 numbers',
  },
  {
    loss: huber(),
    given: { targets: [0, 1, 2] },
    message: 'a row of targets has 1 numbers, but the model has 2 outputs',
  },
  { loss: binaryCrossEntropy(), given: { classes: [0, 1, 0] }, message: 'binaryCrossEntropy learns from targets' },
  {
    loss: binaryCrossEntropy(),
    given: { targets: [0, 1, 0.5, 1, 1.5, 0] },
    message: 'binaryCrossEntropy learns from probabilities, from 0 to 1, but in the targets row 2 has 1.5',
  },
  {
    loss: softmaxCrossEntropy(),
    given: { targets: [0, 1, 0.5, 0.25, 1, 0] },
    message: '≥ 0 and with a sum of 1, but in the targets row 1 sums to 0.75',
  },
  { loss: softmaxCrossEntropy(), given: { classes: [0, 2, 1] }, message: 'the largest class is 2' },
] as { loss: Loss; given: { classes?: number[]; targets?: number[] }; message: string }[])(
  '$loss.spec.type refuses labels: $message',
  async ({ loss, given, message }) => {
    const gpu = await sharedGpu();
    using model = await Mlp.create(gpu, { inputs: 1, layers: [dense(2)] });
    using trainer = await model.trainer({ loss, optimizer: sgd({ learningRate: 1 }), batchSize: 3 });
    using data = Dataset.create(gpu, { inputs: [1, 2, 3], features: 1, ...given });
    const before = await hashOf(model);
    for (const work of [trainer.fit(data, { epochs: 1 }), trainer.evaluate(data)]) {
      const error = await work.catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(DataError);
      expect(String(error)).toContain(message);
    }
    expect(await hashOf(model)).toBe(before);
  },
);

test('classes of one logistic output are 0 and 1', async () => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: 1, layers: [dense(1, 'sigmoid')] });
  using trainer = await model.trainer({
    loss: binaryCrossEntropy(),
    optimizer: sgd({ learningRate: 1 }),
    metrics: [accuracy()],
    batchSize: 2,
  });
  using good = Dataset.create(gpu, { inputs: [-3, -1, 2, 1, -2], features: 1, classes: [0, 0, 1, 1, 0] });
  using bad = Dataset.create(gpu, { inputs: [1, 2, 3], features: 1, classes: [0, 2, 1] });
  await trainer.fit(good, { epochs: 40 });
  expect((await trainer.evaluate(good)).accuracy).toBe(1);
  expect([...(await model.predict([-3, 2], { output: 'classes' }))]).toEqual([0, 1]);
  await expect(trainer.evaluate(bad)).rejects.toThrow(
    'the largest class is 2, but the model has 1 outputs, for classes 0 to 1',
  );
});

test('weights are checked', async () => {
  const gpu = await sharedGpu();
  const create = (weights: number[]) => () =>
    Dataset.create(gpu, { inputs: [1, 2], features: 1, classes: [0, 1], weights });
  expect(create([1])).toThrow('there are 2 samples but 1 weights');
  expect(create([1, -2])).toThrow('weights[1] is -2; a weight is a number ≥ 0');
  expect(create([1, Number.NaN])).toThrow('weights at row 1');
  expect(() => softmaxCrossEntropy({ labelSmoothing: 1.5 })).toThrow('labelSmoothing = 1.5');
  expect(() => softmaxCrossEntropy({ classWeights: [1, -1] })).toThrow('classWeights has -1 at 1');
  expect(() => softmaxCrossEntropy({ classWeights: [1, 1e39] })).toThrow('classWeights has 1e+39 at 1');
  const five = 5 as unknown as number[];
  expect(() => softmaxCrossEntropy({ classWeights: five })).toThrow('classWeights is 5, not an array');
  const text = '2' as unknown as number;
  expect(() => binaryCrossEntropy({ positiveWeight: text })).toThrow('positiveWeight is "2" (a string), not an array');
  expect(() => binaryCrossEntropy({ positiveWeight: 0 })).toThrow('positiveWeight has no weight above 0');
  for (const delta of [0, 1e-50, 1e39]) {
    expect(() => huber({ delta })).toThrow(`huber: delta = ${delta}; delta must be a positive float32 number.`);
  }
  using model = await Mlp.create(gpu, { inputs: 1, layers: [dense(2)] });
  const loss = softmaxCrossEntropy({ classWeights: [1, 1, 1] });
  await expect(model.trainer({ loss, optimizer: sgd({ learningRate: 1 }), batchSize: 2 })).rejects.toThrow(
    'there are 3 classWeights for 2 classes',
  );
});

test('the activation of the last layer and the loss must go together', async () => {
  const gpu = await sharedGpu();
  const hidden = { inputs: 2, layers: [dense(3, 'softmax'), dense(2)] };
  await expect(Mlp.create(gpu, hidden)).rejects.toThrow('layer 0 has activation "softmax", which only the last layer');
  const rejection = async (layer: Layer, loss: Loss): Promise<unknown> => {
    using model = await Mlp.create(gpu, { inputs: 2, layers: [layer] });
    return await model
      .trainer({ loss, optimizer: sgd({ learningRate: 1 }), batchSize: 2 })
      .then(() => undefined, String);
  };
  expect(await rejection(dense(3, 'softmax'), meanSquaredError())).toContain(
    'Use softmaxCrossEntropy(), or a last layer',
  );
  expect(await rejection(dense(3, 'softmax'), binaryCrossEntropy())).toContain('the loss is binaryCrossEntropy');
  expect(await rejection(dense(3, 'sigmoid'), softmaxCrossEntropy())).toContain('activation "sigmoid"');
  expect(await rejection(dense(3, 'sigmoid'), meanSquaredError())).toBe(undefined);
});

test('what predictions are follows from the last layer, or from the latest loss', async () => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: 1, layers: [dense(1)] });
  model.setWeights([
    { name: '0.weight', data: [2] },
    { name: '0.bias', data: [1] },
  ]);
  const inputs = [-2, 0, 3];
  expect(model.spec.link).toBe('identity');
  expect([...(await model.predict(inputs))]).toEqual([-3, 1, 7]);
  for (const refused of [
    model.predict(inputs, { output: 'probabilities' }),
    model.predict(inputs, { output: 'classes' }),
  ]) {
    const error = await refused.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(MlpError);
    expect(String(error)).toContain('the model has no classes');
  }
  using trainer = await model.trainer({
    loss: binaryCrossEntropy(),
    optimizer: sgd({ learningRate: 1 }),
    batchSize: 2,
  });
  expect(trainer.batchSize).toBe(2);
  expect(model.spec.link).toBe('logistic');
  const logistic = [-3, 1, 7].map((z) => expect.closeTo(1 / (1 + Math.exp(-z)), 6));
  expect([...(await model.predict(inputs))]).toEqual(logistic);
  expect([...(await model.predict(inputs, { output: 'values' }))]).toEqual([-3, 1, 7]);
  expect([...(await model.predict(inputs, { output: 'classes' }))]).toEqual([0, 1, 1]);
  using again = await Mlp.create(gpu, { inputs: 1, layers: [dense(1)], link: 'logistic' });
  expect(again.spec.link).toBe('logistic');
  using sigmoid = await Mlp.create(gpu, { inputs: 1, layers: [dense(1, 'sigmoid')] });
  sigmoid.setWeights(await model.weights());
  expect([...(await sigmoid.predict(inputs))]).toEqual(logistic);
  expect([...(await sigmoid.predict(inputs, { output: 'logits' }))]).toEqual([-3, 1, 7]);
});

test('each loss takes its batch from the data set; what more than the plain one does is not fused further', async () => {
  const gpu = await sharedGpu();
  const planOf = async (loss: Loss): Promise<string> => {
    using model = await Mlp.create(gpu, { inputs: 8, layers: [dense(80, 'relu'), dense(70, 'tanh'), dense(3)] });
    using trainer = await model.trainer({ loss, optimizer: sgd({ learningRate: 1 }), batchSize: 32 });
    return trainer.plan.toString();
  };
  for (const loss of [softmaxCrossEntropy({ labelSmoothing: 0.1 }), softmaxCrossEntropy({ classWeights: [1, 2, 3] })]) {
    const plan = await planOf(loss);
    expect(plan).toContain('fused: gather into its readers');
    expect(plan).toMatch(/not fused: last layer, loss and first dX \(it has no (label smoothing|class weights)\)/);
  }
  for (const { loss } of regressions.slice(0, 4)) {
    const plan = await planOf(loss);
    expect(plan).toContain('fused: gather into its readers');
    expect(plan).toMatch(
      /not fused: last layer, loss and first dX \(elementwise-loss .* is no softmax-cross-entropy\)/,
    );
    // 720 + 5670 + 213: too many for the pass to be loaded.
    expect(plan).toContain(
      'not fused: a small network in one dispatch (6603 parameters by 32 rows are more multiply-adds than 32768)',
    );
  }
});

/** The error of log in [½, 2], and the roundings of two exponentials, their sum and the mean. */
const LOG_TWO_ERROR = 2 ** -21 + 6 * 2 ** -23;

test.for([1, 32])('the mean loss over 30,000 batches of %i is no worse than that of one sample', async (batchSize) => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: 1, layers: [dense(2, 'linear', { initializer: 'zeros' })] });
  const count = 30_000 * batchSize;
  const classes = Uint32Array.from({ length: count }, (_, i) => i % 2);
  using data = Dataset.create(gpu, { inputs: new Uint8Array(count), features: 1, classes });
  using trainer = await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0 }),
    metrics: [accuracy()],
    batchSize,
  });
  const { loss, accuracy: share } = await trainer.evaluate(data);
  expect(Math.abs(loss - Math.LN2)).toBeLessThanOrEqual(LOG_TWO_ERROR);
  expect(share).toBe(0.5);
  const reports: number[] = [];
  const [epoch] = await trainer.fit(data, { epochs: 1, onStep: (step) => void reports.push(step.loss) });
  for (const each of [...reports, epoch?.loss ?? NaN])
    expect(Math.abs(each - Math.LN2)).toBeLessThanOrEqual(LOG_TWO_ERROR);
});

test('samples of classes that weigh nothing have the loss 0, and metrics as ever', async () => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: 2, layers: [dense(3)], seed: 1 });
  using trainer = await model.trainer({
    loss: softmaxCrossEntropy({ classWeights: [0, 0, 1] }),
    optimizer: sgd({ learningRate: 0.1 }),
    metrics: [accuracy()],
    batchSize: 4,
    stepsPerSubmit: 1,
  });
  using data = Dataset.create(gpu, { inputs: randomNumbers(22, -1, 1, 3), features: 2, classes: new Uint32Array(11) });
  const before = await model.weights();
  const reports: number[] = [];
  const [epoch] = await trainer.fit(data, {
    epochs: 1,
    validation: data,
    onStep: ({ loss }) => void reports.push(loss),
  });
  expect([epoch?.loss, epoch?.validation?.loss, (await trainer.evaluate(data)).loss]).toEqual([0, 0, 0]);
  expect(new Set(reports)).toEqual(new Set([0]));
  expect(await trainer.loss()).toBe(0);
  const { loss, gradientNorm, worst } = await trainer.diagnose(data);
  expect({ loss, gradientNorm, worst: worst[0]?.loss }).toEqual({
    loss: 0,
    gradientNorm: { mean: 0, largest: 0 },
    worst: 0,
  });
  expect((await trainer.evaluate(data)).accuracy).toBeGreaterThanOrEqual(0);
  expect(await model.weights()).toEqual(before);
});
