import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { MlpError } from '../../src/base/errors.js';
import { Random } from '../../src/base/random.js';
import { atOnce } from '../../src/base/slices.js';
import { activationTable } from '../../src/kernels/activations.js';
import { placeLayers } from '../../src/model/placement.js';
import { initialValues } from '../../src/nn/initial-values.js';
import { checkInitializer, defaultInitializer, type Initializer, initializerSpec } from '../../src/nn/initializers.js';
import type { Layer } from '../../src/nn/layers/layer.js';

const fanIn = 200;
const fanOut = 50;
const count = fanIn * fanOut;

/** What the mean of a power of the values is, and how far a sample of it may be: 4.5 standard deviations, 1 in 150000. */
function expectMoments(values: Float32Array, mean: number, variance: number, kurtosis: number): void {
  const sampleMean = values.reduce((sum, x) => sum + x, 0) / values.length;
  expect(Math.abs(sampleMean - mean)).toBeLessThanOrEqual(4.5 * Math.sqrt(variance / values.length));
  const sampleVariance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  // var (x − µ)² = E (x − µ)⁴ − σ⁴: for a normal 2σ⁴, so that this is χ² with `values.length` degrees of freedom.
  const uncertainty = variance * Math.sqrt((kurtosis - 1) / values.length);
  expect(Math.abs(sampleVariance - variance)).toBeLessThanOrEqual(4.5 * uncertainty);
}

const draw = (initializer: Initializer, seed = 9, shape: readonly [number, number] = [fanIn, fanOut]): Float32Array =>
  atOnce(initialValues(initializer, shape[0], shape[1], new Random(seed)));

const normals: readonly [Initializer, mean: number, variance: number][] = [
  ['heNormal', 0, 2 / 200],
  ['xavierNormal', 0, 2 / 250],
  ['lecunNormal', 0, 1 / 200],
  [{ type: 'heNormal' }, 0, 2 / 200],
  [{ type: 'normal', deviation: 0.01 }, 0, 1e-4],
  [{ type: 'normal', deviation: 2, mean: -3 }, -3, 4],
];
test.for(normals)('%o is normal with its mean and variance', ([initializer, mean, variance]) => {
  const values = draw(initializer);
  expect(values).toHaveLength(count);
  expectMoments(values, mean, variance, 3);
  // Of 10000 normal numbers one is beyond 3σ, or there were e⁻²⁷ of a chance that none is.
  const beyond = values.filter((x) => Math.abs(x - mean) > 3 * Math.sqrt(variance)).length;
  expect(beyond).toBeGreaterThan(0);
});

const uniforms: readonly [Initializer, low: number, high: number][] = [
  ['heUniform', -Math.sqrt(6 / 200), Math.sqrt(6 / 200)],
  ['xavierUniform', -Math.sqrt(6 / 250), Math.sqrt(6 / 250)],
  ['lecunUniform', -Math.sqrt(3 / 200), Math.sqrt(3 / 200)],
  [{ type: 'uniform', low: -0.5, high: 2 }, -0.5, 2],
];
test.for(uniforms)('%o fills its interval', ([initializer, low, high]) => {
  const values = draw(initializer);
  expectMoments(values, (low + high) / 2, (high - low) ** 2 / 12, 9 / 5);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  expect(least).toBeGreaterThanOrEqual(Math.fround(low));
  expect(most).toBeLessThanOrEqual(Math.fround(high));
  // Each end misses a thousandth of the interval with a chance of 0.999¹⁰⁰⁰⁰ = e⁻¹⁰.
  expect(least).toBeLessThan(low + (high - low) / 1000);
  expect(most).toBeGreaterThan(high - (high - low) / 1000);
});

test('zeros and constant', () => {
  expect(draw('zeros')).toEqual(new Float32Array(count));
  expect(draw({ type: 'constant', value: 0.1 })).toEqual(new Float32Array(count).fill(0.1));
});

test('an interval of no width gives its one number', () => {
  expect(draw({ type: 'uniform', low: 2, high: 2 }, 1, [2, 1])).toEqual(Float32Array.of(2, 2));
});

