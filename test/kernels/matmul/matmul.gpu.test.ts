import { expect, test } from 'vitest';
import { type ActivationRowName, activationTable } from '../../../src/kernels/activations.js';
import { type Activation, type MatmulOptions, matmul, ShapeError, Tensor } from '../../../src/kernels.js';
import type { Dispatch } from '../../../src/plan/dispatch.js';
import { type Bounded, exact } from '../../reference/bounded.js';
import * as reference from '../../reference/matmul.js';
import { representativeActivations } from '../../support/activations.js';
import { gatheredBatch } from '../../support/gathered.js';
import { Guarded, randomMatrix, sharedGpu, unpadded, upload } from '../../support/gpu.js';

/** A program of matmul: a variant, and of matmul-tiled perhaps another tile, for it compiles faster the smaller that is. */
interface Form {
  readonly name: string;
  readonly variant: NonNullable<MatmulOptions['variant']>;
  readonly tile?: Tile;
}
interface Tile {
  readonly PER_THREAD: number;
  readonly THREADS_X: number;
  readonly THREADS_Y: number;
  readonly TILE_K: number;
  readonly SLICES: number;
  readonly BANDS?: boolean;
}
const small = { PER_THREAD: 4, THREADS_X: 2, THREADS_Y: 2, TILE_K: 8, SLICES: 1 };
const quad: Form = { name: 'quad', variant: 'matmul-quad-8x8' };
const largeQuad: Form = { name: 'large quad', variant: 'matmul-quad-16x16' };
const tallQuad: Form = { name: 'tall quad', variant: 'matmul-quad-32x16' };
/** Register tiles straight from storage. */
const fromStorage = [quad, largeQuad, tallQuad];
const serialGemv: Form = { name: 'serial gemv', variant: 'matmul-gemv-serial' };
const slicedGemv: Form = { name: 'gemv', variant: 'matmul-gemv' };
const tile = (name: string, changes: Partial<Tile>): Form => ({
  name,
  variant: 'matmul-4x4-32x32',
  tile: { ...small, ...changes },
});
const fourByFour = tile('4×4 in 8 × 8', {});
const eightByEight = tile('8×8 in 8 × 16', { PER_THREAD: 8, THREADS_Y: 1 });
const split = tile('4×4 in 8 × 8, K in 4 slices', { SLICES: 4 });
const eightSplit = tile('8×8 in 16 × 8, K in 2 slices', { PER_THREAD: 8, THREADS_X: 1, SLICES: 2 });
const wider = tile('4×4 in 16 × 16', { THREADS_X: 4, THREADS_Y: 4, TILE_K: 16 });
/** They differ from 4×4 in 8 × 8 in the tile alone; what loads and stores is the same. */
const otherTiles = [eightByEight, split, eightSplit, wider];

const NN: MatmulOptions = {};
const TN: MatmulOptions = { transposeA: true };
const NT: MatmulOptions = { transposeB: true };
const TT: MatmulOptions = { transposeA: true, transposeB: true };
const nameOf = ({ transposeA = false, transposeB = false }: MatmulOptions): string =>
  `${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'}`;

/** The same product with the form's tile. */
function as({ tile }: Form, call: Dispatch): Dispatch {
  const { dims } = call.uniforms;
  const [program] = call.programs;
  if (tile === undefined || program === undefined || dims === undefined || typeof dims === 'string') return call;
  const { M = 0, N = 0, K = 0 } = dims;
  const [rows, columns] = [tile.PER_THREAD * tile.THREADS_Y, tile.PER_THREAD * tile.THREADS_X];
  const edges = {
    EDGE_M: M % rows !== 0,
    EDGE_N: N % columns !== 0,
    EDGE_K: K % (tile.TILE_K * tile.SLICES) !== 0,
  };
  const overrides = { ...program.overrides, ...tile, ...edges };
  const workgroups = [Math.ceil(N / columns), Math.ceil(M / rows), 1] as const;
  return { ...call, programs: [{ ...program, overrides, workgroups }] };
}

