import { expect, test } from 'vitest';
import { counting } from '../../src/base/random.js';
import { statistics } from '../../src/data/statistics.js';
import { slicesOf } from '../../src/kernels/column-statistics.js';
import { columnStatistics, Tensor } from '../../src/kernels.js';
import { type Bounded, exact } from '../reference/bounded.js';
import * as reference from '../reference/column-statistics.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';

/** What the kernel and the host make of some rows. */
async function measuredOn(data: Tensor | Tensor<'u8'>, rows: Uint32Array<ArrayBuffer>) {
  const { mean, std } = await statistics(await sharedGpu(), [{ data, rows }], 'feature');
  return { mean: [mean].flat(), std: [std].flat() };
}

/** What they make of a matrix. */
async function measured(X: Bounded) {
  return await measuredOn(upload(await sharedGpu(), X), counting(X.shape[0]));
}

test.for([
  { rows: 2, columns: 1, because: 'the smallest that varies' },
  { rows: 16, columns: 64, because: 'one run, one slice, one workgroup' },
  { rows: 17, columns: 65, because: 'one past each' },
  { rows: 1031, columns: 7, because: 'primes, slices of 16 rows and one of 7' },
  { rows: 300, columns: 4099, because: 'slices of several runs' },
])('column-statistics of ($rows, $columns): $because', async ({ rows, columns }) => {
  const X = randomMatrix(rows, columns, 1, 5);
  const { mean, std } = await measured(X);
  const expected = reference.columnStatistics(X, slicesOf(rows, columns).sliceRows);
  expect(mean).toBeWithin(expected.mean);
  expect(std).toBeWithin(expected.std);
});

test.for(['u8', 'f32'] as const)('some rows of %s, in any order, and nothing beside the result', async (dtype) => {
  const gpu = await sharedGpu();
  // 5 bytes in a row: no whole number of words.
  const values = Uint8Array.from({ length: 500 }, (_, i) => (i * i * 37) % 256);
  const rows = Uint32Array.from({ length: 41 }, (_, i) => (i * 7) % 100);
  const data = Tensor.empty(gpu, [100, 5], 'data', dtype) as Tensor<'u8'> | Tensor;
  gpu.write(data.buffer, 0, dtype === 'u8' ? values : Float32Array.from(values));
  const order = Tensor.empty(gpu, [41], 'order', 'u32');
  order.write(rows);
  const partials = new Guarded(gpu, [3, 3, 5]);
  gpu.run([columnStatistics(data, order, partials.tensor)]);
  expect((await partials.read()).every(Number.isFinite)).toBe(true);
  const { mean, std } = await measuredOn(data, rows);
  const chosen = exact(
    [41, 5],
    [...rows].flatMap((row) => [...values.subarray(5 * row, 5 * row + 5)]),
  );
  const expected = reference.columnStatistics(chosen, slicesOf(41, 5).sliceRows);
  expect(mean).toBeWithin(expected.mean);
  expect(std).toBeWithin(expected.std);
});

test('60,000 rows far from zero, to a millionth of the deviation', async () => {
  const X = randomMatrix(60_000, 8, 2);
  const far = exact(
    X.shape,
    X.values.map((value) => 10_000 + value),
  );
  const { mean, std } = await measured(far);
  const expected = reference.columnStatistics(far, 1);
  for (const [c, deviation] of std.entries()) {
    const wanted = expected.std.values[c] ?? Number.NaN;
    expect(Math.abs(deviation / wanted - 1)).toBeLessThan(1e-6);
    expect(Math.abs((mean[c] ?? Number.NaN) - (expected.mean.values[c] ?? 0)) / wanted).toBeLessThan(1e-6);
  }
  expect(await measured(far)).toEqual({ mean, std });
});

test('partials of another shape are refused', async () => {
  const gpu = await sharedGpu();
  const order = Tensor.empty(gpu, [4], 'order', 'u32');
  expect(() => columnStatistics(Tensor.empty(gpu, [4, 3]), order, Tensor.empty(gpu, [3, 3]))).toThrow(
    'columnStatistics: partials is (3, 3), but must be (3, 1, 3).',
  );
});
