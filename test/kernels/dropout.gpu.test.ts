import { expect, test } from 'vitest';
import philox from '../../shaders/lib/philox.wgsl?raw';
import { defineShader, dispatch, dropElements, type Gpu, program, Tensor } from '../../src/kernels.js';
import { biasActivationBackward } from '../reference/bias-activation.js';
import * as reference from '../reference/dropout.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';

const step = (index: number) => ({ first: 0, rows: 0, index, learning_rate: 0 });

/** Known answers of Random123 1.14's kat_vectors for philox4x32 with 10 rounds: counter, key, result. */
const answers = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
] as const;

test.for(answers)('philox %j with key %j gives the published words', async ([counter, key, words]) => {
  const gpu = await sharedGpu();
  const shader = defineShader({
    name: 'philox-alone',
    code: `${philox}
      struct Input { c0: u32, c1: u32, c2: u32, c3: u32, k0: u32, k1: u32 }
      @group(0) @binding(0) var<uniform> input: Input;
      @group(0) @binding(1) var<storage, read_write> words: array<vec4u>;
      @compute @workgroup_size(1) fn main() {
        words[0] = philox(vec4u(input.c0, input.c1, input.c2, input.c3), vec2u(input.k0, input.k1));
      }`,
    uniforms: { input: { c0: 'u32', c1: 'u32', c2: 'u32', c3: 'u32', k0: 'u32', k1: 'u32' } },
    buffers: { words: 'read_write' },
  });
  const found = Tensor.empty(gpu, [4], 'words', 'u32');
  const [c0, c1, c2, c3] = counter;
  const [k0, k1] = key;
  gpu.run([
    dispatch(shader, {
      label: 'philox',
      programs: [program(shader, {}, [1])],
      uniforms: { input: { c0, c1, c2, c3, k0, k1 } },
      buffers: { words: found },
    }),
  ]);
  expect([...(await found.read())]).toEqual(words);
  expect(reference.philox(counter, key)).toEqual(words);
});

test.for([
  { shape: [1, 1] as const, rate: 0.5, because: 'the smallest' },
  { shape: [5, 13] as const, rate: 0.2, because: 'no whole four' },
  { shape: [64, 9] as const, rate: 0.9, because: 'several workgroups' },
  { shape: [3, 7] as const, rate: 0, because: 'nothing is dropped' },
  { shape: [3, 7] as const, rate: 1 - 2 ** -53, because: 'the largest rate' },
])('dropout of $shape at rate $rate keeps the elements of the reference: $because', async ({ shape, rate }) => {
  const gpu = await sharedGpu();
  const [rows, columns] = shape;
  const X = randomMatrix(rows, columns, 1);
  const kept = randomMatrix(rows, columns, 2);
  const stream = { rate, seed: 2 ** 40 + 7, stream: 3, index: 11 };
  const Y = new Guarded(gpu, shape);
  gpu.run([dropElements(upload(gpu, X), Y.tensor, stream, step(11))]);
  const expected = reference.dropout(X, stream);
  expect(await Y.read()).toBeWithin(expected);
  const dX = new Guarded(gpu, shape);
  const activationGradient = { activation: 'tanh' as const, at: upload(gpu, kept) };
  gpu.run([dropElements(upload(gpu, X), dX.tensor, { ...stream, activationGradient }, step(11))]);
  expect(await dX.read()).toBeWithin(biasActivationBackward(expected, kept, 'tanh'));
});

test('what is dropped is 0, though it be infinite or NaN', async () => {
  const gpu = await sharedGpu();
  const X = new Float32Array(400).fill(Number.NaN);
  const Y = Tensor.empty(gpu, [400]);
  gpu.run([dropElements(Tensor.from(gpu, X, [400]), Y, { rate: 0.5, seed: 1 }, step(0))]);
  const kept = reference.keptElements(400, { rate: 0.5, seed: 1, stream: 0, index: 0 });
  expect([...(await Y.read())].map(Number.isNaN)).toEqual(kept);
});

