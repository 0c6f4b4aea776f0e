import { expect, test } from 'vitest';
import { activationTable } from '../../../src/kernels/activations.js';
import { type MatmulOptions, ShapeError, splitMatmul, Tensor } from '../../../src/kernels.js';
import { type Bounded, exact } from '../../reference/bounded.js';
import * as reference from '../../reference/matmul.js';
import { representativeActivations } from '../../support/activations.js';
import { gatheredBatch } from '../../support/gathered.js';
import { Guarded, randomMatrix, sharedGpu, unpadded, upload } from '../../support/gpu.js';

// Parts are one more order of the sum over k: the bound of a product, which holds for every order, is theirs too.

/** What computes the parts: K in slices of the workgroup too, or, where an adapter has too few invocations, not. */
const tiles = ['matmul-4x4-32x32-split', 'matmul-4x4-32x32'] as const;
type Tile = (typeof tiles)[number];

/** Both dispatches with one of the tiles: every element of C and of the partial sums written, and nothing else. */
async function inParts(
  count: number,
  A: Parameters<typeof splitMatmul>[0],
  B: Tensor,
  shape: readonly number[],
  options: MatmulOptions = {},
  tile: Tile = 'matmul-4x4-32x32-split',
): Promise<Float32Array<ArrayBuffer>> {
  const gpu = await sharedGpu();
  const C = new Guarded(gpu, shape);
  const partials = new Guarded(gpu, [count, ...shape.slice(-2)]);
  const [parts, sum] = splitMatmul(A, B, C.tensor, partials.tensor, options);
  const programs = parts.programs.filter(({ variant }) => variant === tile);
  expect(programs.length).toBe(1);
  gpu.run([{ ...parts, programs }, sum]);
  expect((await partials.read()).filter(Number.isNaN)).toEqual(new Float32Array());
  const values = await C.read();
  C.dispose();
  partials.dispose();
  return values;
}

