import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/random.js';
import { type Activation, resolveActivation } from '../../src/kernels/activations.js';
import { outsideOfBounds } from '../support/bounds.js';
import { activate, activationDerivative } from './activations.js';
import { biasActivation, biasActivationBackward } from './bias-activation.js';
import { type Bounded, exact, gamma, U } from './bounded.js';
import { columnSum } from './column-sum.js';
import { gatherLabels, gatherRows } from './gather-rows.js';
import { learnedActivation, learnedActivationBackward } from './learned-activation.js';
import { matmul } from './matmul.js';
import { maxout, maxoutBackward } from './maxout.js';
import { sgd } from './sgd.js';
import { largestClass, softmax } from './softmax.js';
import { softmaxCrossEntropy } from './softmax-cross-entropy.js';
import { transpose } from './transpose.js';

const f = Math.fround;
const randomMatrix = (random: Random, rows: number, columns: number, scale = 1): Bounded =>
  exact(
    [rows, columns],
    Array.from({ length: rows * columns }, () => scale * random.normal()),
  );
const transposed = ({ shape: [rows, columns], values }: Bounded): Bounded =>
  exact(
    [columns, rows],
    Array.from({ length: rows * columns }, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)] ?? NaN),
  );
/** As `exact`, every element uncertain by `bound`. */
const within = (matrix: Bounded, bound: number): Bounded => ({ ...matrix, bound: matrix.bound.map(() => bound) });
/** The same values, each moved by up to its bound. */
const perturbed = (matrix: Bounded, random: Random): Bounded => ({
  ...matrix,
  values: matrix.values.map((value, i) => value + random.uniform(-1, 1) * (matrix.bound[i] ?? 0)),
  bound: matrix.bound.map(() => 0),
});
const close = (actual: ArrayLike<number>, expected: readonly number[], tolerance: number): void => {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) {
    expect(Math.abs((actual[i] ?? NaN) - value), `element ${i}`).toBeLessThanOrEqual(tolerance);
  }
};

describe('bounded', () => {
  test('exact rounds to float32; only a subnormal is uncertain, by itself', () => {
    const { values, bound } = exact([1, 3], [0.1, 1e-40, 0]);
    expect(values[0]).toBe(f(0.1));
    expect([...bound]).toEqual([0, f(1e-40), 0]);
    expect(() => exact([2, 2], [1, 2, 3])).toThrow('A (2, 2) matrix has 4 elements, but 3 are given.');
  });

  test('outsideOfBounds finds the worst element, NaN above all', () => {
    const expected = within(exact([2, 2], [1, 2, 3, 4]), 0.1);
    expect([1.05, 2, 3, 4]).toBeWithin(expected);
    expect(outsideOfBounds([1, 2.2, 3, 5], expected)).toBe(
      'C: 2 of 4 elements are outside their bound; worst C[1, 1] = 5, expected 4 ± 1.00e-1.',
    );
    expect(outsideOfBounds([9, NaN, 3, 4], expected)).toContain('worst C[0, 1] = NaN');
    expect(outsideOfBounds([1, 2, 3], expected)).toContain('3 elements, expected (2, 2)');
  });
});

