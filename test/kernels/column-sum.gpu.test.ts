import { expect, test } from 'vitest';
import { columnSum, Tensor } from '../../src/kernels.js';
import { exact } from '../reference/bounded.js';
import * as reference from '../reference/column-sum.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';

test.for([
  { rows: 1, columns: 1, because: 'the smallest' },
  { rows: 128, columns: 64, because: 'one workgroup' },
  { rows: 3, columns: 65, because: 'one past a workgroup' },
  { rows: 1031, columns: 7, because: 'primes' },
])('column-sum of ($rows, $columns): $because', async ({ rows, columns }) => {
  const gpu = await sharedGpu();
  const X = randomMatrix(rows, columns, 1);
  const sums = new Guarded(gpu, [1, columns]);
  gpu.run([columnSum(upload(gpu, X), sums.tensor)]);
  expect(await sums.read()).toBeWithin(reference.columnSum(X));
});

test('60,000 shares of 1 add up to 1', async () => {
  const gpu = await sharedGpu();
  const rows = 60_000;
  const X = exact([rows, 2], new Float32Array(2 * rows).fill(1 / rows));
  const sums = new Guarded(gpu, [1, 2]);
  gpu.run([columnSum(upload(gpu, X), sums.tensor)]);
  expect(await sums.read()).toBeWithin(reference.columnSum(X));
});

test('sums may begin anywhere', async () => {
  const gpu = await sharedGpu();
  const X = randomMatrix(9, 5, 1);
  const place = new Guarded(gpu, [1, 103]);
  gpu.run([columnSum(upload(gpu, X), place.tensor.view(97, [5]))]);
  const all = await place.read();
  expect(all.slice(97, 102)).toBeWithin(reference.columnSum(X));
  expect([...all.slice(0, 97), ...all.slice(102)].every(Number.isNaN)).toBe(true);
});

test('sums of another length are refused', async () => {
  const gpu = await sharedGpu();
  expect(() => columnSum(Tensor.empty(gpu, [4, 3]), Tensor.empty(gpu, [4]))).toThrow(
    'X is (4, 3) and sums has 4 elements',
  );
});