interface Problem {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly seed?: number;
  readonly scale?: number;
}

function operands({ M, N, K, seed = 1, scale = 1 }: Problem, options: MatmulOptions): { A: Bounded; B: Bounded } {
  return {
    A: options.transposeA === true ? randomMatrix(K, M, seed, scale) : randomMatrix(M, K, seed, scale),
    B: options.transposeB === true ? randomMatrix(N, K, seed + 1, scale) : randomMatrix(K, N, seed + 1, scale),
  };
}

/** The product on the GPU, from buffers as a caller has them: every element written, and nothing else. */
async function onGpu(
  form: Form,
  A: Bounded,
  B: Bounded,
  shape: readonly number[],
  options: MatmulOptions,
): Promise<Float32Array> {
  const gpu = await sharedGpu();
  const [a, b, c] = [unpadded(gpu, A), unpadded(gpu, B), new Guarded(gpu, shape)];
  gpu.run([as(form, matmul(a, b, c.tensor, { ...options, variant: form.variant }))]);
  const values = await c.read();
  for (const tensor of [a, b]) gpu.bufferOf(tensor).destroy();
  c.dispose();
  return values;
}

async function expectWithin(form: Form, problem: Problem, options: MatmulOptions): Promise<void> {
  const { A, B } = operands(problem, options);
  const M = problem.M + (options.onesRow === true ? 1 : 0);
  const { transposeA, transposeB, onesRow } = options;
  const actual = await onGpu(form, A, B, [M, problem.N], options);
  expect(actual).toBeWithin(reference.matmul(A, B, { transposeA, transposeB, onesRow }));
}

// Together they cross each edge of 16 × 16 and 64 × 32 tiles, with and without whole vec4s.
test.for(
  [NN, TN, NT, TT].flatMap((layout) =>
    [
      { M: 1, N: 1, K: 1, because: 'the smallest' },
      { M: 16, N: 16, K: 16, because: 'one tile' },
      { M: 17, N: 15, K: 33, because: 'one past, one short, one past two' },
      { M: 7, N: 13, K: 5, because: 'primes inside one tile' },
      { M: 67, N: 71, K: 73, because: 'primes across tiles' },
      { M: 1, N: 64, K: 257, because: 'a row' },
      { M: 130, N: 1, K: 4, because: 'a column' },
      { M: 36, N: 20, K: 44, because: 'whole vec4s, no whole tiles' },
      { M: 36, N: 20, K: 24, because: 'whole vec4s, and eights of k' },
      { M: 35, N: 17, K: 8, because: 'one short, one past, one eight of k' },
      { M: 12, N: 20, K: 130, because: 'a batch that is no whole vec4' },
    ]
      .filter((_, i) => layout !== TT || i % 3 === 1)
      .map((shape) => ({ ...shape, layout, form: quad, as: nameOf(layout) })),
  ),
)('$form.name: $as ($M, $N, $K), $because', async ({ form, layout, ...problem }) => {
  await expectWithin(form, problem, layout);
});

// The larger ones are the same shader with more sums in registers, which takes SwiftShader seconds to compile.
test.for(
  [
    { form: largeQuad, M: 67, N: 71, K: 73, layout: NN, because: 'primes across tiles' },
    { form: tallQuad, M: 67, N: 71, K: 73, layout: NN, because: 'primes across tiles' },
    { form: largeQuad, M: 36, N: 20, K: 44, layout: TN, because: 'whole vec4s, no whole tiles' },
    { form: tallQuad, M: 35, N: 17, K: 8, layout: NT, because: 'one short, one past, one eight of k' },
    { form: largeQuad, M: 33, N: 68, K: 20, layout: NT, because: 'one past, one vec4 past, whole vec4s' },
  ].map((each) => ({ ...each, as: nameOf(each.layout) })),
)('$form.name: $as ($M, $N, $K), $because', async ({ form, layout, ...problem }) => {
  await expectWithin(form, problem, layout);
});

