import { expect, test } from 'vitest';
import { runningAverage, Tensor } from '../../src/kernels.js';
import { type Bounded, exact } from '../reference/bounded.js';
import * as reference from '../reference/running-average.js';
import { Guarded, randomMatrix, sharedGpu, unpadded } from '../support/gpu.js';

const at = (index: number, rows = 1) => ({ first: 0, rows, index, learning_rate: 0 });

test.for([
  { count: 1, because: 'the smallest' },
  { count: 258, because: 'one past a workgroup of four elements each, and two more' },
])('an exponential average of $count values begins with the first ones: $because', async ({ count }) => {
  const gpu = await sharedGpu();
  const average = new Guarded(gpu, [1, count], new Float32Array(count).fill(Number.NaN));
  let expected: Bounded | undefined;
  for (let index = 0; index < 5; index++) {
    const values = randomMatrix(1, count, 10 + index);
    expected = reference.runningAverage(values, expected, 1 - 0.9);
    gpu.run([runningAverage(unpadded(gpu, values), average.tensor, 1 - 0.9, at(index))]);
    expect(await average.read()).toBeWithin(expected, `after step ${index}`);
  }
});

test('by shares it is the weighted mean; losses count with the mean over the rows', async () => {
  const gpu = await sharedGpu();
  const [count, rows] = [7, 3];
  for (const losses of [false, true]) {
    const average = new Guarded(gpu, [1, count], new Float32Array(count).fill(Number.NaN));
    let expected: Bounded | undefined;
    for (const [index, share] of [1, 0.5, 0.25].entries()) {
      const values = randomMatrix(1, count, 20 + index);
      expected = reference.runningAverage(values, expected, share, losses ? rows : undefined);
      const factor = Tensor.from(gpu, [share, 0], [2]);
      gpu.run([
        runningAverage(unpadded(gpu, values), average.tensor, factor, at(4, rows), losses ? { rows: true } : {}),
      ]);
      expect(await average.read()).toBeWithin(expected, `share ${share}`);
    }
  }
});

test('as many averages as values', async () => {
  const gpu = await sharedGpu();
  const values = unpadded(gpu, exact([1, 3], [1, 2, 3]));
  expect(() => runningAverage(values, Tensor.empty(gpu, [4]), 0.1, at(0))).toThrow(
    'runningAverage: there are 3 values and 4 averages; there must be 3.',
  );
});
