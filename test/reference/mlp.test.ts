import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/random.js';
import { type Activation, resolveActivation } from '../../src/kernels/activations.js';
import { type Bounded, exact } from './bounded.js';
import {
  backward,
  forward,
  lossAndGradients,
  predict,
  type ReferenceBatch,
  type ReferenceLayer,
  train,
} from './mlp.js';
import { sgd } from './sgd.js';
import '../support/bounds.js';

/** Values of the lecture material, as float64: an upload would round them. */
const given = (shape: readonly [number, number], values: readonly number[]): Bounded => ({
  shape,
  values: Float64Array.from(values),
  bound: new Float64Array(values.length),
});
const layer = (W: Bounded, b: readonly number[], activation: Activation = 'linear'): ReferenceLayer => ({
  W,
  b: given([1, b.length], b),
  activation,
});
const close = (actual: Bounded | undefined, expected: readonly number[], tolerance: number): void => {
  expect(actual?.values).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) {
    expect(Math.abs((actual?.values[i] ?? NaN) - value), `element ${i}`).toBeLessThanOrEqual(tolerance);
  }
};

describe('worked examples', () => {
  const layers = [
    layer(given([2, 2], [0.86, -1.04, 0.41, -0.65]), [0, 0], 'relu'),
    layer(given([2, 3], [0.32, 0.25, 0.14, -0.47, -1.06, 0.063]), [0, 0, 0]),
  ];

  test('1: three flowers', () => {
    const X = given([3, 2], [1.5, 0.2, 4.7, 1.6, 5.6, 2.2]);
    close(predict(layers, X), [0.439, 0.343, 0.1921, 1.5034, 1.1745, 0.6577, 1.8298, 1.4295, 0.8005], 6e-5);
    const { loss, correct } = lossAndGradients(layers, { X, labels: Uint32Array.of(0, 1, 2) });
    expect(loss.values[0]).toBeCloseTo(1.2731, 4);
    expect([...correct.values]).toEqual([1, 0, 0]);
  });

  test('2: gradients and a step, with a dead unit', () => {
    const batch = { X: given([1, 2], [1.5, 0.2]), labels: Uint32Array.of(0) };
    const { loss, gradients } = lossAndGradients(layers, batch);
    expect(loss.values[0]).toBeCloseTo(0.98939, 5);
    close(gradients[1]?.W, [-0.8619, 0.4634, 0.3985, 0, 0, 0], 6e-5);
    close(gradients[1]?.b, [-0.6282, 0.3378, 0.2904], 6e-5);
    close(gradients[0]?.W, [-0.1139, 0, -0.0152, 0], 6e-5);
    close(gradients[0]?.b, [-0.0759, 0], 6e-5);
    const { layers: next } = train(layers, [batch], { learningRate: 0.01 });
    close(next[0]?.W, [0.86114, -1.04, 0.41015, -0.65], 6e-6);
    close(next[0]?.b, [0.000759, 0], 6e-7);
    close(next[1]?.W, [0.32862, 0.24537, 0.13602, -0.47, -1.06, 0.063], 6e-6);
    close(next[1]?.b, [0.00628, -0.00338, -0.0029], 6e-6);
  });

  test('3: linear regression from zero', () => {
    let [model] = [layer(given([1, 1], [0]), [0])];
    const X = given([1, 1], [6.7]);
    const losses: number[] = [];
    for (let step = 0; step < 2; step++) {
      const traces = forward([model], X);
      const output = traces[0]?.Y.values[0] ?? NaN;
      losses.push((output - 9.1) ** 2);
      const [gradient] = backward([model], traces, given([1, 1], [2 * (output - 9.1)]));
      if (gradient === undefined) throw new Error('no gradient');
      if (step === 0) {
        close(gradient.W, [-121.94], 1e-12);
        close(gradient.b, [-18.2], 1e-12);
        const W = sgd(model.W, gradient.W, undefined, { learningRate: 0.01 }).parameters;
        const b = sgd(model.b, gradient.b, undefined, { learningRate: 0.01 }).parameters;
        model = { W, b, activation: 'linear' };
        close(W, [1.2194], 1e-12);
        close(b, [0.182], 1e-12);
        close(predict([model], X), [8.35198], 1e-10);
      }
    }
    expect(losses[0]).toBeCloseTo(82.81, 10);
    expect(losses[1]).toBeCloseTo(0.55953, 5);
  });

  test('4: logistic regression from zero', () => {
    const model = layer(given([2, 1], [0, 0]), [0], 'sigmoid');
    const traces = forward([model], given([1, 2], [1.4, 0.2]));
    // Binary cross-entropy's gradient is (σ − y) at the pre-activation, so (σ − y)/(σ(1 − σ)) = 2 at the output.
    const [gradient] = backward([model], traces, given([1, 1], [2]));
    close(gradient?.b, [0.5], 1e-15);
    close(gradient?.W, [0.7, 0.1], 1e-15);
    close(sgd(model.W, gradient!.W, undefined, { learningRate: 0.01 }).parameters, [-0.007, -0.001], 1e-15);
    close(sgd(model.b, gradient!.b, undefined, { learningRate: 0.01 }).parameters, [-0.005], 1e-15);
  });

  test('5: softmax regression from zero', () => {
    const model = layer(given([1, 2], [0, 0]), [0, 0]);
    const batch = { X: given([1, 1], [1.4]), labels: Uint32Array.of(0) };
    const { gradients } = lossAndGradients([model], batch);
    close(gradients[0]?.b, [-0.5, 0.5], 1e-15);
    close(gradients[0]?.W, [-0.7, 0.7], 1e-15);
    const [next] = train([model], [batch], { learningRate: 0.01 }).layers;
    close(next?.b, [0.005, -0.005], 1e-15);
    close(next?.W, [0.007, -0.007], 1e-15);
  });

  test('6: from all zeros, hidden units stay identical, and W₁ has no gradient on the first step', () => {
    const zeros = [
      layer(given([2, 3], [0, 0, 0, 0, 0, 0]), [0, 0, 0], 'sigmoid'),
      layer(given([3, 2], [0, 0, 0, 0, 0, 0]), [0, 0]),
    ];
    const batch = { X: given([2, 2], [1, 2, -1, 0.5]), labels: Uint32Array.of(0, 0) };
    const { gradients } = lossAndGradients(zeros, batch);
    close(gradients[0]?.W, [0, 0, 0, 0, 0, 0], 0);
    expect(gradients[1]?.W.values[0]).not.toBe(0);
    const W = train(zeros, [batch, batch, batch], { learningRate: 0.5 }).layers[0]?.W.values ?? [];
    expect(W[0]).not.toBe(0);
    expect(W[1]).toBe(W[0]);
    expect(W[2]).toBe(W[0]);
  });

  test('7: XOR: a linear network stays at chance, one with four tanh units solves it', () => {
    const X = exact([4, 2], [0, 0, 0, 1, 1, 0, 1, 1]);
    const batch = { X, labels: Uint32Array.of(0, 1, 1, 0) };
    const steps = (hidden: Activation): { loss: number; correct: number } => {
      const random = new Random(3);
      const start = network([2, 4, 2], hidden, random);
      const { layers } = train(start, new Array<ReferenceBatch>(400).fill(batch), { learningRate: 0.5, momentum: 0.9 });
      const { loss, correct } = lossAndGradients(layers, batch);
      return { loss: loss.values[0] ?? NaN, correct: correct.values.reduce((sum, value) => sum + value, 0) };
    };
    expect(steps('linear').loss).toBeCloseTo(Math.LN2, 3);
    expect(steps('tanh').loss).toBeLessThan(0.02);
    expect(steps('tanh').correct).toBe(4);
  });
});

