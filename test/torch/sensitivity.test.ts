import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/random.js';
import { type Arithmetic, exactArithmetic, matrix, monteCarloArithmetic, product } from './arithmetic.js';
import { compareTensors, FACTOR, sensitivityOf, tensorsOf } from './sensitivity.js';
import { type Problem, trainReference } from './training.js';

const normals = (count: number, random: Random): Float32Array =>
  Float32Array.from({ length: count }, () => random.normal());

function problemOf(activation: unknown, seed: number, optimizer = 'sgd'): Problem {
  const random = new Random(seed);
  const sizes = [5, 7, 6, 4];
  const parameters = sizes.slice(1).flatMap((units, number) => {
    const inputs = sizes[number] ?? 1;
    return [
      { name: `${number}.weight`, shape: [inputs, units], data: normals(inputs * units, random) },
      { name: `${number}.bias`, shape: [units], data: normals(units, random) },
    ];
  });
  return {
    layers: sizes.slice(1).map((units, number) => ({
      type: 'dense',
      units,
      activation: number === 2 ? 'linear' : activation,
    })),
    parameters,
    loss: { type: 'softmaxCrossEntropy' },
    optimizer: { type: optimizer, learningRate: 0.05 },
    batches: Array.from({ length: 4 }, () => ({
      inputs: normals(9 * 5, random),
      rows: 9,
      targets: Array.from({ length: 9 }, () => random.integer(4)),
    })),
  };
}

/** Float32 as a device may compute it. */
const devices: readonly (readonly [what: string, arithmetic: Arithmetic])[] = [
  ['to nearest', rounding(Math.fround)],
  ['towards zero, as WGSL allows', rounding(towardsZero)],
  [
    'functions that are 2 ulps too large',
    { ...rounding(Math.fround), call: (value) => Math.fround(value * (1 + 2 ** -22)) },
  ],
];

function rounding(round: (value: number) => number): Arithmetic {
  return { round, call: round, sum: round, exact: true };
}

function towardsZero(value: number): number {
  const nearest = Math.fround(value);
  if (Math.abs(nearest) <= Math.abs(value)) return nearest;
  const bits = new Int32Array(Float32Array.of(nearest).buffer);
  bits[0] = (bits[0] ?? 0) - 1;
  return new Float32Array(bits.buffer)[0] ?? Number.NaN;
}

describe('bounds from Monte-Carlo arithmetic', () => {
  const activations = ['tanh', 'gelu', 'softplus', 'elu', 'swish'];

  test.for(activations.flatMap((activation) => devices.map((device) => [activation, ...device] as const)))(
    '%s: hold for float32, %s',
    ([activation, , arithmetic]) => {
      for (const optimizer of ['sgd', 'adagrad']) {
        for (let seed = 1; seed <= 5; seed++) {
          const problem = problemOf(activation, seed, optimizer);
          const sensitivity = sensitivityOf(problem);
          for (const { name, error, bound } of compareTensors(
            sensitivity,
            tensorsOf(trainReference(problem, arithmetic)),
          )) {
            expect(error, `${name}, ${optimizer}, seed ${seed}`).toBeLessThanOrEqual(bound);
          }
        }
      }
    },
  );

  test('are small beside the tensors, and tell a wrong learning rate, or a step that is missing', () => {
    const problem = problemOf('tanh', 1);
    const sensitivity = sensitivityOf(problem);
    const own = compareTensors(sensitivity, tensorsOf(sensitivity.steps));
    expect(own.every(({ error }) => error === 0)).toBe(true);
    expect(Math.max(...own.map(({ bound, largest }) => bound / largest))).toBeLessThan(1e-4);
    const other = { ...problem, optimizer: { type: 'sgd', learningRate: 0.0501 } };
    for (const { name, error, bound } of compareTensors(sensitivity, tensorsOf(trainReference(other)))) {
      if (/^\d: \d/.test(name)) expect(error, name).toBeGreaterThan(bound);
    }
    const shifted = tensorsOf([...sensitivity.steps.slice(1)]);
    for (const { name, error, bound } of compareTensors(sensitivity, shifted)) {
      expect(error, name).toBeGreaterThan(bound);
    }
  });

  test('a NaN is outside of every bound, and what the reference does not have is an error', () => {
    const sensitivity = sensitivityOf(problemOf('tanh', 1), 2);
    const [comparison] = compareTensors(sensitivity, new Map([['1: loss', [Number.NaN]]]));
    expect((comparison?.error ?? 0) <= (comparison?.bound ?? 0)).toBe(false);
    expect(() => compareTensors(sensitivity, new Map([['9: loss', [1]]]))).toThrow('no "9: loss"');
  });

  test('a sum drawn at once spreads as one whose every rounding is drawn', () => {
    const random = new Random(5);
    const [a, b] = [normals(200, random), normals(200, random)];
    const exact = product(exactArithmetic, matrix(1, 200, a), matrix(200, 1, b)).values[0] ?? 0;
    let atOnce = 0;
    let oneByOne = 0;
    for (let sample = 0; sample < 2000; sample++) {
      const arithmetic = monteCarloArithmetic(sample);
      atOnce += ((product(arithmetic, matrix(1, 200, a), matrix(200, 1, b)).values[0] ?? 0) - exact) ** 2;
      const sum = a.reduce((s, x, k) => arithmetic.round(s + arithmetic.round(x * (b[k] ?? 0))), 0);
      oneByOne += (sum - exact) ** 2;
    }
    // Variances of 2000 samples: 3 % standard deviation each.
    expect(Math.abs(atOnce / oneByOne - 1)).toBeLessThan(0.2);
  });
});

describe('kinks', () => {
  const kinked = (value: number): Problem => ({
    layers: [{ type: 'dense', units: 1, activation: 'relu' }],
    // z = 0.3·w − 0.3·w + value in float64; its products are off by 2⁻²⁴·0.3 in float32.
    parameters: [
      { name: '0.weight', shape: [2, 1], data: [1, -1] },
      { name: '0.bias', shape: [1], data: [value] },
    ],
    loss: { type: 'meanSquaredError' },
    optimizer: { type: 'sgd', learningRate: 0.1 },
    batches: [{ inputs: [0.3, 0.3], rows: 1, targets: [1] }],
  });

  test('a pre-activation within rounding of one is found, one further away is not', () => {
    expect(sensitivityOf(kinked(1e-8)).nearestKink).toBeLessThan(FACTOR);
    expect(sensitivityOf(kinked(1e-3)).nearestKink).toBeGreaterThan(FACTOR);
  });

  test('exactly at one there is nothing to decide, and without one no distance', () => {
    const exact = { ...kinked(0), batches: [{ inputs: [0, 0], rows: 1, targets: [1] }] };
    expect(sensitivityOf(exact).nearestKink).toBe(Infinity);
    expect(sensitivityOf(problemOf('tanh', 1)).nearestKink).toBe(Infinity);
  });
});
