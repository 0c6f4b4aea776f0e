import { expect, test } from 'vitest';
import {
  type Activation,
  accuracy,
  binaryCrossEntropy,
  Dataset,
  dense,
  type Layer,
  Mlp,
  meanSquaredError,
  sgd,
  softmaxCrossEntropy,
  xor,
} from '../../src/index.js';
import { sharedGpu } from '../support/gpu.js';

// The numbers of the lecture material that the library's vocabulary comes from, computed by hand there; each is given to as many
// digits as it is compared to.

/** Numbers that agree to so many digits behind the point. */
const near = (values: readonly number[], digits: number): unknown[] =>
  values.map((value) => expect.closeTo(value, digits));
const plain = (list: readonly { readonly data: Float32Array }[]): number[][] => list.map(({ data }) => [...data]);
const zeros = (units: number, activation: Activation | 'softmax' = 'linear'): Layer =>
  dense(units, activation, { initializer: 'zeros' });
const slow = sgd({ learningRate: 0.01 });

/** Two inputs, two units of which the second is dead for the first sample, three classes; weight rows are inputs. */
const small = [
  { name: '0.weight', data: [0.86, -1.04, 0.41, -0.65] },
  { name: '0.bias', data: [0, 0] },
  { name: '1.weight', data: [0.32, 0.25, 0.14, -0.47, -1.06, 0.063] },
  { name: '1.bias', data: [0, 0, 0] },
];
const smallLayers = (): Layer[] => [dense(2, 'relu'), dense(3)];

// z = [1, 5, −4, 3, −2]
test.for<[Activation, readonly number[]]>([
  ['sigmoid', [0.731, 0.993, 0.018, 0.953, 0.119]],
  ['tanh', [0.762, 1, -0.999, 0.995, -0.964]],
  ['softplus', [1.313, 5.007, 0.018, 3.049, 0.127]],
  [{ type: 'leakyRelu', alpha: 0.01 }, [1, 5, -0.04, 3, -0.02]],
  [{ type: 'elu', alpha: 0.1 }, [1, 5, -0.098, 3, -0.086]],
  [{ type: 'prelu', alpha: 0.1 }, [1, 5, -0.4, 3, -0.2]],
  ['swish', [0.731, 4.967, -0.072, 2.858, -0.238]],
])('check values of %j', async ([activation, expected]) => {
  using model = await Mlp.create(await sharedGpu(), { inputs: 1, layers: [dense(1, activation, { bias: false })] });
  model.setWeights(
    (await model.weights()).map((weight) => (weight.name === '0.weight' ? { ...weight, data: [1] } : weight)),
  );
  const values = await model.predict([1, 5, -4, 3, -2], { output: 'values' });
  // Half a unit of the third digit, and float32's rounding of what lies on the edge.
  for (const [i, value] of values.entries()) expect(Math.abs(value - (expected[i] ?? NaN))).toBeLessThan(5.01e-4);
});

test('1: forward through two layers, softmax, and the mean loss', async () => {
  using model = await Mlp.create(await sharedGpu(), { inputs: 2, layers: smallLayers() });
  model.setWeights(small);
  const inputs = [1.5, 0.2, 4.7, 1.6, 5.6, 2.2];
  const logits = [0.439, 0.343, 0.1921, 1.5034, 1.1745, 0.6577, 1.8298, 1.4295, 0.8005];
  const probabilities = [0.3718, 0.3378, 0.2904, 0.4653, 0.3349, 0.1998, 0.4932, 0.3305, 0.1762];
  expect([...(await model.predict(inputs, { output: 'logits' }))]).toEqual(near(logits, 4));
  using trainer = await model.trainer({ loss: softmaxCrossEntropy(), optimizer: slow, batchSize: 3 });
  expect((await trainer.gradients(inputs, [0, 1, 2])).loss).toBeCloseTo(1.2731, 4);
  expect([...(await model.predict(inputs))]).toEqual(near(probabilities, 4));
});

test('2: the gradients of one sample, one unit being dead, and a step of sgd', async () => {
  using model = await Mlp.create(await sharedGpu(), { inputs: 2, layers: smallLayers() });
  model.setWeights(small);
  using trainer = await model.trainer({ loss: softmaxCrossEntropy(), optimizer: slow, batchSize: 1 });
  const { loss, gradients } = await trainer.gradients([1.5, 0.2], [0]);
  expect(loss).toBeCloseTo(0.98939, 5);
  expect(plain(gradients)).toEqual([
    near([-0.1139, 0, -0.0152, 0], 4),
    near([-0.0759, 0], 4),
    near([-0.8619, 0.4634, 0.3985, 0, 0, 0], 4),
    near([-0.6282, 0.3378, 0.2904], 4),
  ]);
  await trainer.step([1.5, 0.2], [0]);
  expect(await trainer.loss()).toBeCloseTo(0.98939, 5);
  expect(plain(await model.weights())).toEqual([
    near([0.86114, -1.04, 0.41015, -0.65], 5),
    near([0.000759, 0], 6),
    near([0.32862, 0.24537, 0.13602, -0.47, -1.06, 0.063], 5),
    near([0.00628, -0.00338, -0.0029], 5),
  ]);
});

