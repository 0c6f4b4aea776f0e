import { expect, test } from 'vitest';
import { normSums } from '../../src/kernels/gradient-norm.js';
import { euclideanNorm, gradientNorm, sgdUpdate, Tensor } from '../../src/kernels.js';
import { type Bounded, exact } from '../reference/bounded.js';
import { clamped, clipCoefficient, penalised } from '../reference/gradient-norm.js';
import { sgd } from '../reference/sgd.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';

/** Additions that a square passes, as the shader's header says. */
const depth = (count: number): number => Math.ceil(count / (4 * normSums(count))) + 70 + normSums(count) / 64;

async function factors(gradients: Bounded, maximum: number, parameterMask?: Tensor<'u32'>): Promise<readonly number[]> {
  const gpu = await sharedGpu();
  const count = gradients.values.length;
  const sums = new Guarded(gpu, [normSums(count), 2]);
  const scale = new Guarded(gpu, [2]);
  const g = upload(gpu, gradients);
  gpu.run([...gradientNorm(g, g, sums.tensor, scale.tensor, maximum, { parameterMask })]);
  await sums.read();
  return [...(await scale.read())];
}

test.for([
  { count: 1, maximum: 0.1, because: 'one' },
  { count: 67, maximum: 1, because: 'no whole vec4' },
  { count: 1031, maximum: 3, because: 'two workgroups, some invocations with nothing to do' },
  { count: 262_147, maximum: 2, because: 'as many workgroups as there may be, and four vec4s an invocation, one five' },
])('the coefficient for $count gradients: $because', async ({ count, maximum }) => {
  const gradients = randomMatrix(1, count, 5);
  const expected = clipCoefficient([gradients], maximum, depth(count));
  expect(expected.value).toBeLessThan(1);
  const [first = NaN, second = NaN] = await factors(gradients, maximum);
  expect(Math.abs(first * second - expected.value)).toBeLessThanOrEqual(expected.bound);
  expect(expected.bound).toBeLessThan(1e-4 * expected.value);
  // The same bits again.
  expect(await factors(gradients, maximum)).toEqual([first, second]);
});

test('a norm that is small enough is left as it is, exactly', async () => {
  expect(await factors(randomMatrix(1, 1000, 5), 1e3)).toEqual([1, 1]);
  expect(await factors(exact([1, 8], new Float32Array(8)), 1e-3)).toEqual([1, 1]);
});

test.for([1e12, 3e18, 1e20, 1e30, 3e38])('gradients of %d do not overflow', async (magnitude) => {
  const values = [magnitude, -magnitude / 2, 1e10, 3, 0, 1e-20];
  const gradients = exact([1, 6], values);
  const expected = clipCoefficient([gradients], 2, depth(6));
  const [first = NaN, second = NaN] = await factors(gradients, 2);
  expect(Math.abs(first * second - expected.value)).toBeLessThanOrEqual(expected.bound);
  expect(Number.isFinite(second)).toBe(true);
});

test('many large gradients beside one that is larger: both sums count', async () => {
  // 100,000 squares of (2^39.9)² are more than the one of (2^41)².
  const values = new Float32Array(100_001).fill(2 ** 39.9);
  values[77] = 2 ** 41;
  const gradients = exact([1, values.length], values);
  const expected = clipCoefficient([gradients], 5, depth(values.length));
  const [first = NaN, second = NaN] = await factors(gradients, 5);
  expect(Math.abs(first * second - expected.value)).toBeLessThanOrEqual(expected.bound);
});

test.for([NaN, Infinity, -Infinity])('a gradient of %d ruins every parameter, which an update notices', async (bad) => {
  const gpu = await sharedGpu();
  const values = new Float32Array(100).fill(0.5);
  values[33] = bad;
  const [p, g, v] = [Tensor.empty(gpu, [100]), Tensor.from(gpu, values, [100]), Tensor.empty(gpu, [100])];
  const [sums, scale] = [Tensor.empty(gpu, [normSums(100), 2]), Tensor.empty(gpu, [2])];
  const status = Tensor.empty(gpu, [3], 'status', 'u32');
  status.write(new Uint32Array(3).fill(0xffffffff));
  const layerOfBlock = Tensor.empty(gpu, [2], 'layer of block', 'u32');
  layerOfBlock.write(Uint32Array.of(0, 1));
  const hyper = { watch: { layerOfBlock, status }, adjustment: { clip: { scale } } };
  const step = { first: 0, rows: 0, index: 9, learning_rate: 1e-3 };
  gpu.run([...gradientNorm(g, p, sums, scale, 1), sgdUpdate(p, g, v, hyper, step)]);
  expect([...(await status.read())]).toEqual([0xffffffff, 9, 9]);
});

/** Bits of elements that are parameters, and of those of weight matrices, as the kernels take them. */
async function maskFor(count: number, isParameter: (i: number) => boolean, isWeight: (i: number) => boolean) {
  const mask = new Uint32Array(2 * Math.ceil(count / 32));
  for (let i = 0; i < count; i++) {
    const word = 2 * Math.floor(i / 32);
    if (isParameter(i)) mask[word] = (mask[word] ?? 0) | (1 << (i % 32));
    if (isWeight(i)) mask[word + 1] = (mask[word + 1] ?? 0) | (1 << (i % 32));
  }
  const tensor = Tensor.empty(await sharedGpu(), [mask.length / 2, 2], 'parameter mask', 'u32');
  tensor.write(mask);
  return tensor;
}

