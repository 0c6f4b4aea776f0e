import { expect, test } from 'vitest';
import { shiftParameters, Tensor } from '../../src/kernels.js';
import * as reference from '../reference/shift-parameters.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';

test.for([
  { count: 1, because: 'the smallest' },
  { count: 64, because: 'one workgroup' },
  { count: 1031, because: 'a prime' },
])('shift-parameters of $count: $because', async ({ count }) => {
  const gpu = await sharedGpu();
  const [base, D, E] = [1, 2, 3].map((seed) => randomMatrix(1, count, seed));
  if (base === undefined || D === undefined || E === undefined) throw new Error('There are three.');
  const points = [0, 0, 0.5, -0.25, -1.5, 3];
  for (const index of [0, 1, 2]) {
    const parameters = new Guarded(gpu, [1, count]);
    const plane = {
      base: upload(gpu, base),
      U: upload(gpu, D),
      V: upload(gpu, E),
      points: Tensor.from(gpu, points, [3, 2]),
    };
    gpu.run([shiftParameters(parameters.tensor, plane, { first: 0, rows: 0, index, learning_rate: 0 })]);
    const [x = 0, y = 0] = points.slice(2 * index);
    expect(await parameters.read()).toBeWithin(reference.shiftParameters(base, D, E, x, y));
  }
});

test('numbers of elements that differ are refused', async () => {
  const gpu = await sharedGpu();
  const [four, three] = [Tensor.empty(gpu, [4]), Tensor.empty(gpu, [3])];
  const points = Tensor.empty(gpu, [1, 2]);
  const step = { first: 0, rows: 0, index: 0, learning_rate: 0 };
  expect(() => shiftParameters(three, { base: four, U: four, V: four, points }, step)).toThrow('3 parameters');
});
