import { expect, test } from 'vitest';
import {
  type Gpu,
  type MatmulOptions,
  matmul,
  type SgdHyperparameters,
  ShapeError,
  sgdUpdate,
  Tensor,
  weightUpdate,
} from '../../../src/kernels.js';
import { type AdapterTraits, candidates, type Dispatch } from '../../../src/plan/dispatch.js';
import type { Bounded } from '../../reference/bounded.js';
import * as reference from '../../reference/weight-update.js';
import { gatheredBatch } from '../../support/gathered.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../../support/gpu.js';

const learningRate = 0.05;
const NONE = 0xffffffff;
const variants = ['weight-update-quad-8x8', 'weight-update-quad-16x16', 'weight-update-quad-32x16'];

/** The same dispatch with its program of that name, and nothing that takes over. */
function as(variant: string, call: Dispatch): Dispatch {
  const [program] = call.programs.filter((each) => each.variant === variant);
  if (program === undefined) throw new Error(`There is no ${variant}.`);
  return { ...call, programs: [{ ...program, later: undefined }] };
}

interface Shape {
  readonly inputs: number;
  readonly units: number;
  readonly batch: number;
  readonly onesRow?: boolean;
}

const gradientOf = ({ inputs, units, onesRow = true }: Shape): readonly [number, number] => [
  inputs + (onesRow ? 1 : 0),
  units,
];

/** Two steps, each against float64; the gradient is not written. */
async function expectWithin(shape: Shape, variant: string, hyper: SgdHyperparameters): Promise<void> {
  const gpu = await sharedGpu();
  const { inputs, units, batch, onesRow = true } = shape;
  const [rows] = gradientOf(shape);
  const options = { transposeA: true, onesRow };
  let state: { parameters: Bounded; velocity: Bounded | undefined } = {
    parameters: randomMatrix(rows, units, 1),
    velocity: undefined,
  };
  const C = new Guarded(gpu, [rows, units]);
  const p = new Guarded(gpu, [rows, units], state.parameters.values);
  // What the velocity was before the first step does not matter.
  const v = new Guarded(gpu, [rows, units], new Float32Array(rows * units).fill(7));
  for (const index of [0, 1]) {
    const [A, B] = [randomMatrix(batch, inputs, 10 + index), randomMatrix(batch, units, 20 + index)];
    const gradient = matmul(upload(gpu, A), upload(gpu, B), C.tensor, options);
    const step = { first: 0, rows: batch, index, learning_rate: learningRate };
    gpu.run([as(variant, weightUpdate(gradient, p.tensor, v.tensor, hyper, step))]);
    const next = reference.weightUpdate(A, B, state, { learningRate, ...hyper, ...options });
    state = next;
    expect(await p.read()).toBeWithin(next.parameters, `parameters after step ${index}`);
    // Without momentum there is none.
    if (hyper.momentum === undefined) expect((await v.read()).every((each) => each === 7)).toBe(true);
    else expect(await v.read()).toBeWithin(next.velocity, `velocity after step ${index}`);
  }
  expect((await C.read()).every(Number.isNaN)).toBe(true);
}

// Together they cross the edges of tiles, of fours, and of eights along K.
const shapes: readonly (Shape & { readonly because: string })[] = [
  { inputs: 1, units: 1, batch: 1, because: 'the smallest' },
  { inputs: 15, units: 17, batch: 5, because: 'one short, one past' },
  { inputs: 16, units: 16, batch: 8, because: 'whole tiles of 8 × 8' },
  { inputs: 33, units: 20, batch: 12, because: 'whole fours, no whole tiles' },
  { inputs: 64, units: 32, batch: 16, because: 'whole tiles of 32 × 16' },
  { inputs: 70, units: 35, batch: 19, because: 'past them' },
  { inputs: 24, units: 12, batch: 7, onesRow: false, because: 'no biases' },
];
test.for(
  shapes.flatMap((shape, i) =>
    // The large tiles are the same shader with more sums in registers: each has every other shape.
    variants.filter((_, number) => number === 0 || i % 2 === number % 2).map((variant) => ({ ...shape, variant })),
  ),
)('$variant: ($inputs, $units) at batch $batch: $because', async ({ variant, because: _, ...shape }) => {
  await expectWithin(shape, variant, { momentum: 0.9, weightDecay: 0.01 });
});