describe('orthogonal', () => {
  const shapes = [
    [1, 1],
    [64, 10],
    [10, 64],
    [33, 33],
    [1, 7],
    [7, 1],
  ] as const;
  test.for(shapes.flatMap(([rows, columns]) => [1, 2.5].map((gain) => ({ rows, columns, gain }))))(
    '($rows, $columns) with gain $gain: WᵀW or W·Wᵀ is gain²·I',
    ({ rows, columns, gain }) => {
      const W = draw({ type: 'orthogonal', gain }, 3, [rows, columns]);
      const [vectors, length] = [Math.min(rows, columns), Math.max(rows, columns)];
      const element = (vector: number, place: number): number =>
        W[rows < columns ? vector * columns + place : place * columns + vector] ?? NaN;
      // Each element is rounded to float32, by 2⁻²⁴ of itself: by Cauchy and Schwarz a product of two vectors is off by 2·2⁻²⁴
      // of their lengths. Float64's own part is below a thousandth of that.
      const bound = 1.001 * 2 ** -23 * gain ** 2;
      for (let i = 0; i < vectors; i++) {
        for (let j = 0; j <= i; j++) {
          let product = 0;
          for (let k = 0; k < length; k++) product += element(i, k) * element(j, k);
          expect(Math.abs(product - (i === j ? gain ** 2 : 0))).toBeLessThanOrEqual(bound);
        }
      }
    },
  );

  test('every matrix is equally likely: rotations as often as reflections, each column with mean 0', () => {
    const matrices = Array.from({ length: 2000 }, (_, seed) => draw('orthogonal', seed, [2, 2]));
    const rotations = matrices.filter(([a = 0, b = 0, c = 0, d = 0]) => a * d - b * c > 0).length;
    expect(Math.abs(rotations - 1000)).toBeLessThanOrEqual(4.5 * Math.sqrt(500));
    for (let i = 0; i < 4; i++) {
      // A coordinate of a random unit vector of the plane has variance ½.
      const sum = matrices.reduce((total, matrix) => total + (matrix[i] ?? NaN), 0);
      expect(Math.abs(sum)).toBeLessThanOrEqual(4.5 * Math.sqrt(1000));
    }
  });

  test('vectors that are nearly the same are still brought to a right angle', () => {
    class Parallel extends Random {
      #drawn = 0;
      override normal(): number {
        this.#drawn += 1;
        return this.#drawn <= 3 ? 1 : 1 + 1e-12 * super.normal();
      }
    }
    const W = atOnce(initialValues('orthogonal', 3, 2, new Parallel(1)));
    const product = [0, 1, 2].reduce((sum, k) => sum + (W[2 * k] ?? NaN) * (W[2 * k + 1] ?? NaN), 0);
    expect(Math.abs(product)).toBeLessThanOrEqual(1.001 * 2 ** -23);
  });
});

test('the same seed gives the same, another one something else', () => {
  for (const initializer of ['heNormal', 'orthogonal', 'lecunUniform'] as const) {
    expect(draw(initializer, 1)).toEqual(draw(initializer, 1));
    expect(draw(initializer, 1)).not.toEqual(draw(initializer, 2));
  }
});