interface Problem {
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

function operands({ M, N, K }: Problem, options: MatmulOptions, scale = 1): { A: Bounded; B: Bounded } {
  return {
    A: options.transposeA === true ? randomMatrix(K, M, 1, scale) : randomMatrix(M, K, 1, scale),
    B: options.transposeB === true ? randomMatrix(N, K, 2, scale) : randomMatrix(K, N, 2, scale),
  };
}

async function expectWithin(count: number, problem: Problem, options: MatmulOptions, tile?: Tile): Promise<void> {
  const gpu = await sharedGpu();
  const { A, B } = operands(problem, options);
  const [a, b] = [unpadded(gpu, A), unpadded(gpu, B)];
  const { transposeA, transposeB, onesRow } = options;
  const M = problem.M + (onesRow === true ? 1 : 0);
  const actual = await inParts(count, a, b, [M, problem.N], options, tile);
  expect(actual).toBeWithin(reference.matmul(A, B, { transposeA, transposeB, onesRow }));
  for (const tensor of [a, b]) gpu.bufferOf(tensor).destroy();
}

const NN: MatmulOptions = {};
const layouts: readonly MatmulOptions[] = [NN, { transposeA: true }, { transposeB: true }];
const nameOf = ({ transposeA = false, transposeB = false }: MatmulOptions): string =>
  `${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'}`;

// Together they cross each edge of tiles of 32 × 32 and of steps of 32, with steps that divide evenly and that do not.
test.for(
  layouts.flatMap((layout) =>
    [
      { M: 1, N: 1, K: 1, count: 1, because: 'the smallest' },
      { M: 32, N: 32, K: 64, count: 2, because: 'one tile, a step for each part' },
      { M: 33, N: 31, K: 65, count: 2, because: 'one past, one short, one past two steps' },
      { M: 31, N: 33, K: 127, count: 3, because: 'one short, one past, one short of four steps' },
      { M: 36, N: 68, K: 96, count: 2, because: 'whole vec4s, no whole tiles; two steps and one' },
      { M: 67, N: 71, K: 131, count: 5, because: 'primes across tiles; as many parts as steps' },
      { M: 5, N: 263, K: 33, count: 2, because: 'more fours of columns than a workgroup adds' },
      { M: 32, N: 10, K: 784, count: 12, because: 'what a GPU would get as one workgroup' },
    ]
      // Each is one or two compilations of seconds. The layouts differ in how tiles are loaded alone.
      .filter(({ K }) => layout === NN || (layout.transposeA ? K === 65 : K === 131))
      .map((problem) => ({ ...problem, layout, as: nameOf(layout) })),
  ),
)('$as ($M, $N, $K) in $count parts: $because', async ({ count, layout, ...problem }) => {
  await expectWithin(count, problem, layout);
});
test('without slices of the workgroup', async () => {
  await expectWithin(3, { M: 33, N: 31, K: 127 }, { transposeA: true }, 'matmul-4x4-32x32');
});
test.for([
  { M: 31, N: 12, K: 130, transposeA: true },
  { M: 32, N: 33, K: 96, transposeA: true },
  { M: 3, N: 5, K: 77, transposeA: false },
])('with a row of ones: ($M + 1, $N, $K)', async ({ transposeA, ...problem }) => {
  await expectWithin(3, problem, { transposeA, onesRow: true });
});

// Bias, activation and pre-activation forward, and its derivative backward: once, and behind the sum.
test.for(
  representativeActivations.flatMap((activation) => [
    { activation, N: 20, because: 'stored as vec4s' },
    ...(activation === 'gelu' ? [{ activation, N: 21, because: 'stored as scalars' }] : []),
  ]),
)('bias and $activation, $because', async ({ activation, N }) => {
  const gpu = await sharedGpu();
  const M = 19;
  const { A, B } = operands({ M, N, K: 66 }, {}, 1.5);
  const [a, b] = [upload(gpu, A), upload(gpu, B)];
  const bias = randomMatrix(1, N, 5, 2);
  // Somewhere within a larger buffer, as the bias of a layer is.
  const parameters = Tensor.from(gpu, [...new Float32Array(37).fill(Number.NaN), ...bias.values], [37 + N]);
  const forward = { bias: parameters.view(37, [N]), activation, keepPreActivation: true };
  const both = await inParts(3, a, b, [2, M, N], forward);
  expect(both.slice(0, M * N)).toBeWithin(reference.matmul(A, B, { bias, activation }), activation);
  expect(both.slice(M * N)).toBeWithin(reference.matmul(A, B, { bias }), 'pre-activation');

  const { from } = activationTable[activation];
  const start = from === 'y' ? 0 : M * N;
  const kept = exact([M, N], both.slice(start, start + M * N));
  const at = Tensor.from(gpu, both, [2 * M * N]).view(start, [M, N]);
  const dZ = await inParts(3, a, b, [M, N], { activationGradient: { activation, at } });
  expect(dZ).toBeWithin(reference.matmul(A, B, { activation, kept }), `⊙ ${activation}′`);
});

const [batch, N] = [66, 13];
test('takes a batch of rows of bytes from a data set', async () => {
  const gpu = await sharedGpu();
  const columns = 68;
  const { A, X } = gatheredBatch(gpu, { dtype: 'u8', columns, batch, rows: 50 });
  const [W, bias] = [randomMatrix(columns, N, 2), randomMatrix(1, N, 3)];
  const forward = await inParts(2, A, upload(gpu, W), [batch, N], { bias: upload(gpu, bias) });
  expect(forward).toBeWithin(reference.matmul(X, W, { bias }), 'X·W + b');
});

test('takes a batch of rows of floats from a data set, transposed for dW', async () => {
  const gpu = await sharedGpu();
  const columns = 71;
  const { A, X } = gatheredBatch(gpu, { dtype: 'f32', columns, batch, rows: 50 });
  const dY = randomMatrix(batch, N, 4);
  const gradient = { transposeA: true, onesRow: true };
  const dW = await inParts(2, A, upload(gpu, dY), [columns + 1, N], gradient);
  expect(dW).toBeWithin(reference.matmul(X, dY, gradient), 'dW');
});

test('parts are added in their order', async () => {
  const gpu = await sharedGpu();
  // Four parts of a step each. In this order, and in no other, the first 1 is lost in 1e8 and the second is not.
  const parts = [1e8, 1, -1e8, 1];
  const [M, N, K] = [2, 5, 128];
  const A = new Float32Array(M * K);
  for (const [part, value] of parts.entries()) for (let m = 0; m < M; m++) A[m * K + 32 * part + 7 * m] = value;
  const B = new Float32Array(K * N).fill(1);
  const sums = await inParts(4, Tensor.from(gpu, A, [M, K]), Tensor.from(gpu, B, [K, N]), [M, N]);
  expect([...sums]).toEqual(new Array<number>(M * N).fill(1));
});

test('the same bits twice', async () => {
  const gpu = await sharedGpu();
  const [M, N] = [37, 71];
  const { A, B } = operands({ M, N, K: 301 }, {});
  const [a, b] = [upload(gpu, A), upload(gpu, B)];
  const [first, second] = [await inParts(4, a, b, [M, N]), await inParts(4, a, b, [M, N])];
  expect(new Uint8Array(first.buffer)).toEqual(new Uint8Array(second.buffer));
});

test('NaN and infinities stay in their rows', async () => {
  const gpu = await sharedGpu();
  const [M, N, K] = [33, 18, 70];
  const { A, B } = operands({ M, N, K }, {});
  const infected = async (is: (value: number) => boolean): Promise<number[]> => {
    const C = await gpuProduct();
    return [...new Set([...C.entries()].filter(([, value]) => is(value)).map(([index]) => Math.floor(index / N)))];
  };
  const gpuProduct = async (): Promise<Float32Array> => {
    const C = new Guarded(gpu, [M, N]);
    const partials = Tensor.empty(gpu, [3, M, N]);
    gpu.run(splitMatmul(upload(gpu, A), upload(gpu, B), C.tensor, partials));
    return await C.read();
  };
  const last = 5 * K + K - 1; // which what is beyond K must not repeat
  A.values[last] = Number.NaN;
  expect(await infected(Number.isNaN)).toEqual([5]);
  A.values[last] = Number.POSITIVE_INFINITY;
  expect(await infected((value) => Math.abs(value) === Infinity)).toEqual([5]);
  expect(await infected(Number.isNaN)).toEqual([]);
});

test('each half binds what it uses', async () => {
  const gpu = await sharedGpu();
  const tensor = (...shape: number[]): Tensor => Tensor.empty(gpu, shape);
  const [A, B, C, partials] = [tensor(8, 64), tensor(64, 6), tensor(8, 6), tensor(2, 8, 6)];
  const bound = (options: MatmulOptions): string[][] =>
    splitMatmul(A, B, C, partials, options).map(({ buffers }) =>
      Object.keys(buffers).filter((name) => buffers[name] !== undefined),
    );
  const parts = ['A', 'A4', 'B', 'C'];
  expect(bound({})).toEqual([parts, ['B', 'C']]);
  expect(bound({ bias: tensor(6) })).toEqual([parts, ['B', 'bias', 'C']]);
  expect(bound({ activationGradient: { activation: 'relu', at: tensor(8, 6) } })).toEqual([parts, ['B', 'kept', 'C']]);
});

test('what does not fit is refused, with the shapes and the remedy', async () => {
  const gpu = await sharedGpu();
  const tensor = (...shape: number[]): Tensor => Tensor.empty(gpu, shape);
  const [A, B, C] = [tensor(32, 128), tensor(128, 10), tensor(32, 10)];
  const split = (partials: Tensor) => () => splitMatmul(A, B, C, partials);
  expect(split(tensor(3, 10, 32))).toThrow(ShapeError);
  expect(split(tensor(3, 10, 32))).toThrow(
    'matmul NN 32×10×128: partials is (3, 10, 32), but must be (parts, 32, 10).',
  );
  expect(split(tensor(32, 10))).toThrow('partials is (32, 10), but');
  expect(split(tensor(5, 32, 10))).toThrow('partials has 5 parts, but K = 128 allows at most 4.');
  expect(split(A.view(0, [1, 32, 10]))).toThrow('Give C a tensor of its own');
  expect(split(C.view(0, [1, 32, 10]))).toThrow('Give C a tensor of its own');
  expect(() => splitMatmul(A, tensor(10, 128), C, tensor(1, 32, 10))).toThrow('Pass { transposeB: true }');
});