// Together they cross each edge of tiles of 8 and 16 rows, columns and k, with and without whole vec4s.
const oneTile = [
  { M: 1, N: 1, K: 1, because: 'the smallest' },
  { M: 3, N: 5, K: 4, because: 'one short, one past, one vec4' },
  { M: 5, N: 4, K: 3, because: 'one past, one vec4, one short' },
  { M: 4, N: 3, K: 5, because: 'one vec4, one short, one past' },
  { M: 8, N: 8, K: 8, because: 'one tile of 8' },
  { M: 7, N: 9, K: 15, because: 'one short, one past, one short of two' },
];
const severalTiles = [
  { M: 9, N: 7, K: 17, because: 'one past, one short, one past two' },
  { M: 16, N: 32, K: 64, because: 'whole tiles, and whole slices of K' },
  { M: 17, N: 19, K: 37, because: 'primes across tiles' },
  { M: 12, N: 20, K: 28, because: 'whole vec4s, no whole tiles' },
];
test.for(
  [
    ...[...oneTile, ...severalTiles].flatMap((shape, i) =>
      [NN, i % 2 === 0 ? TN : NT].map((layout) => ({ ...shape, form: fourByFour, layout })),
    ),
    // Each shape and each layout with several tiles.
    ...otherTiles.flatMap((form, number) =>
      severalTiles
        .filter((_, i) => i % 2 === number % 2)
        .map((shape, i) => ({ ...shape, form, layout: [NN, TN, NT][(number + i) % 3] ?? NN })),
    ),
  ].map((each) => ({ ...each, as: nameOf(each.layout) })),
)('$form.name: $as ($M, $N, $K), $because', async ({ form, layout, ...problem }) => {
  await expectWithin(form, problem, layout);
});
test.for([
  { M: 9, N: 12, K: 20, because: 'whole vec4s along k and n' },
  { M: 12, N: 9, K: 19, because: 'whole vec4s along m' },
])('4×4: TT ($M, $N, $K), $because', async (problem) => {
  await expectWithin(fourByFour, problem, TT);
});

test.for([
  { M: 75, N: 17, K: 3, because: 'the last band has two of eight rows of tiles' },
  { M: 64, N: 24, K: 3, because: 'one whole band' },
  { M: 3, N: 40, K: 3, because: 'less than a band' },
])('tiles in bands: ($M, $N, $K), $because', async (problem) => {
  await expectWithin(tile('in bands', { BANDS: true }), problem, NN);
});

/** The tiles that an adapter may choose, with their sizes. The tests above have all layouts and edges of the shader. */
const named = [
  { variant: 'matmul-8x8-128x128', layout: NN, M: 129, N: 127, K: 9, because: 'one past, one short, one past' },
  { variant: 'matmul-8x8-128x64', layout: NT, M: 127, N: 68, K: 15, because: 'one short, one vec4 past, one short' },
  { variant: 'matmul-8x8-64x64', layout: TN, M: 64, N: 64, K: 32, because: 'one tile' },
  { variant: 'matmul-4x4-64x64', layout: NN, M: 65, N: 63, K: 17, because: 'one past, one short, one past' },
  {
    variant: 'matmul-4x4-32x32-split',
    layout: NT,
    M: 31,
    N: 36,
    K: 31,
    because: 'one short, one vec4 past, one short',
  },
  { variant: 'matmul-4x4-32x32', layout: TN, M: 33, N: 31, K: 17, because: 'one past, one short, one past' },
] as const;
test.for(named.map((each) => ({ ...each, as: nameOf(each.layout) })))(
  '$variant: $as ($M, $N, $K), $because',
  async ({ variant, layout, ...problem }) => {
    await expectWithin({ name: variant, variant }, problem, layout);
  },
);

