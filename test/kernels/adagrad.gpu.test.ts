import { expect, test } from 'vitest';
import { adagradUpdate } from '../../src/kernels.js';
import * as reference from '../reference/adagrad.js';
import type { Bounded } from '../reference/bounded.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';

const learningRate = 0.05;
const plain = { learningRateDecay: 0, weightDecay: 0, initialAccumulator: 0, epsilon: 1e-10 };

test.for([
  plain,
  { ...plain, weightDecay: 0.1 },
  { ...plain, learningRateDecay: 0.3 },
  { ...plain, initialAccumulator: 0.2, epsilon: 1e-2 },
  { learningRateDecay: 0.1, weightDecay: 0.02, initialAccumulator: 0.1, epsilon: 1e-6 },
])('six steps of adagrad with %j', async (hyper) => {
  const gpu = await sharedGpu();
  const shape = [1, 67] as const; // one past a workgroup's rows of vec4s would be 257; 67 ends within a vec4
  let parameters: Bounded = randomMatrix(...shape, 1);
  let squares: Bounded | undefined;
  const p = new Guarded(gpu, shape, parameters.values);
  const s = new Guarded(gpu, [1, 68]); // NaN at first, which the first step does not read
  for (let index = 0; index < 6; index++) {
    const gradient = randomMatrix(...shape, 10 + index);
    const next = reference.adagrad(parameters, gradient, squares, index, { learningRate, ...hyper });
    ({ parameters, squares } = next);
    const step = { first: 0, rows: 0, index, learning_rate: learningRate };
    gpu.run([adagradUpdate(p.tensor, upload(gpu, gradient), s.tensor, hyper, step)]);
    expect(await p.read()).toBeWithin(parameters, `p after step ${index}`);
    expect((await s.read()).subarray(0, 67)).toBeWithin(squares, `s after step ${index}`);
  }
  expect(Math.max(...parameters.bound)).toBeLessThan(1e-4);
});