describe('matmul', () => {
  const A = exact([2, 3], [1, 2, 3, 4, 5, 6]);
  const B = exact([3, 2], [7, 8, 9, 10, 11, 12]);

  test('by hand', () => {
    expect([...matmul(A, B).values]).toEqual([58, 64, 139, 154]);
    expect(matmul(A, B).shape).toEqual([2, 2]);
    expect([...matmul(A, B, { onesRow: true }).values]).toEqual([58, 64, 139, 154, 27, 30]);
    const bias = exact([1, 2], [-60, 1]);
    expect([...matmul(A, B, { bias }).values]).toEqual([-2, 65, 79, 155]);
    expect([...matmul(A, B, { bias, activation: 'relu' }).values]).toEqual([0, 65, 79, 155]);
    const kept = exact([2, 2], [0, 2, -1, 1]);
    expect([...matmul(A, B, { activation: 'relu', kept }).values]).toEqual([0, 64, 0, 154]);
  });

  test('four layouts, one product', () => {
    const random = new Random(1);
    const [X, Y] = [randomMatrix(random, 5, 7), randomMatrix(random, 7, 3)];
    const expected = matmul(X, Y, { onesRow: true });
    const layouts = [
      matmul(transposed(X), Y, { transposeA: true, onesRow: true }),
      matmul(X, transposed(Y), { transposeB: true, onesRow: true }),
      matmul(transposed(X), transposed(Y), { transposeA: true, transposeB: true, onesRow: true }),
    ];
    for (const actual of layouts) expect(actual).toEqual(expected);
    expect(columnSum(Y).values).toEqual(expected.values.slice(15));
  });

  test('refuses what does not fit', () => {
    expect(() => matmul(A, A)).toThrow('op(A) has 3 columns but op(B) has 2 rows');
    expect(() => matmul(A, B, { bias: exact([1, 3], [1, 2, 3]) })).toThrow('3 biases for 2 columns');
    expect(() => matmul(A, B, { kept: A })).toThrow('(2, 2) and (2, 3) must be the same shape');
  });

  test('the bound is γ·Σ|ab|, and float32 sums in any order keep it', () => {
    const random = new Random(2);
    for (const K of [1, 2, 33, 784]) {
      const [X, Y] = [randomMatrix(random, 1, K), randomMatrix(random, K, 1)];
      const { values, bound } = matmul(X, Y);
      const products = [...X.values].map((x, k) => x * (Y.values[k] ?? NaN));
      const magnitude = products.reduce((sum, product) => sum + Math.abs(product), 0);
      expect(bound[0]! / (gamma(K + 1) * magnitude)).toBeCloseTo(1, 6);
      for (let order = 0; order < 50; order++) {
        let sum = 0;
        for (const k of random.shuffled(K)) sum = f(sum + f(products[k]!));
        expect(Math.abs(sum - values[0]!)).toBeLessThanOrEqual(bound[0]!);
      }
    }
  });

  test('uncertain operands stay within the bound, and the bound is not loose', () => {
    const random = new Random(3);
    const [X, Y] = [within(randomMatrix(random, 3, 9), 1e-3), within(randomMatrix(random, 9, 4), 1e-3)];
    const expected = matmul(X, Y, { activation: 'sigmoid' });
    let most = 0;
    for (let i = 0; i < 300; i++) {
      const { values } = matmul(perturbed(X, random), perturbed(Y, random), { activation: 'sigmoid' });
      expect(values).toBeWithin(expected);
      for (const [j, value] of values.entries()) {
        most = Math.max(most, Math.abs(value - expected.values[j]!) / expected.bound[j]!);
      }
    }
    expect(most).toBeGreaterThan(0.3);
  });
});