const forGemv = [
  { M: 1, N: 1, K: 1, layout: NN, because: 'the smallest' },
  { M: 1, N: 16, K: 256, layout: NN, because: 'one workgroup, a vec4 each' },
  { M: 1, N: 17, K: 263, layout: NN, because: 'one past, and a prime past' },
  { M: 1, N: 20, K: 67, layout: NT, because: 'one vec4 past, and a prime' },
  { M: 1, N: 15, K: 260, layout: NT, because: 'one short, and one vec4 past' },
  { M: 1, N: 5, K: 7, layout: TT, because: 'primes, transposed' },
  { M: 3, N: 20, K: 131, layout: NN, because: 'one row short of four' },
  { M: 4, N: 7, K: 132, layout: NT, because: 'four rows' },
  { M: 2, N: 9, K: 5, layout: TN, because: 'two rows, transposed' },
  { M: 5, N: 12, K: 68, layout: NN, because: 'one row past four' },
  { M: 7, N: 19, K: 9, layout: NT, because: 'one row short of eight' },
  { M: 8, N: 17, K: 13, layout: TN, because: 'eight rows, transposed' },
];
test.for(
  [
    ...forGemv.map((shape) => ({ ...shape, form: serialGemv })),
    // With slices of K, which compile for seconds: for one row, for up to four and for up to eight, in each layout.
    ...forGemv.filter((_, i) => [1, 4, 6, 11].includes(i)).map((shape) => ({ ...shape, form: slicedGemv })),
  ].map((each) => ({ ...each, as: nameOf(each.layout) })),
)('$form.name: $as ($M, $N, $K), $because', async ({ form, layout, ...problem }) => {
  await expectWithin(form, problem, layout);
});

test.for([
  ...[
    { form: quad, M: 16, N: 16, K: 8 },
    { form: quad, M: 15, N: 17, K: 5 },
    { form: quad, M: 1, N: 3, K: 130 },
    { form: fourByFour, M: 16, N: 16, K: 8 },
    { form: fourByFour, M: 15, N: 17, K: 5 },
    { form: fourByFour, M: 1, N: 3, K: 130 },
    { form: serialGemv, M: 7, N: 16, K: 8 },
  ].flatMap((each) => [TN, NN].map((layout) => ({ ...each, layout }))),
  { form: largeQuad, M: 784, N: 12, K: 128, layout: TN },
  { form: tallQuad, M: 15, N: 17, K: 5, layout: TN },
  { form: eightSplit, M: 15, N: 17, K: 5, layout: TN },
  { form: slicedGemv, M: 1, N: 3, K: 130, layout: NN },
  { form: slicedGemv, M: 7, N: 16, K: 8, layout: TN },
])('$form.name with a row of ones: ($M + 1, $N, $K)', async ({ form, layout, ...problem }) => {
  await expectWithin(form, problem, { ...layout, onesRow: true });
});

