import { expect, test } from 'vitest';
import { Tensor, transpose } from '../../src/kernels.js';
import * as reference from '../reference/transpose.js';
import { Guarded, randomMatrix, sharedGpu, unpadded, upload } from '../support/gpu.js';

test.for([
  { rows: 1, columns: 1, because: 'the smallest' },
  { rows: 32, columns: 32, because: 'one tile' },
  { rows: 31, columns: 33, because: 'one short of a tile, and one past' },
  { rows: 33, columns: 31, because: 'one past a tile, and one short' },
  { rows: 1, columns: 70, because: 'a row' },
  { rows: 70, columns: 1, because: 'a column' },
  { rows: 131, columns: 257, because: 'primes' },
])('transpose of ($rows, $columns): $because', async ({ rows, columns }) => {
  const gpu = await sharedGpu();
  const A = randomMatrix(rows, columns, 1);
  const B = new Guarded(gpu, [columns, rows]);
  gpu.run([transpose(unpadded(gpu, A), B.tensor)]);
  expect(await B.read()).toEqual(Float32Array.from(reference.transpose(A).values));
});

test('a grid of more workgroups than a dimension may have goes on in y', async () => {
  const gpu = await sharedGpu();
  const length = 32 * 65_535 + 1;
  using A = Tensor.empty(gpu, [1, length]);
  using B = Tensor.empty(gpu, [length, 1]);
  expect(transpose(A, B).programs[0]?.workgroups).toEqual([32_768, 2, 1]);
});

test('tiles are numbered along x, then y; those beyond the matrix write nothing', async () => {
  const gpu = await sharedGpu();
  const A = randomMatrix(70, 40, 1);
  const B = new Guarded(gpu, [40, 70]);
  const call = transpose(upload(gpu, A), B.tensor);
  const programs = call.programs.map((program) => ({ ...program, workgroups: [4, 2, 1] as const }));
  gpu.run([{ ...call, programs }]);
  expect(await B.read()).toEqual(Float32Array.from(reference.transpose(A).values));
});

test('shapes that do not fit, and one buffer for both, are refused', async () => {
  const gpu = await sharedGpu();
  const A = Tensor.empty(gpu, [4, 3], 'A');
  for (const shape of [[4, 3], [3, 5], [12], [3, 4, 1]]) {
    expect(() => transpose(A, Tensor.empty(gpu, shape))).toThrow(
      `transpose: A is (4, 3) and B is (${shape.join(', ')}); they are (M, N) and (N, M).`,
    );
  }
  expect(() => transpose(Tensor.empty(gpu, [12]), Tensor.empty(gpu, [1, 12]))).toThrow('A is (12) and B is (1, 12)');
  expect(() => transpose(A, A.view(0, [3, 4], 'B'))).toThrow('B ("B") is written, but A ("A") is in the same buffer');
});