// Files and results of earlier versions depend on these bits.
const known: readonly [Initializer, string][] = [
  ['zeros', '69ff4f532973ae95'],
  ['heNormal', '5501416165ad6654'],
  ['heUniform', '35fdb2abce710e58'],
  ['xavierNormal', 'a6d6761133cf2b3b'],
  ['xavierUniform', 'b6f7f96ea8934c84'],
  ['lecunNormal', 'b4f2e39b5a630fe1'],
];
test.for(known)('%s gives these bits on every machine and in every version', ([initializer, hash]) => {
  const values = draw(initializer, 12, [37, 11]);
  expect(createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex').slice(0, 16)).toBe(hash);
});

test('a spec has every default, and gives itself again', () => {
  const specs: readonly [Initializer, Initializer][] = [
    ['heNormal', 'heNormal'],
    [{ type: 'heNormal' }, 'heNormal'],
    ['orthogonal', { type: 'orthogonal', gain: 1 }],
    [
      { type: 'normal', deviation: 0.1 },
      { type: 'normal', mean: 0, deviation: 0.1 },
    ],
    [
      { type: 'uniform', low: 0, high: 1 },
      { type: 'uniform', low: 0, high: 1 },
    ],
  ];
  for (const [given, spec] of specs) {
    expect(initializerSpec(given)).toEqual(spec);
    expect(initializerSpec(initializerSpec(given))).toEqual(spec);
    expect(draw(initializerSpec(given))).toEqual(draw(given));
  }
});

const bad: readonly [string, unknown, message: string][] = [
  ['an unknown name', 'he', 'has initializer "he", which is not known. Known: zeros, constant,'],
  ['a name of Object.prototype', 'constructor', '"constructor", which is not known.'],
  ['a number', 3, '"3", which is not known.'],
  ['nothing', null, '"null", which is not known.'],
  ['no type', {}, '"undefined", which is not known.'],
  ['no value', 'constant', 'constant with value = undefined; value must be a finite number.'],
  ['a value that is infinite in float32', { type: 'constant', value: 1e39 }, 'constant with value = 1e+39'],
  ['no deviation', { type: 'normal' }, 'normal with deviation = undefined; deviation must be a finite number ≥ 0.'],
  ['a negative deviation', { type: 'normal', deviation: -1 }, 'normal with deviation = -1'],
  ['a mean that is NaN', { type: 'normal', deviation: 1, mean: Number.NaN }, 'normal with mean = NaN'],
  [
    'an option of no such name',
    { type: 'normal', std: 1 },
    'normal, which has no option "std". Known: deviation, mean.',
  ],
  [
    'an option where there are none',
    { type: 'heNormal', gain: 2 },
    'heNormal, which has no option "gain". It has none.',
  ],
  ['an endless interval', { type: 'uniform', low: 0, high: Infinity }, 'uniform with high = Infinity'],
  [
    'an interval the wrong way round',
    { type: 'uniform', low: 1, high: 0 },
    'low = 1 and high = 0; low is at most high.',
  ],
  [
    'a gain of a text',
    { type: 'orthogonal', gain: '2' },
    'orthogonal: gain = "2" is a string; gain must be a finite number.',
  ],
];
test.for(bad)('%s is refused', ([, initializer, message]) => {
  const check = (): void => checkInitializer('layer 0 (dense) has initializer', initializer as Initializer, true);
  expect(check).toThrow(MlpError);
  expect(check).toThrow(message);
});

test.for(['heNormal', 'orthogonal'] as const)('%s is refused for a bias, which has no fans', (initializer) => {
  expect(() => checkInitializer('x', initializer, false)).toThrow(
    `x "${initializer}", which is for weights. Known: zeros, constant, normal, uniform.`,
  );
});

test('default: He for the relu family, LeCun for selu, Xavier else', () => {
  expect(Object.fromEntries(Object.keys(activationTable).map((name) => [name, defaultInitializer(name)]))).toEqual({
    linear: 'xavierUniform',
    relu: 'heNormal',
    leakyRelu: 'heNormal',
    prelu: 'heNormal',
    sigmoid: 'xavierUniform',
    tanh: 'xavierUniform',
    elu: 'heNormal',
    selu: 'lecunNormal',
    softplus: 'xavierUniform',
    swish: 'heNormal',
    gelu: 'heNormal',
    geluTanh: 'heNormal',
    abs: 'xavierUniform',
    sine: 'xavierUniform',
    step: 'xavierUniform',
    softsign: 'xavierUniform',
  });
});

test('what a layer of your own asks for is checked as well, before anything is made', () => {
  const asking = (initializer: unknown, shape: readonly number[]): Layer => ({
    spec: { type: 'own' },
    outputs: (inputs) => inputs,
    parameters: () => [{ name: 'scale', shape, initializer: initializer as Initializer }],
    record: () => undefined,
  });
  expect(() => placeLayers(3, [asking('gaussian', [3, 3])])).toThrow(
    'Mlp.create: 0.scale has initializer "gaussian", which is not known. Known: zeros,',
  );
  expect(() => placeLayers(3, [asking(undefined, [3, 3])])).toThrow('initializer "undefined", which is not known.');
  expect(() => placeLayers(3, [asking('heNormal', [3])])).toThrow('"heNormal", which is for weights.');
  expect(placeLayers(3, [asking('heNormal', [3, 3])])).toHaveLength(1);
});
