import { expect, test } from 'vitest';
import { rmspropRows } from '../../src/kernels/rmsprop.js';
import { rmspropUpdate, Tensor } from '../../src/kernels.js';
import type { Bounded } from '../reference/bounded.js';
import * as reference from '../reference/rmsprop.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';

const learningRate = 0.05;
const plain = { decay: 0.99, epsilon: 1e-8, weightDecay: 0, momentum: 0, centered: false };

test.for([
  plain,
  { ...plain, decay: 0.5, epsilon: 1e-2 },
  { ...plain, weightDecay: 0.1 },
  { ...plain, momentum: 0.9 },
  { ...plain, centered: true },
  { decay: 0.9, epsilon: 1e-6, weightDecay: 0.02, momentum: 0.5, centered: true },
])('six steps of rmsprop with %j', async (hyper) => {
  const gpu = await sharedGpu();
  const shape = [1, 67] as const;
  const rows = rmspropRows(hyper);
  let parameters: Bounded = randomMatrix(...shape, 1);
  let state: reference.RmspropState | undefined;
  const p = new Guarded(gpu, shape, parameters.values);
  const s = new Guarded(gpu, [rows, 68], new Float32Array(rows * 68));
  for (let index = 0; index < 6; index++) {
    const gradient = randomMatrix(...shape, 10 + index);
    state = reference.rmsprop(parameters, gradient, state, { learningRate, ...hyper });
    parameters = state.parameters;
    const step = { first: 0, rows: 0, index, learning_rate: learningRate };
    gpu.run([rmspropUpdate(p.tensor, upload(gpu, gradient), s.tensor, hyper, step)]);
    expect(await p.read()).toBeWithin(parameters, `p after step ${index}`);
    const kept = await s.read();
    const row = (number: number): Float32Array => kept.subarray(68 * number, 68 * number + 67);
    expect(row(0)).toBeWithin(state.squares, `s after step ${index}`);
    if (hyper.centered) expect(row(1)).toBeWithin(state.mean, `a after step ${index}`);
    if (hyper.momentum > 0) expect(row(rows - 1)).toBeWithin(state.velocity, `v after step ${index}`);
  }
  expect(Math.max(...parameters.bound)).toBeLessThan(1e-3);
});

test('centered, a gradient that never changes leaves no NaN where rounding makes the variance negative', async () => {
  const gpu = await sharedGpu();
  const gradients = Float32Array.from({ length: 64 }, (_, i) => 0.1 + i / 7);
  const [p, g, s] = [Tensor.empty(gpu, [64]), Tensor.from(gpu, gradients, [64]), Tensor.empty(gpu, [2, 64])];
  const hyper = { ...plain, decay: 0.5, centered: true };
  for (let index = 0; index < 60; index++) {
    gpu.run([rmspropUpdate(p, g, s, hyper, { first: 0, rows: 0, index, learning_rate: 1e-6 })]);
  }
  expect([...(await p.read())].every(Number.isFinite)).toBe(true);
});