function network(sizes: readonly number[], hidden: ReferenceLayer['activation'], random: Random): ReferenceLayer[] {
  return sizes.slice(1).map((units, l) => {
    const inputs = sizes[l] ?? 0;
    const draw = (length: number): number[] => Array.from({ length }, () => 0.7 * random.normal());
    const activation = l === sizes.length - 2 ? 'linear' : hidden;
    const pieces = typeof activation === 'object' && activation.type === 'maxout' ? activation.pieces : 1;
    const per = pieces > 1 ? undefined : resolveActivation(activation as Activation).learned?.per;
    return {
      W: exact([inputs, pieces * units], draw(inputs * pieces * units)),
      b: exact([1, pieces * units], draw(pieces * units)),
      p: per && exact([1, per === 'unit' ? units : 1], draw(per === 'unit' ? units : 1)),
      activation,
    };
  });
}

describe('gradients against centred differences', () => {
  const hidden: readonly ReferenceLayer['activation'][] = [
    'linear',
    'relu',
    { type: 'leakyRelu', alpha: 0.1 },
    'sigmoid',
    'tanh',
    { type: 'elu', alpha: 0.5 },
    'selu',
    'softplus',
    { type: 'swish', beta: 1.5 },
    'gelu',
    { type: 'gelu', approximate: 'tanh' },
    'abs',
    { type: 'sine', omega: 2 },
    'softsign',
    'prelu',
    { type: 'prelu', per: 'unit' },
    { type: 'swish', learned: true },
    { type: 'swish', learned: true, per: 'unit' },
    { type: 'maxout', pieces: 3 },
  ];

  test.for(hidden)('%j', (activation) => {
    const random = new Random(11);
    const layers = network([3, 5, 4, 3], activation, random);
    const X = exact(
      [6, 3],
      Array.from({ length: 18 }, () => random.normal()),
    );
    const probabilities = Float32Array.from({ length: 18 }, () => random.uniform());
    for (const batch of [
      { X, labels: Uint32Array.of(0, 1, 2, 2, 1, 0), rows: 5 },
      { X, labels: probabilities },
    ]) {
      const { gradients } = lossAndGradients(layers, batch);
      for (const [l, { W, b, p = exact([0, 0], []) }] of layers.entries()) {
        for (const [parameter, gradient] of [
          [W, gradients[l]?.W],
          [b, gradients[l]?.b],
          [p, gradients[l]?.p],
        ] as const) {
          for (const [i, value] of parameter.values.entries()) {
            const lossAt = (shifted: number): number => {
              parameter.values[i] = shifted;
              const loss = lossAndGradients(layers, batch).loss.values[0] ?? NaN;
              parameter.values[i] = value;
              return loss;
            };
            const h = 1e-5;
            const numeric = (lossAt(value + h) - lossAt(value - h)) / (2 * h);
            expect(Math.abs(numeric - (gradient?.values[i] ?? NaN)), `layer ${l}, element ${i}`).toBeLessThan(1e-7);
          }
        }
      }
    }
  });
});