/** Bias, activation and pre-activation forward, and its derivative backward. */
async function expectEpilogue(form: Form, name: ActivationRowName, [M, N]: readonly [number, number]): Promise<void> {
  const gpu = await sharedGpu();
  const { variant } = form;
  const activation: Activation = name === 'geluTanh' ? { type: 'gelu', approximate: 'tanh' } : name;
  const { A, B } = operands({ M, N, K: 9, scale: 3 }, {});
  const bias = randomMatrix(1, N, 5, 2);
  const pre = reference.matmul(A, B, { bias });
  const expected = reference.matmul(A, B, { bias, activation });
  const [a, b, c] = [upload(gpu, A), upload(gpu, B), new Guarded(gpu, [2, M, N])];
  // Somewhere within a larger buffer, as the bias of a layer is.
  const parameters = Tensor.from(gpu, [...new Float32Array(37).fill(Number.NaN), ...bias.values], [37 + N]);
  const options = { bias: parameters.view(37, [N]), activation, keepPreActivation: true, variant };
  gpu.run([as(form, matmul(a, b, c.tensor, options))]);
  const both = await c.read();
  expect(both.slice(0, M * N)).toBeWithin(expected, name);
  expect(both.slice(M * N)).toBeWithin(pre, 'pre-activation');

  // Backward: the gradient is multiplied by the derivative at what was kept.
  const { from } = activationTable[name];
  const kept = exact([M, N], both.slice(from === 'y' ? 0 : M * N, from === 'y' ? M * N : undefined));
  const keptValues = Tensor.from(gpu, both, [2 * M * N]).view(from === 'y' ? 0 : M * N, [M, N]);
  const out = new Guarded(gpu, [M, N]);
  gpu.run([as(form, matmul(a, b, out.tensor, { activationGradient: { activation, at: keptValues }, variant }))]);
  expect(await out.read()).toBeWithin(reference.matmul(A, B, { activation, kept }), `⊙ ${name}′`);
}

// matmul-gemv and matmul-tiled have the same epilogue, shaders/lib/matmul-epilogue.wgsl.
test.for(
  representativeActivations.flatMap((name) => [
    { name, form: quad, M: 19, N: 21 },
    // An activation is inlined once for each of a thread's sums, so only a short one is tried with many.
    ...(name === 'relu' ? [{ name, form: tallQuad, M: 19, N: 21 }] : []),
    { name, form: serialGemv, M: 7, N: 21 },
  ]),
)('$form.name fused with bias and $name', async ({ name, form, M, N }) => {
  await expectEpilogue(form, name, [M, N]);
});
test.for([
  ...[fourByFour, eightSplit, slicedGemv].map((form) => ({ form, N: 20, because: 'stored as vec4s' })),
  { form: fourByFour, N: 21, because: 'stored as scalars' },
])('$form.name fused with bias and relu, $because', async ({ form, N }) => {
  await expectEpilogue(form, 'relu', [8, N]);
});

const families = [...fromStorage, fourByFour, eightSplit, wider];
test.for([...families, serialGemv])('$name: NaN and infinities stay in their rows and columns', async (form) => {
  const M = form === serialGemv ? 7 : 33;
  const [N, K] = [18, 7];
  const { A, B } = operands({ M, N, K }, {});
  const atRow5 = 5 * K + 6; // the last k, which what is beyond K must not repeat
  const infected = async (test: (value: number) => boolean, place: (index: number) => number): Promise<number[]> => {
    const actual = [...(await onGpu(form, A, B, [M, N], {})).entries()];
    return [...new Set(actual.filter(([, value]) => test(value)).map(([index]) => place(index)))];
  };
  A.values[atRow5] = Number.NaN;
  expect(await infected(Number.isNaN, (index) => Math.floor(index / N))).toEqual([5]);
  A.values[atRow5] = Number.POSITIVE_INFINITY;
  expect(
    await infected(
      (value) => Math.abs(value) === Infinity,
      (index) => Math.floor(index / N),
    ),
  ).toEqual([5]);
  expect(await infected(Number.isNaN, (index) => index)).toEqual([]);
  A.values[atRow5] = 1;
  B.values[6 * N + 4] = Number.POSITIVE_INFINITY;
  expect(
    await infected(
      (value) => Math.abs(value) === Infinity,
      (index) => index % N,
    ),
  ).toEqual([4]);
  expect(await infected(Number.isNaN, (index) => index)).toEqual([]);
});

