import { expect, test } from 'vitest';
import {
  type BatchNormOptions,
  batchNormRows,
  batchNormRowsBackward,
  batchNormRunningBackward,
  type Dispatch,
  Tensor,
} from '../../src/kernels.js';
import * as reference from '../reference/batch-norm.js';
import { type Bounded, exact } from '../reference/bounded.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';

const epsilon = 1e-5;
const at = (rows: number) => ({ first: 0, rows, index: 0, learning_rate: 0 });
/** The call with each of its programs: what a CPU adapter takes, and what a GPU does. */
const variants = (call: Dispatch): Dispatch[] => call.programs.map((program) => ({ ...call, programs: [program] }));

const shapes = [
  { rows: 1, valid: 1, columns: 1, because: 'the smallest' },
  { rows: 4, valid: 1, columns: 3, because: 'a single valid row' },
  { rows: 2, valid: 2, columns: 64, because: 'two rows' },
  { rows: 17, valid: 13, columns: 65, because: 'one past a workgroup, surplus rows' },
  { rows: 130, valid: 130, columns: 7, because: 'more rows than slices' },
  { rows: 1500, valid: 1400, columns: 2, because: 'so many rows that sums are compensated' },
];

/** A matrix whose columns have means far from 0, and NaN in the rows that do not count. */
function columnsApart(rows: number, columns: number, valid: number): Bounded {
  const X = randomMatrix(rows, columns, 1);
  return exact(
    [rows, columns],
    X.values.map((x, i) => (i >= valid * columns ? Number.NaN : x + 10 * ((i % columns) - 1))),
  );
}

/** Rows r < valid. */
const validRows = ({ shape: [, columns], values, bound }: Bounded, valid: number): Bounded => ({
  shape: [valid, columns],
  values: values.slice(0, valid * columns),
  bound: bound.slice(0, valid * columns),
});

test.for(shapes.flatMap((shape) => [true, false].map((affine) => ({ ...shape, affine }))))(
  'batch-norm of ($rows, $columns), $valid valid, affine $affine: $because',
  async ({ rows, valid, columns, affine }) => {
    const gpu = await sharedGpu();
    const X = columnsApart(rows, columns, valid);
    const parameters = affine ? randomMatrix(2, columns, 2) : undefined;
    const before = exact([2, columns], randomMatrix(2, columns, 3).values.map(Math.abs));
    const expected = reference.batchNorm(X, { epsilon, rows: valid, parameters });
    const running = valid === 1 ? before : reference.updateRunning(before, expected.unbiased, 0.3);
    const count = variants(
      batchNormRows(upload(gpu, X), Tensor.empty(gpu, X.shape), Tensor.empty(gpu, [2, columns]), { epsilon }, at(1)),
    );
    for (const number of count.keys()) {
      const Y = new Guarded(gpu, X.shape);
      const statistics = new Guarded(gpu, [2, columns]);
      const kept = new Guarded(gpu, [2, columns], before.values);
      const options: BatchNormOptions = {
        epsilon,
        parameters: parameters && upload(gpu, parameters),
        running: kept.tensor,
        momentum: 0.3,
      };
      const call = variants(batchNormRows(upload(gpu, X), Y.tensor, statistics.tensor, options, at(valid)))[number];
      gpu.run(call === undefined ? [] : [call]);
      expect((await Y.read()).subarray(0, valid * columns)).toBeWithin(validRows(expected.Y, valid), 'Y');
      expect(await statistics.read()).toBeWithin(expected.statistics, 'statistics');
      expect(await kept.read()).toBeWithin(running, 'running');
      if (valid === 1) expect(await kept.read()).toEqual(Float32Array.from(before.values));
    }
  },
);

test('without momentum nothing is kept; running statistics normalise every row', async () => {
  const gpu = await sharedGpu();
  const X = randomMatrix(5, 67, 1, 3);
  const parameters = randomMatrix(2, 67, 2);
  const running = exact([2, 67], randomMatrix(2, 67, 3).values.map(Math.abs));
  const options = { epsilon, parameters: upload(gpu, parameters), running: upload(gpu, running) };
  for (const number of [0, 1]) {
    const Y = new Guarded(gpu, X.shape);
    const call = variants(batchNormRows(upload(gpu, X), Y.tensor, undefined, options, at(2)))[number];
    gpu.run(call === undefined ? [] : [call]);
    expect(await Y.read()).toBeWithin(reference.batchNormRunning(X, running, { epsilon, parameters }));
  }
  gpu.run([batchNormRows(upload(gpu, X), Tensor.empty(gpu, [5, 67]), Tensor.empty(gpu, [2, 67]), options, at(5))]);
  expect(await options.running.read()).toEqual(Float32Array.from(running.values));
});

