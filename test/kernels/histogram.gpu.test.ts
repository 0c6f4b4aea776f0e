import { expect, test } from 'vitest';
import { histogram, Tensor } from '../../src/kernels.js';
import * as reference from '../reference/histogram.js';
import { randomMatrix, sharedGpu, upload } from '../support/gpu.js';

test.for([
  { rows: 1, columns: 1, valid: 1, bins: 1, range: [-1, 1], because: 'the smallest' },
  { rows: 33, columns: 31, valid: 20, bins: 10, range: [-1, 1], because: 'a partial batch' },
  { rows: 64, columns: 16, valid: 64, bins: 7, range: [-0.25, 0.5], because: 'values outside of the range' },
] as const)('histogram of ($rows, $columns), $valid valid, in $bins: $because', async (shape) => {
  const { rows, columns, valid, bins, range } = shape;
  const gpu = await sharedGpu();
  const X = randomMatrix(rows, columns, 3);
  const counts = Tensor.empty(gpu, [bins], 'counts', 'u32');
  const step = { first: 0, rows: valid, index: 0, learning_rate: 0 };
  gpu.run([histogram(upload(gpu, X), counts, range, step)]);
  const found = [...(await counts.read())];
  const { least, most } = reference.histogram(X.values.subarray(0, valid * columns), bins, range[0], range[1]);
  expect(found.reduce((sum, count) => sum + count, 0)).toBe(valid * columns);
  for (const [bin, count] of found.entries()) {
    expect(count, `bin ${bin}`).toBeGreaterThanOrEqual(least[bin] ?? 0);
    expect(count, `bin ${bin}`).toBeLessThanOrEqual(most[bin] ?? 0);
  }
});

test('counts are added to, and what is not finite is left out', async () => {
  const gpu = await sharedGpu();
  const counts = Tensor.empty(gpu, [2], 'counts', 'u32');
  const X = Tensor.from(gpu, [0.1, 0.9, Number.NaN, Infinity, 0.2], [5, 1]);
  const call = histogram(X, counts, [0, 1]);
  gpu.run([call, call]);
  expect([...(await counts.read())]).toEqual([4, 2]);
});

test('a range that is none is refused', async () => {
  const gpu = await sharedGpu();
  const counts = Tensor.empty(gpu, [2], 'counts', 'u32');
  const X = Tensor.empty(gpu, [2, 2]);
  expect(() => histogram(X, counts, [1, 1])).toThrow('the first smaller');
  expect(() => histogram(X, counts, [Number.NaN, 1])).toThrow('the first smaller');
});