const endsWithin = [
  { form: tallQuad, options: NN },
  { form: largeQuad, options: NT },
  { form: tallQuad, options: TN },
].map((each) => ({ ...each, name: `${each.form.name}, ${nameOf(each.options)}` }));
test.for(endsWithin)(
  '$name: an infinity stays one where K is whole vec4s and ends within an iteration',
  async (problem) => {
    const { form, options } = problem;
    const [M, N, K] = [36, 20, 12];
    const { A, B } = operands({ M, N, K }, options);
    // Where op(A) and op(B) would be read beyond K: the last k again, or the next column's first.
    A.values[options.transposeA === true ? (K - 1) * M + 5 : 5 * K + K - 1] = Number.POSITIVE_INFINITY;
    B.values[options.transposeB === true ? 4 * K : (K - 1) * N + 4] = Number.NEGATIVE_INFINITY;
    const actual = await onGpu(form, A, B, [M, N], options);
    const places = [...actual.keys()].filter((index) => index !== 5 * N + 4); // there, infinities meet
    expect(places.filter((index) => Math.abs(actual[index] ?? 0) === Infinity)).toEqual(
      places.filter((index) => Math.floor(index / N) === 5 || index % N === 4),
    );
    expect(places.filter((index) => Number.isNaN(actual[index]))).toEqual([]);
  },
);

test.for([quad, fourByFour, eightSplit])('$name: the same bits twice', async (form) => {
  const [M, N] = [67, 71];
  const { A, B } = operands({ M, N, K: 301 }, {});
  const [first, second] = [await onGpu(form, A, B, [M, N], {}), await onGpu(form, A, B, [M, N], {})];
  expect(new Uint8Array(first.buffer)).toEqual(new Uint8Array(second.buffer));
});

test('quads of all sizes give the same bits, so that one can take over from another', async () => {
  const { A, B } = operands({ M: 67, N: 71, K: 301 }, {});
  const small = await onGpu(quad, A, B, [67, 71], {});
  for (const form of [largeQuad, tallQuad]) {
    const large = await onGpu(form, A, B, [67, 71], {});
    expect(new Uint8Array(large.buffer), form.name).toEqual(new Uint8Array(small.buffer));
  }
});

test('a dW that reads single elements at first is taken over with the same bits', async () => {
  const gpu = await sharedGpu();
  const [K, inputs, N] = [128, 260, 132];
  const [A, B] = [randomMatrix(K, inputs, 1), randomMatrix(K, N, 2)];
  const C = new Guarded(gpu, [inputs + 1, N]);
  const call = matmul(upload(gpu, A), upload(gpu, B), C.tensor, { transposeA: true, onesRow: true });
  const first = call.programs.find(({ later }) => later !== undefined);
  const runs: Float32Array[] = [];
  for (const program of [first, first?.later]) {
    if (program === undefined) throw new Error('Nothing takes over.');
    gpu.run([{ ...call, programs: [{ ...program, later: undefined }] }]);
    runs.push(await C.read());
  }
  expect([first?.overrides.VEC4_C, first?.later?.overrides.VEC4_C]).toEqual([false, true]);
  expect(runs[0]).toEqual(runs[1]);
  expect(await C.read()).toBeWithin(reference.matmul(A, B, { transposeA: true, onesRow: true }));
});

