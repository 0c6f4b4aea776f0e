import { expect, test } from 'vitest';
import { adamUpdate, Tensor } from '../../src/kernels.js';
import * as reference from '../reference/adam.js';
import type { Bounded } from '../reference/bounded.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';

const learningRate = 0.05;
const plain = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, decoupled: false };

test.for([
  plain,
  { ...plain, weightDecay: 0.1 },
  { ...plain, weightDecay: 0.1, decoupled: true },
  { ...plain, beta1: 0, beta2: 0.9, epsilon: 1e-3 },
  { beta1: 0.5, beta2: 0.99, epsilon: 1e-6, weightDecay: 0.01, decoupled: true },
])('six steps with %j', async (hyper) => {
  const gpu = await sharedGpu();
  const shape = [1, 67] as const;
  let parameters: Bounded = randomMatrix(...shape, 1);
  let state: reference.AdamState | undefined;
  const p = new Guarded(gpu, shape, parameters.values);
  const s = new Guarded(gpu, [2, 68], new Float32Array(2 * 68));
  for (let index = 0; index < 6; index++) {
    const gradient = randomMatrix(...shape, 10 + index);
    state = reference.adam(parameters, gradient, state, index, { learningRate, ...hyper });
    parameters = state.parameters;
    const step = { first: 0, rows: 0, index, learning_rate: learningRate };
    gpu.run([adamUpdate(p.tensor, upload(gpu, gradient), s.tensor, hyper, step)]);
    expect(await p.read()).toBeWithin(parameters, `p after step ${index}`);
    const kept = await s.read();
    expect(kept.subarray(0, 67)).toBeWithin(state.mean, `m after step ${index}`);
    expect(kept.subarray(68, 135)).toBeWithin(state.squares, `v after step ${index}`);
  }
  expect(Math.max(...parameters.bound)).toBeLessThan(1e-4);
});

test('by hand: the first step is the rate, whatever the gradient; a gradient of zero moves nothing', async () => {
  const gpu = await sharedGpu();
  const gradients = [1e-4, -3, 1e6, 0];
  const [p, g] = [Tensor.empty(gpu, [4]), Tensor.from(gpu, gradients, [4])];
  gpu.run([adamUpdate(p, g, Tensor.empty(gpu, [2, 4]), plain, { first: 0, rows: 0, index: 0, learning_rate: 0.1 })]);
  // m / (1 − β₁) = g and √(v / (1 − β₂)) = |g|, so the change is rate·g / (|g| + ε).
  const values = await p.read();
  for (const [i, value] of [-0.1 / (1 + 1e-4), 0.1, -0.1, 0].entries()) expect(values[i]).toBeCloseTo(value, 6);
});

test('the corrections of a late step are those of float64', async () => {
  const gpu = await sharedGpu();
  const gradient = randomMatrix(1, 8, 3);
  // β = 1 − 1e-6 as f32 would be 2^-20 less than 1, and its powers far off.
  const hyper = { ...plain, beta2: 1 - 1e-6 };
  const index = 999;
  const start = randomMatrix(1, 8, 1);
  const state = reference.adam(start, gradient, undefined, index, { learningRate, ...hyper });
  const p = upload(gpu, start);
  const step = { first: 0, rows: 0, index, learning_rate: learningRate };
  gpu.run([adamUpdate(p, upload(gpu, gradient), Tensor.empty(gpu, [2, 8]), hyper, step)]);
  expect(await p.read()).toBeWithin(state.parameters, 'p');
});
