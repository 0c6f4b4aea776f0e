import { expect, test } from 'vitest';
import { type ActivationRowName, activationTable } from '../../../src/activations.js';
import { type AdapterTraits, choose } from '../../../src/gpu/dispatch.js';
import { type Activation, type MatmulOptions, matmul, ShapeError, Tensor } from '../../../src/kernels.js';
import { type Bounded, exact } from '../../../src/reference/bounded.js';
import * as reference from '../../../src/reference/matmul.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../../support/gpu.js';

const variants = [
  'matmul-direct',
  'matmul-quad-8x8',
  'matmul-quad-16x16',
  'matmul-quad-32x16',
  'matmul-tiled',
] as const;
// Together they cross each edge of 16 × 16 (direct, quad), 32 × 32 (quad, tiled) and 64 × 32 (quad) tiles, with and without whole vec4s.
const shapes = [
  { M: 1, N: 1, K: 1, because: 'the smallest' },
  { M: 16, N: 16, K: 16, because: 'one tile of direct' },
  { M: 17, N: 15, K: 33, because: 'one past, one short, one past two' },
  { M: 32, N: 32, K: 32, because: 'one tile of tiled' },
  { M: 33, N: 31, K: 15, because: 'one past, one short, one short' },
  { M: 7, N: 13, K: 5, because: 'primes inside one tile' },
  { M: 67, N: 71, K: 73, because: 'primes across tiles' },
  { M: 1, N: 64, K: 257, because: 'a row' },
  { M: 130, N: 1, K: 4, because: 'a column' },
  { M: 36, N: 20, K: 44, because: 'whole vec4s, no whole tiles' },
  { M: 12, N: 20, K: 130, because: 'a batch that is no whole vec4' },
];
const layouts = [
  { transposeA: false, transposeB: false },
  { transposeA: true, transposeB: false },
  { transposeA: false, transposeB: true },
  { transposeA: true, transposeB: true },
];

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

/** The product on the GPU, every element written and nothing else. */
async function onGpu(A: Bounded, B: Bounded, shape: readonly number[], options: MatmulOptions): Promise<Float32Array> {
  const gpu = await sharedGpu();
  const [a, b, c] = [upload(gpu, A), upload(gpu, B), new Guarded(gpu, shape)];
  gpu.run([matmul(a, b, c.tensor, options)]);
  const values = await c.read();
  for (const { dispose } of [a, b, c].map((x) => ({ dispose: () => x.dispose() }))) dispose();
  return values;
}