describe('activations', () => {
  const activations: readonly Activation[] = [
    'linear',
    'relu',
    'leakyRelu',
    'sigmoid',
    'tanh',
    'elu',
    'selu',
    'softplus',
    'swish',
    { type: 'swish', beta: 1.7 },
    'gelu',
    { type: 'gelu', approximate: 'tanh' },
    { type: 'prelu', alpha: -0.3 },
    'abs',
    'sine',
    { type: 'sine', omega: 3 },
    'step',
    'softsign',
  ];
  const points = (from: number, to: number): Bounded =>
    exact(
      [1, 401],
      Array.from({ length: 401 }, (_, i) => from + ((to - from) * i) / 400),
    );

  test.for(activations)('%j: bounds are finite, and a small multiple of U in the middle', (activation) => {
    for (const bounded of [points(-6, 6), exact([1, 4], [1e4, -1e4, 1e30, -1e30])]) {
      const Y = activate(bounded, activation);
      const V = resolveActivation(activation).from === 'y' ? Y : bounded;
      for (const { values, bound } of [Y, activationDerivative(V, activation)]) {
        expect([...values].every(Number.isFinite)).toBe(true);
        expect([...bound].every((b) => b >= 0 && Number.isFinite(b))).toBe(true);
      }
    }
    const { values, bound } = activate(points(-6, 6), activation);
    for (const [i, b] of bound.entries()) expect(b).toBeLessThanOrEqual(40 * U * (1 + Math.abs(values[i]!)));
  });

  test.for(activations)('%j: an uncertain argument moves value and derivative within their bounds', (activation) => {
    const random = new Random(4);
    const Z = within(points(-5, 5), 0.01);
    const expected = activate(Z, activation);
    // The derivative of softplus is evaluated at an argument that cannot occur: any v is right here.
    const slopes = activationDerivative(Z, activation);
    for (let i = 0; i < 50; i++) {
      const moved = perturbed(Z, random);
      expect(activate(moved, activation).values).toBeWithin(expected);
      expect(activationDerivative(moved, activation).values).toBeWithin(slopes);
    }
  });

  test('relu′ may be either 0 or 1 where the sign is uncertain, and nowhere else', () => {
    const { values, bound } = activationDerivative(within(exact([1, 3], [-0.1, 0, 0.1]), 0.05), 'relu');
    expect([...values]).toEqual([0, 0, 1]);
    expect([...bound]).toEqual([0, 1, 0]);
  });

  test('an uncertain gradient and an uncertain output of the activation stay within the bound', () => {
    const random = new Random(7);
    const dY = within(randomMatrix(random, 4, 5), 1e-3);
    for (const [uncertain, kept] of [
      [dY, randomMatrix(random, 4, 5)],
      [within(dY, 0), within(randomMatrix(random, 4, 5), 1e-3)],
    ] as const) {
      const expected = biasActivationBackward(uncertain, kept, 'tanh');
      for (let i = 0; i < 50; i++) {
        const { values } = biasActivationBackward(perturbed(uncertain, random), perturbed(kept, random), 'tanh');
        expect(values).toBeWithin(expected);
      }
    }
  });

  test('biasActivation and its backward', () => {
    const Y = exact([2, 2], [1, -2, 3, -4]);
    const b = exact([1, 2], [-2, 3]);
    expect([...biasActivation(Y, b, 'relu').values]).toEqual([0, 1, 1, 0]);
    close(biasActivation(Y, undefined, 'leakyRelu').values, [1, -0.02, 3, -0.04], 1e-15);
    const A = exact([2, 2], [0, 0.5, 1, 0.25]);
    expect([...biasActivationBackward(Y, A, 'sigmoid').values]).toEqual([0, -0.5, 0, -0.75]);
    expect(() => biasActivation(Y, exact([1, 1], [1]), 'relu')).toThrow('1 biases for 2 columns');
  });
});

describe.for(['prelu', 'swish'] as const)('%s with a learned parameter', (name) => {
  test('uncertain operands stay within the bound, and the bound is not loose', () => {
    const random = new Random(5);
    const Z = within(randomMatrix(random, 8, 5, 2), 0.01);
    const dY = within(randomMatrix(random, 8, 5), 1e-3);
    for (const p of [randomMatrix(random, 1, 5), randomMatrix(random, 1, 1)]) {
      const uncertain = within(p, 0.02);
      const Y = learnedActivation(Z, uncertain, name);
      const { dZ, dp } = learnedActivationBackward(dY, Z, uncertain, name);
      for (let i = 0; i < 100; i++) {
        const [z, q, d] = [perturbed(Z, random), perturbed(uncertain, random), perturbed(dY, random)];
        expect(learnedActivation(z, q, name).values).toBeWithin(Y);
        const moved = learnedActivationBackward(d, z, q, name);
        expect(moved.dZ.values).toBeWithin(dZ, 'dZ');
        expect(moved.dp.values).toBeWithin(dp, 'dp');
      }
      // |∂g/∂z| ≤ 1 + |p|, and |∂g/∂p| ≤ |z| or z²/4, which is 1 + z²/4 at most.
      for (const [n, z] of Z.values.entries()) {
        const most = 0.01 * (1.03 + Math.max(...p.values.map(Math.abs))) + 0.02 * (1 + z ** 2 / 4);
        expect(Y.bound[n]).toBeLessThan(most);
      }
      expect([...Y.bound, ...dZ.bound, ...dp.bound].every(Number.isFinite)).toBe(true);
    }
  });

  test('a parameter that says what a fixed one does gives the same', () => {
    const Z = randomMatrix(new Random(6), 4, 3);
    const activation: Activation = name === 'prelu' ? 'prelu' : 'swish';
    const p = exact([1, 1], [name === 'prelu' ? 0.25 : 1]);
    expect(learnedActivation(Z, p, name).values).toEqual(activate(Z, activation).values);
    const { dZ } = learnedActivationBackward(Z, Z, p, name);
    expect(dZ.values).toEqual(biasActivationBackward(Z, Z, activation).values);
  });
});

