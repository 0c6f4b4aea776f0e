import { expect, test } from 'vitest';
import { columnExtremes, Tensor } from '../../src/kernels.js';
import * as reference from '../reference/extremes.js';
import { randomMatrix, sharedGpu, upload } from '../support/gpu.js';

/** The largest float32. */
const HUGE = 3.4028234663852886e38;

test.for([
  { rows: 1, columns: 1, valid: 1, because: 'the smallest' },
  { rows: 5, columns: 65, valid: 5, because: 'one past a workgroup' },
  { rows: 131, columns: 7, valid: 100, because: 'primes, and a partial batch' },
])('extremes of ($rows, $columns), $valid valid: $because', async ({ rows, columns, valid }) => {
  const gpu = await sharedGpu();
  const X = randomMatrix(rows, columns, 1);
  const start = Float32Array.from({ length: 2 * columns }, (_, i) => (i < columns ? HUGE : -HUGE));
  const extremes = Tensor.from(gpu, start, [2, columns]);
  const step = { first: 0, rows: valid, index: 0, learning_rate: 0 };
  gpu.run([columnExtremes(upload(gpu, X), extremes, step)]);
  const expected = reference.columnExtremes(X, valid);
  expect(await extremes.read()).toBeWithin(expected);

  // Without a step every row counts; what was found before is kept.
  const further = randomMatrix(rows, columns, 2, 2);
  gpu.run([columnExtremes(upload(gpu, further), extremes)]);
  const both = reference.columnExtremes(further);
  for (let c = 0; c < 2 * columns; c++) {
    const [before = 0, now = 0] = [expected.values[c], both.values[c]];
    both.values[c] = c < columns ? Math.min(before, now) : Math.max(before, now);
  }
  expect(await extremes.read()).toBeWithin(both);
});

test('a NaN is left out', async () => {
  const gpu = await sharedGpu();
  const extremes = Tensor.from(gpu, [HUGE, -HUGE], [2, 1]);
  gpu.run([columnExtremes(Tensor.from(gpu, [2, Number.NaN, 1], [3, 1]), extremes)]);
  expect([...(await extremes.read())]).toEqual([1, 2]);
});

test('shapes that do not fit are refused', async () => {
  const gpu = await sharedGpu();
  expect(() => columnExtremes(Tensor.empty(gpu, [4, 3]), Tensor.empty(gpu, [2, 4]))).toThrow('(2, columns)');
});
