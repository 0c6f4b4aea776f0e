import { expect, test } from 'vitest';
import { type ActivationRowName, activationTable, resolveActivation } from '../../src/kernels/activations.js';
import { type Activation, biasActivation, biasActivationBackward } from '../../src/kernels.js';
import * as reference from '../reference/bias-activation.js';
import { type Bounded, exact } from '../reference/bounded.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';

const rows = Object.keys(activationTable) as ActivationRowName[];
const activationOf = (name: ActivationRowName): Activation =>
  name === 'geluTanh' ? { type: 'gelu', approximate: 'tanh' } : name;

/** Where activations go wrong: zero and its neighbours, where forms change, and far out. */
const extremes = [0, 1e-30, 1e-6, 0.1, 0.2499, 0.2501, 0.2999, 0.3001, 1, 2.5, 10, 20, 44, 86.9, 88.1, 89, 1e4, 1e30];
const argument: Bounded = exact(
  [2, 2 * extremes.length],
  [...extremes, ...extremes.map((z) => -z), ...Array.from({ length: 2 * extremes.length }, (_, i) => i / 4 - 4)],
);

const cases: readonly Activation[] = [
  ...rows.map(activationOf),
  { type: 'prelu', alpha: -0.5 },
  { type: 'swish', beta: -1.7 },
  { type: 'sine', omega: 30 },
  { type: 'sine', omega: -0.3 },
];
test.for(cases)('%j and its derivative are within their bounds and finite, ±1e30 included', async (activation) => {
  const gpu = await sharedGpu();
  const { from } = resolveActivation(activation);
  const name = JSON.stringify(activation);
  const Y = new Guarded(gpu, argument.shape, argument.values);
  gpu.run([biasActivation(Y.tensor, undefined, activation)]);
  const forward = await Y.read();
  expect([...forward].every(Number.isFinite)).toBe(true);
  expect(forward).toBeWithin(reference.biasActivation(argument, undefined, activation), name);

  const at = from === 'y' ? exact(argument.shape, forward) : argument;
  const ones = exact(argument.shape, new Float32Array(at.values.length).fill(1));
  const dY = new Guarded(gpu, argument.shape, ones.values);
  gpu.run([biasActivationBackward(dY.tensor, upload(gpu, at), activation)]);
  const slope = await dY.read();
  expect([...slope].every(Number.isFinite)).toBe(true);
  expect(slope).toBeWithin(reference.biasActivationBackward(ones, at, activation), `${name}′`);
});

test.for([
  { rows: 1, columns: 1, because: 'the smallest' },
  { rows: 64, columns: 1, because: 'one workgroup' },
  { rows: 5, columns: 13, because: 'one past a workgroup' },
  { rows: 257, columns: 31, because: 'many workgroups' },
])('bias and derivative on ($rows, $columns): $because', async ({ rows, columns }) => {
  const gpu = await sharedGpu();
  const X = randomMatrix(rows, columns, 1, 3);
  const b = randomMatrix(1, columns, 2);
  const Y = new Guarded(gpu, [rows, columns], X.values);
  gpu.run([biasActivation(Y.tensor, upload(gpu, b), 'tanh')]);
  const forward = await Y.read();
  expect(forward).toBeWithin(reference.biasActivation(X, b, 'tanh'));
  const dY = new Guarded(gpu, [rows, columns], X.values);
  const at = exact([rows, columns], forward);
  gpu.run([biasActivationBackward(dY.tensor, upload(gpu, at), 'tanh')]);
  expect(await dY.read()).toBeWithin(reference.biasActivationBackward(X, at, 'tanh'));
});

test('the check values of the vocabulary', async () => {
  const gpu = await sharedGpu();
  const z = exact([1, 5], [1, 5, -4, 3, -2]);
  const expected: [Activation, number[]][] = [
    ['sigmoid', [0.731, 0.993, 0.018, 0.953, 0.119]],
    ['tanh', [0.762, 1.0, -0.999, 0.995, -0.964]],
    ['softplus', [1.313, 5.007, 0.018, 3.049, 0.127]],
    ['leakyRelu', [1, 5, -0.04, 3, -0.02]],
    [{ type: 'elu', alpha: 0.1 }, [1, 5, -0.098, 3, -0.086]],
    [{ type: 'prelu', alpha: 0.1 }, [1, 5, -0.4, 3, -0.2]],
    ['swish', [0.731, 4.967, -0.072, 2.858, -0.238]],
    ['linear', [1, 5, -4, 3, -2]],
    ['relu', [1, 5, 0, 3, 0]],
    ['selu', [1.051, 5.254, -1.726, 3.152, -1.52]],
    ['gelu', [0.841, 5, 0, 2.996, -0.046]],
    [{ type: 'gelu', approximate: 'tanh' }, [0.841, 5, 0, 2.996, -0.045]],
    ['abs', [1, 5, 4, 3, 2]],
    ['sine', [0.841, -0.959, 0.757, 0.141, -0.909]],
    ['step', [1, 1, 0, 1, 0]],
    ['softsign', [0.5, 0.833, -0.8, 0.75, -0.667]],
  ];
  for (const [activation, values] of expected) {
    const Y = new Guarded(gpu, [1, 5], z.values);
    gpu.run([biasActivation(Y.tensor, undefined, activation)]);
    const actual = await Y.read();
    expect([...actual].map((a) => Math.round(a * 1000) / 1000 + 0)).toEqual(values);
  }
});

test('sine is right far from zero, and within [−1, 1] wherever', async () => {
  const gpu = await sharedGpu();
  // Whole numbers, and multiples of π/2, next to which the value or the derivative has few digits.
  const near = Array.from({ length: 700 }, (_, i) => (i % 2 === 0 ? 0.5 * Math.PI * (i - 350) : 37 * (i - 350)));
  const far = [3e4, 65535, 65537, 1e6, 1e10, 1e30, 3e38].flatMap((z) => [z, -z]);
  const z = exact([1, near.length + far.length], [...near, ...far]);
  const Y = new Guarded(gpu, z.shape, z.values);
  gpu.run([biasActivation(Y.tensor, undefined, 'sine')]);
  const expected = reference.biasActivation(z, undefined, 'sine');
  const actual = await Y.read();
  expect(actual).toBeWithin(expected);
  expect(actual.every((y) => Math.abs(y) <= 1)).toBe(true);
  // Up to 1e4 and beyond an argument that is exact costs no more than ten units of 2⁻²³.
  expect(Math.max(...expected.bound.slice(0, near.length))).toBeLessThan(11 * 2 ** -23);
});

test('shapes that do not fit are refused', async () => {
  const gpu = await sharedGpu();
  const Y = upload(gpu, randomMatrix(2, 3, 1));
  expect(() => biasActivation(Y, upload(gpu, randomMatrix(1, 2, 1)), 'relu')).toThrow(
    'bias has 2 elements, but Y has 3',
  );
  expect(() => biasActivationBackward(Y, upload(gpu, randomMatrix(2, 2, 1)), 'relu')).toThrow(
    'dY is (2, 3), but at is (2, 2)',
  );
});