test('3: linear regression, one weight from zero', async () => {
  using model = await Mlp.create(await sharedGpu(), { inputs: 1, layers: [zeros(1)] });
  using trainer = await model.trainer({ loss: meanSquaredError(), optimizer: slow, batchSize: 1 });
  const { loss, gradients } = await trainer.gradients([6.7], [9.1]);
  expect(loss).toBeCloseTo(82.81, 4);
  expect(plain(gradients)).toEqual([near([-121.94], 4), near([-18.2], 4)]);
  await trainer.step([6.7], [9.1]);
  expect(plain(await model.weights())).toEqual([near([1.2194], 6), near([0.182], 6)]);
  expect((await model.predict([6.7]))[0]).toBeCloseTo(8.35198, 5);
  await trainer.step([6.7], [9.1]);
  expect(await trainer.loss()).toBeCloseTo(0.55953, 5);
});

test.for(['linear', 'sigmoid'] as const)('4: logistic regression from zero, last layer %s', async (activation) => {
  using model = await Mlp.create(await sharedGpu(), { inputs: 2, layers: [zeros(1, activation)] });
  using trainer = await model.trainer({ loss: binaryCrossEntropy(), optimizer: slow, batchSize: 1 });
  const { loss, gradients } = await trainer.gradients([1.4, 0.2], [0]);
  expect(loss).toBeCloseTo(Math.LN2, 6);
  expect(plain(gradients)).toEqual([near([0.7, 0.1], 6), near([0.5], 6)]);
  await trainer.step([1.4, 0.2], [0]);
  expect(plain(await model.weights())).toEqual([near([-0.007, -0.001], 6), near([-0.005], 6)]);
});

test.for(['linear', 'softmax'] as const)('5: softmax regression from zero, last layer %s', async (activation) => {
  using model = await Mlp.create(await sharedGpu(), { inputs: 1, layers: [zeros(2, activation)] });
  using trainer = await model.trainer({ loss: softmaxCrossEntropy(), optimizer: slow, batchSize: 1 });
  expect(model.spec.layers[0]?.activation).toBe(activation);
  const { gradients } = await trainer.gradients([1.4], [0]);
  expect(plain(gradients)).toEqual([near([-0.7, 0.7], 6), near([-0.5, 0.5], 6)]);
  await trainer.step([1.4], [0]);
  expect(plain(await model.weights())).toEqual([near([0.007, -0.007], 6), near([0.005, -0.005], 6)]);
});

test('6: from zero weights the hidden units stay alike, and the first gradient of the lower weights is zero', async () => {
  using model = await Mlp.create(await sharedGpu(), { inputs: 2, layers: [zeros(4, 'sigmoid'), zeros(2)] });
  using trainer = await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 1 }),
    batchSize: 4,
  });
  const { inputs, classes } = xor();
  const { gradients } = await trainer.gradients(inputs, [0, 1, 1, 1]);
  expect(gradients.map(({ data }) => data.every((g) => g === 0))).toEqual([true, true, false, false]);
  for (let step = 0; step < 20; step++) await trainer.step(inputs, step % 2 === 0 ? classes : [0, 1, 1, 1]);
  const [W = { data: new Float32Array() }] = await model.weights();
  const units = [0, 1, 2, 3].map((unit) => [W.data[unit], W.data[4 + unit]]);
  expect(units[0]).not.toEqual([0, 0]);
  for (const unit of units) expect(unit).toEqual(units[0]);
});

test('7: XOR stays at chance without activations, and is solved with one layer of four tanh units', async () => {
  const gpu = await sharedGpu();
  using data = Dataset.create(gpu, xor());
  const train = async (activation: Activation): Promise<{ loss: number; accuracy: number }> => {
    using model = await Mlp.create(gpu, { inputs: 2, layers: [dense(4, activation), dense(2)], seed: 1 });
    const optimizer = sgd({ learningRate: 0.3, momentum: 0.9 });
    using trainer = await model.trainer({
      loss: softmaxCrossEntropy(),
      optimizer,
      metrics: [accuracy()],
      batchSize: 4,
    });
    await trainer.fit(data, { epochs: 400 });
    return await trainer.evaluate(data);
  };
  const [linear, curved] = [await train('linear'), await train('tanh')];
  // The best that a straight line can do is to say ½ everywhere, or to be wrong about a corner.
  expect(linear.loss).toBeCloseTo(Math.LN2, 3);
  expect(linear.accuracy).toBeLessThan(1);
  expect(curved.accuracy).toBe(1);
  expect(curved.loss).toBeLessThan(0.05);
});