test('a variance that E[x²] − E[x]² would lose', async () => {
  const gpu = await sharedGpu();
  const Y = Tensor.empty(gpu, [4, 1]);
  const statistics = Tensor.empty(gpu, [2, 1]);
  gpu.run([batchNormRows(Tensor.from(gpu, [4096, 4097, 4098, 4099], [4, 1]), Y, statistics, { epsilon }, at(4))]);
  // v = 1.25
  expect([...(await Y.read())].map((y) => Math.round(1000 * y))).toEqual([-1342, -447, 447, 1342]);
});

test.for(shapes.flatMap((shape) => [true, false].map((affine) => ({ ...shape, affine }))))(
  'its gradients on ($rows, $columns), $valid valid, affine $affine: $because',
  async ({ rows, valid, columns, affine }) => {
    const gpu = await sharedGpu();
    const X = columnsApart(rows, columns, valid);
    const dY = randomMatrix(rows, columns, 4);
    const parameters = affine ? randomMatrix(2, columns, 2) : undefined;
    const kept = randomMatrix(rows, columns, 5);
    const { statistics: found } = reference.batchNorm(X, { epsilon, rows: valid });
    const statistics = exact([2, columns], found.values);
    for (const activationGradient of affine ? [{ at: kept, activation: 'tanh' as const }] : [undefined]) {
      const expected = reference.batchNormBackward(X, dY, statistics, {
        rows: valid,
        parameters,
        ...(activationGradient === undefined ? {} : { activationGradient }),
      });
      for (const number of [0, 1]) {
        const dX = new Guarded(gpu, X.shape);
        const gradients = new Guarded(gpu, [2, columns]);
        const options = {
          parameters: parameters && upload(gpu, parameters),
          gradients: affine ? gradients.tensor : undefined,
          activationGradient: activationGradient && {
            activation: activationGradient.activation,
            at: upload(gpu, activationGradient.at),
          },
        };
        const [x, dy, s] = [upload(gpu, X), upload(gpu, dY), upload(gpu, statistics)];
        const call = variants(batchNormRowsBackward(x, dy, dX.tensor, s, options, at(valid)))[number];
        gpu.run(call === undefined ? [] : [call]);
        expect(await dX.read()).toBeWithin(expected.dX, 'dX');
        if (affine) expect(await gradients.read()).toBeWithin(expected.gradients, 'gradients');
      }
    }
  },
);

test.for([false, true])(
  'by running statistics, the gradient of X is dY times a constant; affine %s',
  async (affine) => {
    const gpu = await sharedGpu();
    const dY = randomMatrix(5, 67, 1);
    const parameters = affine ? randomMatrix(2, 67, 2) : undefined;
    const running = exact([2, 67], randomMatrix(2, 67, 3).values.map(Math.abs));
    const below = affine ? { at: randomMatrix(5, 67, 5), activation: 'tanh' as const } : undefined;
    const expected = reference.batchNormRunningBackward(dY, running, { epsilon, rows: 4, parameters }, below);
    for (const number of [0, 1]) {
      const dX = new Guarded(gpu, dY.shape);
      const options = {
        epsilon,
        parameters: parameters && upload(gpu, parameters),
        activationGradient: below && { ...below, at: upload(gpu, below.at) },
      };
      const [dy, statistics] = [upload(gpu, dY), upload(gpu, running)];
      const call = variants(batchNormRunningBackward(dy, dX.tensor, statistics, options, at(4)))[number];
      gpu.run(call === undefined ? [] : [call]);
      expect(await dX.read()).toBeWithin(expected, 'dX');
    }
  },
);

test('shapes that do not fit are refused', async () => {
  const gpu = await sharedGpu();
  const [X, Y] = [Tensor.empty(gpu, [2, 3]), Tensor.empty(gpu, [2, 4])];
  const statistics = Tensor.empty(gpu, [2, 3]);
  expect(() => batchNormRows(X, Y, statistics, { epsilon }, at(2))).toThrow(
    'batchNormRows: X is (2, 3) and Y is (2, 4); Y must be (2, 3).',
  );
  expect(() => batchNormRows(X, Tensor.empty(gpu, [2, 3]), Y, { epsilon }, at(2))).toThrow(
    'X is (2, 3) and statistics is (2, 4); statistics must be (2, 3).',
  );
  expect(() => batchNormRowsBackward(X, Y, X, statistics, {}, at(2))).toThrow('dY must be (2, 3)');
  expect(() => batchNormRunningBackward(X, Y, statistics, { epsilon }, at(2))).toThrow('dX must be (2, 3)');
});