test.for<SgdHyperparameters>([
  {},
  { momentum: 0.9, dampening: 0.3 },
  { dampening: 0.3 },
  { momentum: 0.8, nesterov: true, weightDecay: 0.03 },
])('with %j', async (hyper) => {
  await expectWithin({ inputs: 9, units: 6, batch: 5 }, 'weight-update-quad-8x8', hyper);
});

/** Parameters and velocity after a step, in one dispatch and in two. */
async function bothWays(gpu: Gpu, gradient: ReturnType<typeof matmul>, variant: string): Promise<Float32Array[][]> {
  const { C } = gradient.computes;
  const start = randomMatrix(C.shape[0] ?? 1, C.shape[1] ?? 1, 3).values;
  const step = { first: 11, rows: 7, index: 3, learning_rate: learningRate };
  const hyper = { momentum: 0.9, weightDecay: 0.01 };
  const results: Float32Array[][] = [];
  for (const together of [true, false]) {
    const [p, v] = [Tensor.from(gpu, start, C.shape), Tensor.from(gpu, start, C.shape)];
    const one = as(variant, weightUpdate(gradient, p, v, hyper, step));
    const plain = as(variant.replace('weight-update', 'matmul'), gradient);
    gpu.run(together ? [one] : [plain, sgdUpdate(p, C, v, hyper, step)]);
    results.push([await p.read(), await v.read()]);
  }
  return results;
}

test.for(variants)('%s gives the bits of matmul and sgdUpdate', async (variant) => {
  const gpu = await sharedGpu();
  const [A, B] = [upload(gpu, randomMatrix(21, 67, 1)), upload(gpu, randomMatrix(21, 71, 2))];
  const gradient = matmul(A, B, Tensor.empty(gpu, [68, 71]), { transposeA: true, onesRow: true });
  const [together, apart] = await bothWays(gpu, gradient, variant);
  expect(together).toEqual(apart);
});

const [small = '', large = '', tall = ''] = variants;
const sources = [
  { dtype: 'u8', variant: small },
  { dtype: 'f32', variant: small },
  { dtype: 'u8', variant: large },
  { dtype: 'f32', variant: tall },
] as const;
test.for(sources)('$variant takes a batch of $dtype from a data set', async ({ dtype, variant }) => {
  const gpu = await sharedGpu();
  const [columns, batch, units] = [36, 9, 10];
  const { A, X } = gatheredBatch(gpu, { dtype, columns, batch, rows: 7 });
  const step = { ...A.step, learning_rate: learningRate };
  const dZ = randomMatrix(batch, units, 2);
  const C = Tensor.empty(gpu, [columns + 1, units]);
  const options: MatmulOptions = { transposeA: true, onesRow: true };
  const gradient = matmul(A, upload(gpu, dZ), C, options);
  const parameters = randomMatrix(columns + 1, units, 3);
  const p = new Guarded(gpu, C.shape, parameters.values);
  gpu.run([as(variant, weightUpdate(gradient, p.tensor, Tensor.empty(gpu, C.shape), {}, step))]);
  const state = { parameters, velocity: undefined };
  const expected = reference.weightUpdate(X, dZ, state, { learningRate, transposeA: true, onesRow: true });
  expect(await p.read()).toBeWithin(expected.parameters);
});

