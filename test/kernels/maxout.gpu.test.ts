import { expect, test } from 'vitest';
import { maxout, maxoutBackward } from '../../src/kernels.js';
import { exact } from '../reference/bounded.js';
import * as reference from '../reference/maxout.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';

test.for([
  { rows: 1, units: 1, pieces: 1, because: 'the smallest: it passes on what it gets' },
  { rows: 4, units: 16, pieces: 2, because: 'one workgroup' },
  { rows: 5, units: 13, pieces: 3, because: 'one past a workgroup' },
  { rows: 257, units: 31, pieces: 5, because: 'many workgroups' },
])('maxout of ($rows, $units) with $pieces pieces: $because', async ({ rows, units, pieces }) => {
  const gpu = await sharedGpu();
  const Z = randomMatrix(rows, units * pieces, 1);
  const dY = randomMatrix(rows, units, 2);
  const z = upload(gpu, Z);
  const [Y, dZ] = [new Guarded(gpu, [rows, units]), new Guarded(gpu, [rows, units * pieces])];
  gpu.run([maxout(z, Y.tensor), maxoutBackward(upload(gpu, dY), z, dZ.tensor)]);
  expect(await Y.read()).toBeWithin(reference.maxout(Z, pieces));
  expect(await dZ.read()).toBeWithin(reference.maxoutBackward(dY, Z, pieces));
});

test('the first of equals wins, and ±1e30 are numbers like others', async () => {
  const gpu = await sharedGpu();
  const Z = exact([2, 6], [2, 2, 1, -1e30, -1e4, -1e4, 1, 1e30, 1e30, 0, -0, 0]);
  const dY = exact([2, 2], [5, 6, 7, 8]);
  const z = upload(gpu, Z);
  const [Y, dZ] = [new Guarded(gpu, [2, 2]), new Guarded(gpu, [2, 6])];
  gpu.run([maxout(z, Y.tensor), maxoutBackward(upload(gpu, dY), z, dZ.tensor)]);
  expect([...(await Y.read())]).toEqual([2, -1e4, 1e30, 0].map(Math.fround));
  expect([...(await dZ.read())]).toEqual([5, 0, 0, 0, 6, 0, 0, 7, 0, 8, 0, 0]);
});

test('shapes that do not fit are refused', async () => {
  const gpu = await sharedGpu();
  const [Z, Y] = [upload(gpu, randomMatrix(2, 6, 1)), upload(gpu, randomMatrix(2, 3, 1))];
  expect(() => maxout(Z, upload(gpu, randomMatrix(2, 4, 1)))).toThrow(
    'Z is (2, 6), Y (2, 4); Z must be (rows, units·pieces)',
  );
  expect(() => maxout(Z, upload(gpu, randomMatrix(1, 3, 1)))).toThrow('Y (1, 3)');
  expect(() => maxoutBackward(Y, Z, upload(gpu, randomMatrix(2, 3, 1)))).toThrow('dY (2, 3) and dZ (2, 3)');
});
