import { expect, test } from 'vitest';
import {
  type Dispatch,
  type Gpu,
  layerNormParameters,
  layerNormRows,
  layerNormRowsBackward,
  Tensor,
} from '../../src/kernels.js';
import { exact } from '../reference/bounded.js';
import * as reference from '../reference/layer-norm.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';

const epsilon = 1e-5;
/** Runs a call with one of its programs: what a GPU takes, or what a CPU adapter does. */
function runVariant(gpu: Gpu, call: Dispatch, number: number): void {
  gpu.run([{ ...call, programs: call.programs.slice(number, number + 1) }]);
}

const shapes = [
  { rows: 1, columns: 1, because: 'the smallest' },
  { rows: 64, columns: 2, because: 'one workgroup' },
  { rows: 65, columns: 17, because: 'one past a workgroup' },
  { rows: 7, columns: 130, because: 'more columns than slices' },
  { rows: 1031, columns: 3, because: 'so many rows that the sums of parameters are compensated' },
  { rows: 2, columns: 1500, because: 'so many columns that sums are compensated' },
];

test.for(shapes.flatMap((shape) => [true, false].map((affine) => ({ ...shape, affine }))))(
  'layer-norm and its gradients on ($rows, $columns), affine $affine: $because',
  async ({ rows, columns, affine }) => {
    const gpu = await sharedGpu();
    const noise = randomMatrix(rows, columns, 1);
    const X = exact(
      [rows, columns],
      noise.values.map((x, i) => x + 10 * (Math.floor(i / columns) % 70)),
    );
    const dY = randomMatrix(rows, columns, 4);
    const parameters = affine ? randomMatrix(2, columns, 2) : undefined;
    const kept = randomMatrix(rows, columns, 5);
    const forward = reference.layerNorm(X, { epsilon, parameters });
    const statistics = exact([2, rows], forward.statistics.values);
    const activationGradient = affine ? { activationGradient: { at: kept, activation: 'tanh' as const } } : {};
    const backward = reference.layerNormBackward(X, dY, statistics, { parameters, ...activationGradient });
    const [x, dy, s] = [upload(gpu, X), upload(gpu, dY), upload(gpu, statistics)];
    const p = parameters && upload(gpu, parameters);
    const g = affine ? { activation: 'tanh' as const, at: upload(gpu, kept) } : undefined;
    for (const number of [0, 1]) {
      const [Y, found] = [new Guarded(gpu, X.shape), new Guarded(gpu, [2, rows])];
      runVariant(gpu, layerNormRows(x, Y.tensor, found.tensor, { epsilon, parameters: p }), number);
      expect(await Y.read()).toBeWithin(forward.Y, 'Y');
      expect(await found.read()).toBeWithin(forward.statistics, 'statistics');
      const [dX, gradients] = [new Guarded(gpu, X.shape), new Guarded(gpu, [2, columns])];
      runVariant(gpu, layerNormRowsBackward(x, dy, dX.tensor, s, { parameters: p, activationGradient: g }), number);
      runVariant(gpu, layerNormParameters(x, dy, gradients.tensor, s), number);
      expect(await dX.read()).toBeWithin(backward.dX, 'dX');
      expect(await gradients.read()).toBeWithin(backward.gradients, 'gradients');
    }
  },
);

test('a variance that E[x²] − E[x]² would lose', async () => {
  const gpu = await sharedGpu();
  const Y = Tensor.empty(gpu, [1, 4]);
  const X = Tensor.from(gpu, [4096, 4097, 4098, 4099], [1, 4]);
  gpu.run([layerNormRows(X, Y, Tensor.empty(gpu, [2, 1]), { epsilon })]);
  // v = 1.25
  expect([...(await Y.read())].map((y) => Math.round(1000 * y))).toEqual([-1342, -447, 447, 1342]);
});

test('shapes that do not fit are refused', async () => {
  const gpu = await sharedGpu();
  const [X, other] = [Tensor.empty(gpu, [2, 3]), Tensor.empty(gpu, [2, 4])];
  const statistics = Tensor.empty(gpu, [2, 2]);
  expect(() => layerNormRows(X, other, statistics, { epsilon })).toThrow(
    'layerNormRows: X is (2, 3) and Y is (2, 4); Y must be (2, 3).',
  );
  expect(() => layerNormRows(X, Tensor.empty(gpu, [2, 3]), other, { epsilon })).toThrow('statistics must be (2, 2)');
  expect(() => layerNormRowsBackward(X, X, other, statistics)).toThrow('dX must be (2, 3)');
  expect(() => layerNormParameters(X, X, other, statistics)).toThrow('gradients must be (2, 3)');
});

test('a large value before 50,000 small ones: none of their squares is lost', async () => {
  const gpu = await sharedGpu();
  const columns = 50_000;
  // Each of the small ones adds less than half of an ulp to the square of the first: a plain sum stays at that square.
  const X = exact(
    [1, columns],
    Float32Array.from({ length: columns }, (_, c) => (c === 0 ? 1 : c % 2 === 0 ? 1e-4 : -1e-4)),
  );
  const expected = reference.layerNorm(X, { epsilon: 1e-12 });
  for (const number of [0, 1]) {
    const [Y, statistics] = [new Guarded(gpu, X.shape), new Guarded(gpu, [2, 1])];
    runVariant(gpu, layerNormRows(upload(gpu, X), Y.tensor, statistics.tensor, { epsilon: 1e-12 }), number);
    const [, scale = NaN] = await statistics.read();
    expect([scale]).toBeWithin({
      shape: [1, 1],
      values: expected.statistics.values.slice(1),
      bound: expected.statistics.bound.slice(1),
    });
    expect(await Y.read()).toBeWithin(expected.Y, 'Y');
  }
});
