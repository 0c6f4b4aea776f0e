import { expect, test } from 'vitest';
import {
  binaryCrossEntropy,
  dense,
  huber,
  type Loss,
  type Maxout,
  Mlp,
  meanAbsoluteError,
  meanSquaredError,
  residual,
  sgd,
  softmaxCrossEntropy,
} from '../../src/index.js';
import { type Activation, activationNames, resolveActivation } from '../../src/kernels/activations.js';
import { sharedGpu } from '../support/gpu.js';
import type { Parameter } from '../torch/specs.js';
import { lossAndGradients } from '../torch/training.js';

// Whole steps far out; the kernels' own tests compare single results with their bounds there.

const activations: readonly (Activation | Maxout)[] = [
  ...activationNames.filter((name) => name !== 'geluTanh' && name !== 'step'),
  { type: 'gelu', approximate: 'tanh' },
  { type: 'prelu', per: 'unit' },
  { type: 'swish', learned: true },
  { type: 'swish', learned: true, per: 'unit' },
  { type: 'sine', omega: 30 },
  'maxout',
];
const far = [1e4, -1e4, 1e30, -1e30];
const finite = (values: ArrayLike<number>): boolean => Array.from(values).every(Number.isFinite);

test.for(activations)('%j: outputs and gradients are finite at z = ±1e4 and ±1e30', async (activation) => {
  const gpu = await sharedGpu();
  const isMaxout = activation === 'maxout';
  // As a layer of its own, and where it can be, behind a sum.
  const onlyDense = isMaxout || resolveActivation(activation as Activation).learned !== undefined;
  for (const around of onlyDense ? [false] : [false, true]) {
    const layers = around
      ? [residual([dense(1, 'linear', { initializer: 'zeros' })], { activation: activation as Activation }), dense(1)]
      : [dense(1, activation), dense(1)];
    using model = await Mlp.create(gpu, { inputs: 1, layers, seed: 1 });
    const ones = (await model.weights()).map((weight) => {
      const { name, data } = weight;
      const one = /^[01]\.weight$/.test(name) && data.length === 1;
      return { ...weight, data: data.map((x, i) => (one ? 1 : name === '0.weight' && isMaxout ? 1 - 2 * i : x)) };
    });
    model.setWeights(ones);
    // The loss is |a|, whose gradient is a sign: what is not finite comes from the activation.
    using trainer = await model.trainer({
      loss: meanAbsoluteError(),
      optimizer: sgd({ learningRate: 0 }),
      batchSize: far.length,
    });
    expect(finite(await model.predict(far, { output: 'values' }))).toBe(true);
    const targets = far.map(() => 0.5);
    const { loss, gradients } = await trainer.gradients(far, targets);
    expect(Number.isFinite(loss)).toBe(true);
    for (const { name, data } of gradients) expect(finite(data), `${name}: ${data}`).toBe(true);
    await trainer.step(far, targets);
    expect(finite((await model.weights()).flatMap(({ data }) => [...data]))).toBe(true);
  }
});

const OUTPUTS = 3;
const classes = [0, 2, 1, 1, 2, 0];
const oneHot = classes.flatMap((label) => [0, 1, 2].map((k) => (k === label ? 1 : 0)));
const spread = classes.flatMap((label) => [0, 1, 2].map((k) => (k === label ? 0.5 : 0.25)));
/** Every order of large and small. */
const outputs = [1e4, -1e4, 0, -1e4, 1e4, 1e4, -1e4, -1e4, -1e4, 1e4, 1e4, 1e4, 0, -1e4, 1e4, 1e4, 0, 0];

test.for<readonly [name: string, loss: Loss, targets: readonly number[]]>([
  ['classes', softmaxCrossEntropy(), classes],
  ['probabilities', softmaxCrossEntropy(), spread],
  ['classes, smoothed', softmaxCrossEntropy({ labelSmoothing: 0.1 }), classes],
  ['probabilities, smoothed, weighted', softmaxCrossEntropy({ labelSmoothing: 0.1, classWeights: [0, 1, 5] }), spread],
  ['classes, smoothed, weighted', softmaxCrossEntropy({ labelSmoothing: 0.3, classWeights: [0.1, 1, 5] }), classes],
  ['bits', binaryCrossEntropy(), oneHot],
  ['shares, ones weighted', binaryCrossEntropy({ positiveWeight: [0.1, 1, 9] }), spread],
  ['numbers', meanSquaredError(), oneHot],
  ['numbers', meanAbsoluteError(), oneHot],
  ['numbers', huber({ delta: 0.5 }), oneHot],
])('%s: $1.spec.type and its gradient at outputs of ±1e4 are those of float64', async ([, loss, targets]) => {
  using model = await Mlp.create(await sharedGpu(), { inputs: OUTPUTS, layers: [dense(OUTPUTS)] });
  model.setWeights([
    { name: '0.weight', data: [1, 0, 0, 0, 1, 0, 0, 0, 1] },
    { name: '0.bias', data: [0, 0, 0] },
  ]);
  using trainer = await model.trainer({ loss, optimizer: sgd({ learningRate: 0 }), batchSize: classes.length });
  const parameters = (await model.weights()).map(
    (weight): Parameter => ({ ...weight, data: Float64Array.from(weight.data) }),
  );
  for (const weights of [undefined, [0, 1, 2, 0.5, 3, 1]]) {
    const batch = { inputs: outputs, rows: classes.length, targets, ...(weights && { weights }) };
    const expected = lossAndGradients(model.spec.layers, parameters, batch, loss.spec);
    const found = await trainer.gradients(outputs, targets, weights);
    // A few dozen roundings of 2⁻²⁴, of terms that are all of one size.
    const close = (value: number, size: number): unknown => expect.closeTo(value, Math.floor(5 - Math.log10(size)));
    expect(found.loss).toEqual(close(expected.loss, expected.loss));
    for (const [number, { data }] of expected.gradients.entries()) {
      const size = data.reduce((largest, g) => Math.max(largest, Math.abs(g)), 1);
      expect([...(found.gradients[number]?.data ?? [])]).toEqual([...data].map((g) => close(g, size)));
    }
    await trainer.step(outputs, targets, weights);
    expect(await trainer.loss()).toEqual(close(expected.loss, expected.loss));
  }
});