for (const variant of variants) {
  for (const layout of layouts) {
    test.for(shapes)(`${variant} ${JSON.stringify(layout)} ($M, $N, $K): $because`, async (problem) => {
      const { A, B } = operands(problem, layout);
      const actual = await onGpu(A, B, [problem.M, problem.N], { ...layout, variant });
      expect(actual).toBeWithin(reference.matmul(A, B, layout));
    });
  }

  test.for([
    { M: 16, N: 16, K: 8 },
    { M: 15, N: 17, K: 5 },
    { M: 784, N: 12, K: 128 },
    { M: 1, N: 3, K: 130 },
  ])(`${variant} with a row of ones ($M + 1, $N, $K)`, async (problem) => {
    const { A, B } = operands(problem, { transposeA: true });
    const actual = await onGpu(A, B, [problem.M + 1, problem.N], { transposeA: true, onesRow: true, variant });
    expect(actual).toBeWithin(reference.matmul(A, B, { transposeA: true, onesRow: true }));
  });

  test.for(Object.keys(activationTable) as ActivationRowName[])(`${variant} fused with bias and %s`, async (name) => {
    const gpu = await sharedGpu();
    const activation: Activation = name === 'geluTanh' ? { type: 'gelu', approximate: 'tanh' } : name;
    const { A, B } = operands({ M: 19, N: 21, K: 9, scale: 3 }, {});
    const bias = randomMatrix(1, 21, 5, 2);
    const pre = reference.matmul(A, B, { bias });
    const expected = reference.matmul(A, B, { bias, activation });
    const [a, b, c] = [upload(gpu, A), upload(gpu, B), new Guarded(gpu, [2, 19, 21])];
    // Somewhere within a larger buffer, as the bias of a layer is.
    const parameters = Tensor.from(gpu, [...new Float32Array(37).fill(Number.NaN), ...bias.values], [58]);
    gpu.run([
      matmul(a, b, c.tensor, { bias: parameters.view(37, [21]), activation, keepPreActivation: true, variant }),
    ]);
    const both = await c.read();
    expect(both.slice(0, 19 * 21)).toBeWithin(expected, name);
    expect(both.slice(19 * 21)).toBeWithin(pre, 'pre-activation');

    // Backward: what was kept gates the gradient.
    const { from } = activationTable[name];
    const kept = exact([19, 21], both.slice(from === 'y' ? 0 : 19 * 21, from === 'y' ? 19 * 21 : undefined));
    const gateValues = Tensor.from(gpu, both, [2 * 19 * 21]).view(from === 'y' ? 0 : 19 * 21, [19, 21]);
    const out = new Guarded(gpu, [19, 21]);
    gpu.run([matmul(a, b, out.tensor, { gate: { activation, at: gateValues }, variant })]);
    expect(await out.read()).toBeWithin(reference.matmul(A, B, { activation, gate: kept }), `⊙ ${name}′`);
  });

  test(`${variant}: a NaN stays in its row and column`, async () => {
    const { A, B } = operands({ M: 33, N: 18, K: 7 }, {});
    A.values[5 * 7 + 6] = Number.NaN; // row 5, the last k
    const actual = await onGpu(A, B, [33, 18], { variant });
    const rows = new Set([...actual.keys()].filter((i) => Number.isNaN(actual[i])).map((i) => Math.floor(i / 18)));
    expect([...rows]).toEqual([5]);
  });

  test(`${variant}: the same bits twice`, async () => {
    const { A, B } = operands({ M: 67, N: 71, K: 300 }, {});
    const [first, second] = [await onGpu(A, B, [67, 71], { variant }), await onGpu(A, B, [67, 71], { variant })];
    expect(new Uint8Array(first.buffer)).toEqual(new Uint8Array(second.buffer));
  });
}

test('quads of all sizes give the same bits', async () => {
  const { A, B } = operands({ M: 67, N: 71, K: 301 }, {});
  const small = await onGpu(A, B, [67, 71], { variant: 'matmul-quad-8x8' });
  for (const variant of ['matmul-quad-16x16', 'matmul-quad-32x16'] as const) {
    const large = await onGpu(A, B, [67, 71], { variant });
    expect(new Uint8Array(small.buffer), variant).toEqual(new Uint8Array(large.buffer));
  }
});

test('the variant is that of the adapter unless one is asked for', async () => {
  const gpu = await sharedGpu();
  const [A, B, C] = [Tensor.empty(gpu, [2, 3]), Tensor.empty(gpu, [3, 4]), Tensor.empty(gpu, [2, 4])];
  const traits = { vendor: '', parallelWidth: 8, limits: gpu.info.limits };
  const chosen = (adapter: Pick<AdapterTraits, 'software' | 'features'>): string =>
    choose(matmul(A, B, C), { ...traits, ...adapter }).variant;
  expect(chosen({ software: true, features: new Set(['subgroups']) })).toBe('matmul-quad-8x8');
  expect(chosen({ software: true, features: new Set() })).toBe('matmul-direct');
  expect(chosen({ software: false, features: new Set(['subgroups']) })).toBe('matmul-tiled');
  expect(matmul(A, B, C, { variant: 'matmul-tiled' }).programs.map(({ variant }) => variant)).toEqual(['matmul-tiled']);
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
});