test('sine beyond its range may be anything from −1 to 1', () => {
  const { values, bound } = activate(exact([1, 2], [6e4, 1e30]), 'sine');
  expect(bound[0]).toBeLessThan(11 * U);
  expect(bound[1]).toBeGreaterThanOrEqual(1 + Math.abs(values[1] ?? NaN));
});

describe('maxout', () => {
  test('by hand: the first of equals wins', () => {
    const Z = exact([2, 4], [1, 3, -2, -2, 0, -1, 5, 6]);
    expect([...maxout(Z, 2).values]).toEqual([3, -2, 0, 6]);
    expect([...maxoutBackward(exact([2, 2], [1, 2, 3, 4]), Z, 2).values]).toEqual([0, 1, 2, 0, 3, 0, 0, 4]);
  });

  test('uncertain pieces stay within the bound, and only those that may win are uncertain', () => {
    const random = new Random(8);
    const Z = within(randomMatrix(random, 30, 6), 0.1);
    const dY = within(randomMatrix(random, 30, 2), 1e-3);
    const [Y, dZ] = [maxout(Z, 3), maxoutBackward(dY, Z, 3)];
    for (let i = 0; i < 100; i++) {
      const [z, d] = [perturbed(Z, random), perturbed(dY, random)];
      expect(maxout(z, 3).values).toBeWithin(Y);
      expect(maxoutBackward(d, z, 3).values).toBeWithin(dZ);
    }
    expect(dZ.bound.filter((bound) => bound > 1e-3).length).toBeLessThan(60);
  });
});

describe('softmax and its loss', () => {
  // Vocabulary, worked example 1.
  const logits = exact([3, 3], [0.439, 0.343, 0.1921, 1.5034, 1.1745, 0.6577, 1.8298, 1.4295, 0.8005]);

  test('worked example 1', () => {
    const p = softmax(logits);
    close(p.values, [0.3718, 0.3378, 0.2904, 0.4653, 0.3349, 0.1998, 0.4932, 0.3305, 0.1762], 6e-5);
    const { losses, gradient, correct } = softmaxCrossEntropy(logits, Uint32Array.of(0, 1, 2));
    expect(columnSum(losses).values[0]! / 3).toBeCloseTo(1.2731, 4);
    expect([...correct.values]).toEqual([1, 0, 0]);
    close(
      gradient.values,
      [...p.values].map((pk, i) => (pk - (i % 4 === 0 ? 1 : 0)) / 3),
      1e-15,
    );
  });

  test('a row of probabilities: a one is the class, and smoothed labels have Σ(p − y) = 0', () => {
    const indices = softmaxCrossEntropy(logits, Uint32Array.of(0, 1, 2));
    const oneHot = softmaxCrossEntropy(logits, Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1));
    expect(oneHot.losses.values).toEqual(indices.losses.values);
    expect(oneHot.gradient.values).toEqual(indices.gradient.values);
    const smooth = softmaxCrossEntropy(exact([1, 2], [3, 1]), Float32Array.of(0.25, 0.75));
    const log = (z: number): number => z - Math.log(Math.exp(3) + Math.exp(1));
    expect(smooth.losses.values[0]).toBeCloseTo(-0.25 * log(3) - 0.75 * log(1), 14);
    expect(smooth.gradient.values[0]! + smooth.gradient.values[1]!).toBeCloseTo(0, 15);
    expect(smooth.correct.values[0]).toBe(0);
  });

  test('rows past the valid ones are 0, and the mean is over the valid ones', () => {
    const { losses, gradient, correct } = softmaxCrossEntropy(logits, Uint32Array.of(0, 1, 9), 2);
    const all = softmaxCrossEntropy(logits, Uint32Array.of(0, 1, 2));
    expect([...losses.values.slice(2), ...gradient.values.slice(6), ...correct.values.slice(2)]).toEqual([
      0, 0, 0, 0, 0,
    ]);
    expect(gradient.values[0]).toBeCloseTo(all.gradient.values[0]! * 1.5, 15);
    expect(() => softmaxCrossEntropy(logits, Uint32Array.of(0, 1, 3))).toThrow('row 2 is of class 3 of 3');
  });

  test('argmax is the first of equals', () => {
    const ties = exact([2, 3], [1, 2, 2, 5, 5, 5]);
    expect([...largestClass(ties).values]).toEqual([1, 0]);
    expect([...largestClass(ties).bound]).toEqual([0, 0]);
    expect([...largestClass(within(ties, 1e-6)).bound]).toEqual([2, 2]);
    expect([...softmaxCrossEntropy(ties, Uint32Array.of(1, 1)).correct.values]).toEqual([1, 0]);
    expect([...softmaxCrossEntropy(within(ties, 1e-6), Uint32Array.of(1, 1)).correct.bound]).toEqual([1, 1]);
  });

  test('large and far-apart logits are finite', () => {
    const far = exact([1, 3], [1e30, 0, -1e30]);
    const { losses, gradient } = softmaxCrossEntropy(far, Uint32Array.of(0));
    expect([...losses.values, ...gradient.values]).toEqual([0, 0, 0, 0]);
    expect(softmaxCrossEntropy(far, Uint32Array.of(2)).losses.values[0]! / 2e30).toBeCloseTo(1, 6);
    expect([...softmax(far).bound, ...losses.bound, ...gradient.bound].every(Number.isFinite)).toBe(true);
  });

  test('float32, with a running maximum, and uncertain logits keep the bounds', () => {
    const random = new Random(5);
    for (let trial = 0; trial < 200; trial++) {
      const classes = 1 + random.integer(20);
      const z = within(randomMatrix(random, 1, classes, 5), trial % 2 === 0 ? 0 : 1e-4);
      const label = random.integer(classes);
      const moved = [...perturbed(z, random).values].map(f);
      // f32 rounding of moved logits is 3e-7 of 5·z at most: inside the bound only for the exact ones, so allow for it.
      const expected = softmaxCrossEntropy(trial % 2 === 0 ? z : within(z, 1.02e-4), Uint32Array.of(label));
      let [largest, sum] = [moved[0]!, 1];
      for (const value of moved.slice(1)) {
        if (value > largest) {
          sum = f(f(sum * f(Math.exp(f(largest - value)))) + 1);
          largest = value;
        } else sum = f(sum + f(Math.exp(f(value - largest))));
      }
      const loss = f(f(Math.log(sum)) + f(largest - moved[label]!));
      const gradient = moved.map((value, k) => f(f(f(Math.exp(f(value - largest))) / sum) - (k === label ? 1 : 0)));
      expect([loss]).toBeWithin(expected.losses);
      expect(gradient).toBeWithin(expected.gradient);
    }
  });
});