/** Which of a million elements are kept. */
async function draws(gpu: Gpu, rate: number, seed: number, stream: number, index: number): Promise<Float32Array> {
  const ones = Tensor.from(gpu, new Float32Array(1e6).fill(1), [1000, 1000]);
  const Y = Tensor.empty(gpu, [1000, 1000]);
  gpu.run([dropElements(ones, Y, { rate, seed, stream }, step(index))]);
  const values = await Y.read();
  ones.dispose();
  Y.dispose();
  return values.map((y) => (y === 0 ? 0 : 1));
}

const mean = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** A normal variable is farther than this from its mean, in deviations, once in 500 million times. */
const FAR = 6;

test.for([0.1, 0.5, 0.77])(
  'a million draws at rate %f have the mean and the variance that they should',
  async (rate) => {
    const gpu = await sharedGpu();
    const ones = Tensor.from(gpu, new Float32Array(1e6).fill(1), [1000, 1000]);
    const Y = Tensor.empty(gpu, [1000, 1000]);
    gpu.run([dropElements(ones, Y, { rate, seed: 5 }, step(0))]);
    const values = await Y.read();
    // y = k/q with k of Bernoulli(q), q = 1 − rate: mean 1, variance rate/q, and of a sample's mean that over its size.
    const q = 1 - rate;
    const variance = rate / q;
    const found = mean(values);
    expect(Math.abs(found - 1)).toBeLessThan(FAR * Math.sqrt(variance / 1e6));
    // The sample's variance is s(1 − s)/q² for a share s that was kept, whose deviation is √(q·rate/10⁶).
    const spread = values.reduce((sum, y) => sum + (y - found) ** 2, 0) / 1e6;
    const slope = Math.abs(1 - 2 * q) / q ** 2;
    const curvature = 1 / q ** 2;
    const off = FAR * Math.sqrt((q * rate) / 1e6);
    expect(Math.abs(spread - variance)).toBeLessThan(slope * off + curvature * off ** 2 + 1e-5);
  },
);

test('seeds, layers, steps and neighbours have nothing to do with each other', async () => {
  const gpu = await sharedGpu();
  const first = await draws(gpu, 0.5, 5, 0, 0);
  const others = [
    await draws(gpu, 0.5, 6, 0, 0),
    await draws(gpu, 0.5, 5 + 2 ** 32, 0, 0),
    await draws(gpu, 0.5, 5, 1, 0),
    await draws(gpu, 0.5, 5, 0, 1),
    first.map((_, i) => first[(i + 1) % 1e6] ?? 0),
    first.map((_, i) => first[(i + 4) % 1e6] ?? 0),
    first.map((_, i) => first[(i + 1000) % 1e6] ?? 0),
  ];
  // Independent fair draws agree in half of the cases, with a deviation of ½√10⁶.
  for (const [number, other] of others.entries()) {
    const agreed = mean(first.map((value, i) => (value === other[i] ? 1 : 0)));
    expect(Math.abs(agreed - 0.5), `${number}`).toBeLessThan(FAR * 0.5e-3);
  }
  expect(await draws(gpu, 0.5, 5, 0, 0)).toEqual(first);
});

test('a rate out of its range and shapes that do not fit are refused', async () => {
  const gpu = await sharedGpu();
  const [X, Y] = [Tensor.empty(gpu, [2, 3]), Tensor.empty(gpu, [2, 4])];
  for (const rate of [1, -0.1, Number.NaN]) {
    expect(() => dropElements(X, Tensor.empty(gpu, [2, 3]), { rate, seed: 1 }, step(0))).toThrow(
      `dropElements: rate = ${rate}; rate must be a number in [0, 1).`,
    );
  }
  expect(() => dropElements(X, Y, { rate: 0.5, seed: 1 }, step(0))).toThrow('X is (2, 3), Y is (2, 4)');
});