test('padding is no part of the norm', async () => {
  const values = Float32Array.from({ length: 200 }, (_, i) => (i % 7 === 3 ? Number.NaN : i / 100));
  const parameterMask = await maskFor(
    200,
    (i) => i % 7 !== 3,
    () => false,
  );
  const counted = exact(
    [1, 200],
    values.map((value) => (Number.isNaN(value) ? 0 : value)),
  );
  const expected = clipCoefficient([counted], 1, depth(200));
  const [first = NaN, second = NaN] = await factors(
    { ...counted, values: Float64Array.from(values) },
    1,
    parameterMask,
  );
  expect(Math.abs(first * second - expected.value)).toBeLessThanOrEqual(expected.bound);
});

test('penalties on weights alone, then the clip; then weight decay', async () => {
  const gpu = await sharedGpu();
  const count = 131;
  const isWeight = (i: number): boolean => i % 3 !== 0;
  const parameterMask = await maskFor(count, () => true, isWeight);
  const [start, gradient] = [randomMatrix(1, count, 1), randomMatrix(1, count, 2)];
  start.values[4] = 0; // whose sign is 0
  const whole = penalised(gradient, start, 0.2, 0.3);
  const withPenalties: Bounded = {
    ...whole,
    values: whole.values.map((value, i) => (isWeight(i) ? value : (gradient.values[i] ?? 0))),
  };
  const penalties = { l1: 0.2, l2: 0.3 };
  const step = { first: 0, rows: 0, index: 0, learning_rate: 0.5 };
  const expected = clipCoefficient([withPenalties], 0.7, depth(count));
  const [sums, scale] = [Tensor.empty(gpu, [normSums(count), 2]), Tensor.empty(gpu, [2])];
  const [p, g] = [upload(gpu, start), upload(gpu, gradient)];
  gpu.run([...gradientNorm(g, p, sums, scale, 0.7, { penalties, parameterMask })]);
  const [first = NaN, second = NaN] = await scale.read();
  expect(Math.abs(first * second - expected.value)).toBeLessThanOrEqual(expected.bound);
  const hyper = { weightDecay: 0.1, adjustment: { penalties, parameterMask, clip: { value: 0.4 } } };
  gpu.run([sgdUpdate(p, g, Tensor.empty(gpu, [count]), hyper, step)]);
  const next = sgd(start, clamped(withPenalties, 0.4), undefined, { learningRate: 0.5, weightDecay: 0.1 });
  expect(await p.read()).toBeWithin(next.parameters, 'p');
});

test('a clip by value leaves a NaN what it is, and clamps an infinity', async () => {
  const gpu = await sharedGpu();
  const [p, v] = [Tensor.empty(gpu, [4]), Tensor.empty(gpu, [4])];
  const g = Tensor.from(gpu, [NaN, Infinity, -7, 0.25], [4]);
  const hyper = { adjustment: { clip: { value: 2 } } };
  gpu.run([sgdUpdate(p, g, v, hyper, { first: 0, rows: 0, index: 0, learning_rate: 1 })]);
  expect([...(await p.read())]).toEqual([NaN, -2, 2, -0.25]);
});

async function normOf(gradients: Bounded): Promise<number> {
  const gpu = await sharedGpu();
  const [sums, norm] = [new Guarded(gpu, [2, normSums(gradients.values.length), 2]), new Guarded(gpu, [2])];
  gpu.run([...euclideanNorm(upload(gpu, gradients), sums.tensor, norm.tensor)]);
  await sums.read();
  const [first = NaN, second = NaN] = await norm.read();
  return first * second;
}

test.for([
  { name: 'nothing but 0', values: new Float32Array(9) },
  { name: 'one of 1e-8', values: [0, 1e-8, 0] },
  { name: 'very small ones', values: [3e-25, -4e-25, 1e-37] },
  {
    name: 'one of 1 beside many small ones',
    values: Float32Array.from({ length: 5000 }, (_, i) => (i === 7 ? 1 : 8e-13)),
  },
  {
    name: 'small ones that are more than the others',
    values: Float32Array.from({ length: 70_000 }, (_, i) => (i < 3 ? 1e-12 : 9e-13)),
  },
  { name: 'small, others and large ones', values: [1e-20, 1e-13, 0.5, 2, 1e12, -1e13] },
  { name: 'a norm above float32', values: [3e38, -3e38, 1] },
])('the norm of $name is right', async ({ values }) => {
  const gradients = exact([1, values.length], values);
  const expected = Math.sqrt(gradients.values.reduce((sum, g) => sum + g * g, 0));
  // As the shader's header says; gradients are f32, so that one of 1e-8 is that of f32.
  const bound = (depth(values.length) / 2 + 12) * 2 ** -23 * expected;
  expect(Math.abs((await normOf(gradients)) - expected)).toBeLessThanOrEqual(bound);
});

test.for([NaN, Infinity, -Infinity])('the norm of gradients with one of %d is not finite', async (bad) => {
  expect(Number.isFinite(await normOf({ ...exact([1, 3], [1, 2, 3]), values: Float64Array.of(1, bad, 3) }))).toBe(
    false,
  );
});

test('sizes that do not fit, and penalties without a mask, are refused', async () => {
  const gpu = await sharedGpu();
  const [g, two] = [Tensor.empty(gpu, [8]), Tensor.empty(gpu, [2])];
  expect(() => gradientNorm(g, g, two, two, 1)).toThrow(
    'for 8 gradients there must be as many parameters, 128 elements of sums and 2 of scale; there are 8, 2 and 2.',
  );
  expect(() => euclideanNorm(g, two, two)).toThrow('for 8 gradients there must be 256 elements of sums and 2 of norm');
  const sums = Tensor.empty(gpu, [64, 2]);
  expect(() => gradientNorm(g, g, sums, two, 1, { penalties: { l1: 1 } })).toThrow('penalties need parameterMask');
});