test('the loss of 200 equal logits, every operation rounded up as far as WGSL lets it', () => {
  const up = (x: number): number => x * (1 + U);
  let sum = 1;
  for (let k = 1; k < 200; k++) sum = up(sum + up(up(up(1))));
  const { losses } = softmaxCrossEntropy(exact([1, 200], new Float32Array(200)), Uint32Array.of(3));
  expect([up(Math.log(sum))]).toBeWithin(losses);
});

describe('sgd', () => {
  const one = (value: number): Bounded => ({
    shape: [1, 1],
    values: Float64Array.of(value),
    bound: Float64Array.of(0),
  });
  // Worked out by hand in PyTorch's order: rate 0.1, p₀ = 1, gradients 1, 2, 0.5.
  const sequences = [
    { name: 'plain', options: {}, parameters: [0.9, 0.7, 0.65] },
    { name: 'momentum 0.9', options: { momentum: 0.9 }, parameters: [0.9, 0.61, 0.299] },
    // v: 1 (not dampened), 0.9 + 0.5·2 = 1.9, 1.71 + 0.25 = 1.96
    { name: 'dampening 0.5', options: { momentum: 0.9, dampening: 0.5 }, parameters: [0.9, 0.71, 0.514] },
    // without momentum there is no buffer to dampen
    { name: 'dampening alone', options: { dampening: 0.5 }, parameters: [0.9, 0.7, 0.65] },
    // v: 1, 2.9, 3.11; steps g + 0.9v: 1.9, 4.61, 3.299
    { name: 'nesterov', options: { momentum: 0.9, nesterov: true }, parameters: [0.81, 0.349, 0.0191] },
    // g: 1 + 0.1, 2 + 0.089, 0.5 + 0.06811
    { name: 'weight decay 0.1', options: { weightDecay: 0.1 }, parameters: [0.89, 0.6811, 0.624289] },
    // g: 1.1, 2.089, 0.5 + 0.05821; v: 1.1, 3.079, 3.32931
    {
      name: 'momentum and weight decay',
      options: { momentum: 0.9, weightDecay: 0.1 },
      parameters: [0.89, 0.5821, 0.249169],
    },
  ];

  test.for(sequences)('$name', ({ options, parameters }) => {
    let state: { parameters: Bounded; velocity: Bounded | undefined } = { parameters: one(1), velocity: undefined };
    for (const [step, gradient] of [1, 2, 0.5].entries()) {
      state = sgd(state.parameters, one(gradient), state.velocity, { learningRate: 0.1, ...options });
      expect(state.parameters.values[0]).toBeCloseTo(parameters[step]!, 13);
      expect(state.parameters.bound[0]).toBeLessThan(30 * U);
    }
  });

  test('float32 keeps the bound, step after step', () => {
    const random = new Random(6);
    const options = { learningRate: 0.1, momentum: 0.9, dampening: 0.3, weightDecay: 0.01, nesterov: false };
    const [rate, momentum, dampening, decay] = [f(0.1), f(0.9), f(0.3), f(0.01)];
    for (let trial = 0; trial < 100; trial++) {
      let p = f(random.normal());
      let v = 0;
      let state: { parameters: Bounded; velocity: Bounded | undefined } = {
        parameters: exact([1, 1], [p]),
        velocity: undefined,
      };
      for (let step = 0; step < 5; step++) {
        const gradient = f(random.normal());
        state = sgd(state.parameters, exact([1, 1], [gradient]), state.velocity, options);
        const g = f(gradient + f(decay * p));
        v = step === 0 ? g : f(f(momentum * v) + f(f(1 - dampening) * g));
        p = f(p - f(rate * v));
        expect([p]).toBeWithin(state.parameters);
        expect([v]).toBeWithin(state.velocity!);
      }
    }
  });
});