test('a parameter that is not finite is noted once, with its first step and its owner', async () => {
  const gpu = await sharedGpu();
  const [A, B] = [randomMatrix(4, 7, 1), randomMatrix(4, 5, 2)];
  const status = Tensor.empty(gpu, [4], 'status', 'u32');
  status.write(new Uint32Array(4).fill(NONE));
  const layerOfBlock = Tensor.empty(gpu, [3], 'layer of block', 'u32');
  layerOfBlock.write(Uint32Array.of(0, 2, 1));
  const values = new Float32Array(40);
  const p = Tensor.from(gpu, values, [8, 5]);
  const gradient = matmul(upload(gpu, A), upload(gpu, B), Tensor.empty(gpu, [8, 5]), {
    transposeA: true,
    onesRow: true,
  });
  const run = (index: number): void => {
    const step = { first: 0, rows: 4, index, learning_rate: learningRate };
    gpu.run([weightUpdate(gradient, p, Tensor.empty(gpu, [8, 5]), { watch: { layerOfBlock, status } }, step, 1)]);
  };
  run(2);
  expect([...(await status.read())]).toEqual([NONE, NONE, NONE, NONE]);
  values[39] = Number.POSITIVE_INFINITY; // the last bias
  p.write(values);
  for (const index of [4, 5]) run(index);
  expect([...(await status.read())]).toEqual([NONE, NONE, NONE, 4]);
});

test('it needs subgroups and nine storage buffers, and only a CPU adapter prefers it', async () => {
  const gpu = await sharedGpu();
  const [A, B] = [Tensor.empty(gpu, [4, 7]), Tensor.empty(gpu, [4, 5])];
  const [C, p, v] = [Tensor.empty(gpu, [7, 5]), Tensor.empty(gpu, [7, 5]), Tensor.empty(gpu, [7, 5])];
  const step = { first: 0, rows: 4, index: 0, learning_rate: 1 };
  const call = weightUpdate(matmul(A, B, C, { transposeA: true }), p, v, {}, step);
  const limits = {
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupStorageSize: 16384,
    maxStorageBuffersPerShaderStage: 9,
  };
  const features = new Set(['subgroups']);
  const software: AdapterTraits = { software: true, vendor: '', features, limits, parallelWidth: 2 };
  const preferred = (adapter: AdapterTraits): number =>
    candidates(call, adapter).filter(({ prefers }) => prefers(adapter)).length;
  expect(preferred(software)).toBe(variants.length);
  expect(preferred({ ...software, software: false })).toBe(0);
  expect(candidates(call, { ...software, features: new Set() })).toEqual([]);
  const eight = { ...software, limits: { ...limits, maxStorageBuffersPerShaderStage: 8 } };
  expect(candidates(call, eight)).toEqual([]);
});

test('what does not fit is refused, with the numbers', async () => {
  const gpu = await sharedGpu();
  const tensor = (...shape: number[]): Tensor => Tensor.empty(gpu, shape);
  const step = { first: 0, rows: 4, index: 0, learning_rate: 1 };
  const update = (options: MatmulOptions, p: Tensor, v: Tensor, hyper: SgdHyperparameters = {}): Dispatch =>
    weightUpdate(matmul(tensor(4, 7), tensor(4, 5), tensor(7, 5), { transposeA: true, ...options }), p, v, hyper, step);
  const [p, v] = [tensor(7, 5), tensor(7, 5)];
  expect(update({}, p, v).label).toBe('weight-update TN 7×5×4');
  expect(() => update({}, tensor(7, 6), v)).toThrow(
    'weight-update TN 7×5×4: the gradient has 35 elements, but "tensor" has 42.',
  );
  expect(() => update({}, p, tensor(3), { momentum: 0.5 })).toThrow('has 35 elements, but "tensor" has 3.');
  expect(() => update({ activation: 'relu' }, p, v)).toThrow('without bias, activation and activation gradient');
  expect(() => update({ bias: tensor(5) }, p, v)).toThrow('without bias, activation and activation gradient');
  expect(() => update({}, p, v, { adjustment: { clip: { value: 1 } } })).toThrow('cannot be clipped or penalised');
  expect(() => update({}, tensor(3), v)).toThrow(ShapeError);
});