describe('bounds of a whole training', () => {
  test('hold for a training in float32, and stay useful', () => {
    const f = Math.fround;
    const random = new Random(12);
    for (let trial = 0; trial < 20; trial++) {
      const start = network([4, 3], 'linear', random);
      const batches = Array.from({ length: 5 }, () => ({
        X: exact(
          [2, 4],
          Array.from({ length: 8 }, () => random.normal()),
        ),
        labels: Uint32Array.of(random.integer(3), random.integer(3)),
      }));
      const { layers, losses } = train(start, batches, { learningRate: 0.1 });
      const W = Float32Array.from(start[0]?.W.values ?? []);
      const b = Float32Array.from(start[0]?.b.values ?? []);
      for (const { X, labels } of batches) {
        const gradient = [0, 1].map((r) => {
          const z = [0, 1, 2].map((n) => {
            let sum = 0;
            for (let k = 0; k < 4; k++) sum = f(sum + f(X.values[r * 4 + k]! * W[k * 3 + n]!));
            return f(sum + b[n]!);
          });
          const largest = Math.max(...z);
          const e = z.map((value) => f(Math.exp(f(value - largest))));
          const sum = f(f(e[0]! + e[1]!) + e[2]!);
          return e.map((value, n) => f(f(f(value / sum) - (n === labels[r] ? 1 : 0)) / 2));
        });
        for (let n = 0; n < 3; n++) {
          for (let k = 0; k < 4; k++) {
            const g = f(f(X.values[k]! * gradient[0]![n]!) + f(X.values[4 + k]! * gradient[1]![n]!));
            W[k * 3 + n] = f(W[k * 3 + n]! - f(f(0.1) * g));
          }
          b[n] = f(b[n]! - f(f(0.1) * f(gradient[0]![n]! + gradient[1]![n]!)));
        }
      }
      expect(W).toBeWithin(layers[0]!.W, 'W');
      expect(b).toBeWithin(layers[0]!.b, 'b');
      expect(Math.max(...layers[0]!.W.bound)).toBeLessThan(1e-4);
      expect(losses).toHaveLength(5);
      expect(losses[4]?.bound[0]).toBeLessThan(1e-3);
    }
  });

  test('hold when the weights are uncertain, through two nonlinear layers', () => {
    const random = new Random(13);
    const uncertain = network([3, 4, 3], 'tanh', random).map(({ W, b, activation }) => ({
      W: { ...W, bound: W.bound.map(() => 1e-5) },
      b: { ...b, bound: b.bound.map(() => 1e-5) },
      activation,
    }));
    const batch = {
      X: exact(
        [5, 3],
        Array.from({ length: 15 }, () => random.normal()),
      ),
      labels: Uint32Array.of(0, 1, 2, 1, 0),
    };
    const expected = train(uncertain, [batch, batch], { learningRate: 0.5, momentum: 0.9 });
    const moved = (matrix: Bounded): Bounded => ({
      ...matrix,
      values: matrix.values.map((value) => value + random.uniform(-1e-5, 1e-5)),
      bound: matrix.bound.map(() => 0),
    });
    for (let i = 0; i < 100; i++) {
      const start = uncertain.map(({ W, b, activation }) => ({ W: moved(W), b: moved(b), activation }));
      const actual = train(start, [batch, batch], { learningRate: 0.5, momentum: 0.9 });
      for (const [l, { W, b }] of actual.layers.entries()) {
        expect(W.values).toBeWithin(expected.layers[l]!.W, 'W');
        expect(b.values).toBeWithin(expected.layers[l]!.b, 'b');
      }
      expect(actual.losses[1]!.values).toBeWithin(expected.losses[1]!, 'loss');
    }
  });
});