const bytes = { dtype: 'u8', batch: 17, rows: 17, columns: 36, N: 13 } as const;
const floats = { dtype: 'f32', batch: 9, rows: 8, columns: 7, N: 5 } as const;
const few = { batch: 5, rows: 3 };
const sources = [
  ...(['u8', 'f32'] as const).flatMap((dtype) =>
    [
      { dtype, batch: 17, rows: 17, columns: 36, N: 13 },
      { dtype, batch: 35, rows: 22, columns: 64, N: 40 },
    ].flatMap((problem) => [quad, fourByFour].map((form) => ({ ...problem, form }))),
  ),
  ...[quad, fourByFour].map((form) => ({ ...floats, form })),
  // The others load rows as these do, with other tiles: bytes in whole vec4s, or floats that are not.
  { ...bytes, form: largeQuad },
  { ...bytes, form: split },
  { ...floats, form: eightSplit },
  { ...bytes, ...few, form: slicedGemv },
  { ...bytes, ...few, form: serialGemv },
  { ...floats, ...few, form: serialGemv },
].map((each) => ({ ...each, name: each.form.name }));
test.for(sources)('$name takes a batch of $rows rows of $columns $dtype from a data set', async (problem) => {
  const { batch, columns, N, form } = problem;
  const gpu = await sharedGpu();
  const { A, X } = gatheredBatch(gpu, problem);
  const forms: [MatmulOptions, Bounded][] = [[{}, randomMatrix(columns, N, 2)]];
  // The gradient of the weights has as many rows as there are features, too many for a gemv.
  if (!form.variant.startsWith('matmul-gemv')) {
    const gradient: MatmulOptions = { transposeA: true, onesRow: true };
    forms.push([gradient, randomMatrix(batch, N, 2)]);
  }
  for (const [options, B] of forms) {
    const M = options.transposeA ? columns + 1 : batch;
    const C = new Guarded(gpu, [M, N]);
    gpu.run([as(form, matmul(A, upload(gpu, B), C.tensor, { ...options, variant: form.variant }))]);
    expect(await C.read(), nameOf(options)).toBeWithin(
      reference.matmul(X, B, { transposeA: M !== batch, onesRow: M !== batch }),
    );
  }
});

test('what does not fit is refused, with the shapes and the remedy', async () => {
  const gpu = await sharedGpu();
  const tensor = (...shape: number[]): Tensor => Tensor.empty(gpu, shape);
  const A = tensor(32, 128);
  expect(() => matmul(A, tensor(10, 128), tensor(32, 10))).toThrow(
    'matmul: op(A) has 128 columns but op(B) has 10 rows; both are K. A is (32, 128), B is (10, 128). Pass { transposeB: true } if B is stored (N, K).',
  );
  expect(() => matmul(A, tensor(128, 10), tensor(10, 32))).toThrow('C is (10, 32), but op(A)·op(B) is (32, 10).');
  expect(() => matmul(A, tensor(128, 10), tensor(32, 10), { bias: tensor(9) })).toThrow(
    'bias has 9 elements, but C has 10',
  );
  expect(() => matmul(tensor(8), tensor(8, 2), tensor(1, 2))).toThrow('a matrix has two sizes');
  expect(() => matmul(A, A.view(0, [128, 32]), A.view(0, [32, 32]))).toThrow('Give C a tensor of its own');
  expect(() => matmul(A, tensor(128, 10), tensor(32, 10), { activation: 'rleu' as 'relu' })).toThrow(
    'Activation "rleu" is not known. Known: linear, relu, leakyRelu',
  );
  expect(() => matmul(A, tensor(10, 128), tensor(32, 10))).toThrow(ShapeError);
  expect(() => matmul(A, tensor(128, 10), tensor(32, 10), { variant: 'matmul-gemv' })).toThrow(
    'matmul NN 32×10×128: the variant "matmul-gemv" cannot compute it. These can: matmul-quad-8x8, ',
  );
});

// 60,000 equal products: added up one after the other they are off by half a thousandth, each sum by as many roundings of one kind.
const long = 60_000;
test.for([quad, serialGemv, fourByFour, split])(
  '$name: a sum of 60,000 products, and of the row of ones',
  async (form) => {
    const options = { transposeA: true, onesRow: form !== serialGemv };
    const [M, rows] = form === serialGemv ? [1, 1] : [3, 4];
    const A = exact([long, M], new Float32Array(long * M).fill(1));
    const B = exact([long, 2], new Float32Array(long * 2).fill(1 / long));
    const actual = await onGpu(form, A, B, [rows, 2], options);
    expect(actual).toBeWithin(reference.matmul(A, B, options));
    // The quads' row of ones is compensated: 3 roundings, and that of 1/60,000.
    if (form === quad) for (const sum of actual.slice(-2)) expect(Math.abs(sum - 1)).toBeLessThanOrEqual(4 * 2 ** -23);
  },
);