describe('columnSum, gatherRows and transpose', () => {
  test('transpose', () => {
    const B = transpose(exact([2, 3], [1, 2, 3, 4, 5, 6]));
    expect([B.shape, [...B.values]]).toEqual([
      [3, 2],
      [1, 4, 2, 5, 3, 6],
    ]);
  });

  test('columnSum', () => {
    const sums = columnSum(exact([3, 2], [1, 2, 3, 4, 5, -6]));
    expect(sums.shape).toEqual([1, 2]);
    expect([...sums.values]).toEqual([9, 0]);
    expect(sums.bound[1]! / (12 * gamma(3))).toBeCloseTo(1, 6);
  });

  test('rows in their order, scaled and shifted; the last valid one again after them', () => {
    const data = Uint8Array.of(0, 255, 10, 20, 30, 40);
    const order = Uint32Array.of(2, 0, 1);
    const X = gatherRows(data, 2, order, { first: 1, rows: 2, batch: 3, scale: [1 / 255, 2], shift: [0, -1] });
    close(X.values, [0, 509, 10 / 255, 39, 10 / 255, 39], 1e-8);
    expect(X.shape).toEqual([3, 2]);
    const floats = gatherRows(Float32Array.from(data), 2, order, { first: 0, rows: 1, batch: 1 });
    expect([...floats.values]).toEqual([30, 40]);
    expect([...gatherLabels(Uint32Array.of(5, 6, 7), 1, order, { first: 1, rows: 2, batch: 3 })]).toEqual([5, 6, 6]);
    expect(() => gatherRows(data, 2, order, { first: 3, rows: 1, batch: 1 })).toThrow('Element 3 of an array of 3');
  });

  test('float32 keeps the bound', () => {
    const data = Uint8Array.from({ length: 256 }, (_, i) => i);
    const scale = new Array<number>(256).fill(1 / 72.9);
    const shift = new Array<number>(256).fill(-0.42);
    const X = gatherRows(data, 256, Uint32Array.of(0), { first: 0, rows: 1, batch: 1, scale, shift });
    const actual = Array.from(data, (x) => f(f(x * f(1 / 72.9)) + f(-0.42)));
    expect(actual).toBeWithin(X);
  });
});
