import { expect, test } from 'vitest';
import {
  type LearnedActivation,
  learnedActivation,
  learnedActivationBackward,
  type Tensor,
} from '../../src/kernels.js';
import { type Bounded, exact } from '../reference/bounded.js';
import * as reference from '../reference/learned-activation.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';

const kinds: readonly LearnedActivation[] = ['prelu', 'swish'];

/** Runs both directions; p and dp begin anywhere in their buffers, as they do in a layer's block. */
async function run(
  kind: LearnedActivation,
  Z: Bounded,
  p: Bounded,
  dY: Bounded,
): Promise<Record<'Y' | 'dZ' | 'dp', Float32Array>> {
  const gpu = await sharedGpu();
  const [rows, columns] = Z.shape;
  const room = upload(gpu, exact([1, 67 + p.values.length], [...new Array<number>(67).fill(NaN), ...p.values]));
  const own = room.view(67, [p.values.length]);
  const [z, Y, dZ] = [upload(gpu, Z), new Guarded(gpu, [rows, columns]), new Guarded(gpu, [rows, columns])];
  const dp = new Guarded(gpu, [1, 91 + columns]);
  gpu.run([
    learnedActivation(z, own, Y.tensor, kind),
    learnedActivationBackward(upload(gpu, dY), z, own, { dZ: dZ.tensor, dp: dp.tensor.view(91, [columns]) }, kind),
  ]);
  return { Y: await Y.read(), dZ: await dZ.read(), dp: (await dp.read()).slice(91) };
}

/** Column sums, also where p is one for all: `recordLearned` adds them up. */
const byColumn = (kind: LearnedActivation, Z: Bounded, p: Bounded, dY: Bounded): Bounded => {
  const each = exact(
    [1, Z.shape[1]],
    Array.from({ length: Z.shape[1] }, (_, i) => p.values[i % p.values.length] ?? 0),
  );
  return reference.learnedActivationBackward(dY, Z, each, kind).dp;
};

const shapes = [
  { rows: 1, columns: 1, because: 'the smallest' },
  { rows: 3, columns: 64, because: 'one workgroup of columns' },
  { rows: 7, columns: 65, because: 'one past' },
  { rows: 257, columns: 31, because: 'many rows, primes' },
];
const cases = kinds.flatMap((kind) =>
  shapes.flatMap((shape) => [true, false].map((shared) => ({ kind, shared, ...shape }))),
);
test.for(cases)('$kind on ($rows, $columns), shared $shared: $because', async ({ kind, shared, rows, columns }) => {
  const Z = randomMatrix(rows, columns, 1, 3);
  const p = randomMatrix(1, shared ? 1 : columns, 2);
  const dY = randomMatrix(rows, columns, 3);
  const { Y, dZ, dp } = await run(kind, Z, p, dY);
  expect(Y).toBeWithin(reference.learnedActivation(Z, p, kind));
  expect(dZ).toBeWithin(reference.learnedActivationBackward(dY, Z, p, kind).dZ, 'dZ');
  expect(dp).toBeWithin(byColumn(kind, Z, p, dY), 'dp');
});

test.for(kinds)('%s and its derivatives stay finite up to ±1e30', async (kind) => {
  const far = [0, 1e-30, 87, 89, 1e4, 1e30].flatMap((z) => [z, -z]);
  const Z = exact([1, far.length], far);
  const ones = exact([1, far.length], new Float32Array(far.length).fill(1));
  const p = exact([1, 1], [kind === 'prelu' ? 0.25 : 1]);
  const { Y, dZ, dp } = await run(kind, Z, p, ones);
  for (const values of [Y, dZ, dp]) expect([...values].every(Number.isFinite)).toBe(true);
  expect(Y).toBeWithin(reference.learnedActivation(Z, p, kind));
  expect(dZ).toBeWithin(reference.learnedActivationBackward(ones, Z, p, kind).dZ);
  expect(dp).toBeWithin(byColumn(kind, Z, p, ones));
});

test('the check values of the vocabulary', async () => {
  const z = exact([1, 5], [1, 5, -4, 3, -2]);
  const round = (values: Float32Array): number[] => [...values].map((value) => Math.round(value * 1000) / 1000 + 0);
  expect(round((await run('prelu', z, exact([1, 1], [0.1]), z)).Y)).toEqual([1, 5, -0.4, 3, -0.2]);
  expect(round((await run('swish', z, exact([1, 1], [1]), z)).Y)).toEqual([0.731, 4.967, -0.072, 2.858, -0.238]);
});

test('shapes that do not fit are refused', async () => {
  const gpu = await sharedGpu();
  const matrix = (rows: number, columns: number): Tensor => upload(gpu, randomMatrix(rows, columns, 1));
  const Z = matrix(2, 3);
  expect(() => learnedActivation(Z, matrix(1, 2), matrix(2, 3), 'prelu')).toThrow('Z is (2, 3), p (1, 2), Y (2, 3)');
  expect(() => learnedActivation(Z, matrix(1, 3), matrix(3, 3), 'prelu')).toThrow('Y (3, 3)');
  const results = { dZ: matrix(2, 3), dp: matrix(1, 1) };
  expect(() => learnedActivationBackward(matrix(2, 3), Z, matrix(1, 1), results, 'swish')).toThrow('dp (1, 1)');
});
