import { expect, test } from 'vitest';
import type { Dispatch } from '../../../src/gpu/dispatch.js';
import { MOST_LAYERS } from '../../../src/kernels/weight-update.js';
import { type Gpu, Tensor, type UpdatedLayer, weightUpdate } from '../../../src/kernels.js';
import { Random } from '../../../src/random.js';
import type { Bounded } from '../../../src/reference/bounded.js';
import { gatherRows } from '../../../src/reference/gather-rows.js';
import * as reference from '../../../src/reference/weight-update.js';
import { randomMatrix, sharedGpu } from '../../support/gpu.js';

/** Where the first layer's inputs come from. */
type Source = 'plain' | 'bytes' | 'floats';

interface Net {
  readonly widths: readonly number[];
  readonly batch: number;
  /** Of the batch, for a source that has rows; all unless told otherwise. */
  readonly rows?: number;
  readonly source?: Source;
  /** Whether A and dZ of the later layers are in different buffers. */
  readonly crossed?: boolean | 'last';
  /** A dispatch for the layers of each parity, and one for the first, instead of one for all. */
  readonly apart?: boolean;
  /** Layers without bias. */
  readonly unbiased?: readonly number[];
}

const SAMPLES = 200;
const FIRST = 13;
const normalization = [1 / 127.5, -1] as const;
const sentinel = 7.25;
const learningRate = 0.05;

/** The layers of a net on the GPU and in float64. */
interface Made {
  readonly layers: readonly UpdatedLayer[];
  readonly states: readonly Omit<reference.LayerState, 'velocity'>[];
  readonly starts: readonly number[];
  readonly parameters: Float32Array<ArrayBuffer>;
}

function make(gpu: Gpu, { widths, batch, rows = batch, source = 'plain', crossed = false, unbiased = [] }: Net): Made {
  const count = widths.length - 1;
  const width = (layer: number): number => widths[layer] ?? 0;
  // As a plan has them: layer l's dZ in arena l % 2, and its A beside it or in the other one. Between two tensors NaN, and
  // none begins at a whole vec4.
  const arenas: number[][] = [[Number.NaN], [Number.NaN, Number.NaN, Number.NaN]];
  const places: number[] = [];
  const place = (arena: number, { values }: Bounded): void => {
    places.push(arenas[arena]?.length ?? 0);
    arenas[arena]?.push(...values, Number.NaN);
  };
  const random = new Random(5);
  const columns = width(0);
  const bytes = Uint8Array.from({ length: SAMPLES * columns }, () => random.uniform(0, 256));
  const floats = Float32Array.from(bytes, (byte) => byte + 0.5);
  const order = Uint32Array.from({ length: SAMPLES }, () => random.uniform(0, SAMPLES));
  const [scale, shift] = normalization.map((value) => new Float32Array(columns).fill(value));
  const options = { first: FIRST, rows, batch, scale, shift };
  const apart = (layer: number): number => (crossed === true || (crossed === 'last' && layer === count - 1) ? 1 : 0);
  const states: Made['states'][number][] = [];
  const starts: number[] = [];
  let end = 0;
  for (let layer = 0; layer < count; layer++) {
    const drawn = randomMatrix(batch, width(layer), 10 + layer);
    const gathered = layer === 0 && source !== 'plain';
    const A = gathered ? gatherRows(source === 'bytes' ? bytes : floats, columns, order, options) : drawn;
    const dZ = randomMatrix(batch, width(layer + 1), 20 + layer);
    const bias = !unbiased.includes(layer);
    const parameters = randomMatrix(width(layer) + (bias ? 1 : 0), width(layer + 1), 30 + layer);
    states.push({ A, dZ, bias, parameters });
    starts.push(end);
    end = Math.ceil((end + parameters.values.length) / 64) * 64;
    place((layer + apart(layer)) % 2, A);
    place(layer % 2, dZ);
  }
  const [even, odd] = arenas.map((values) => Tensor.from(gpu, values, [values.length]));
  const arena = (number: number): Tensor => (number % 2 === 0 ? even : odd) as Tensor;
  const parameters = new Float32Array(end).fill(sentinel);
  const layers = states.map(({ A, dZ, bias, parameters: values }, layer): UpdatedLayer => {
    const start = starts[layer] ?? 0;
    parameters.set(values.values, start);
    return {
      A: arena(layer + apart(layer)).view(places[2 * layer] ?? 0, A.shape),
      dZ: arena(layer).view(places[2 * layer + 1] ?? 0, dZ.shape),
      start,
      bias,
    };
  });
  const [first, ...later] = layers;
  if (first === undefined || source === 'plain') return { layers, states, starts, parameters };
  const rowsOf = Tensor.empty(gpu, [SAMPLES], 'order', 'u32');
  rowsOf.write(order);
  const packed = Tensor.empty(gpu, [SAMPLES, columns], 'bytes', 'u8');
  packed.write(bytes);
  const data = source === 'bytes' ? packed : Tensor.from(gpu, floats, [SAMPLES, columns]);
  const unused = Tensor.empty(gpu, [SAMPLES, 1], 'labels', 'u32');
  const common = normalization;
  const rowSource = { data, labels: unused, order: rowsOf, normalization: Tensor.empty(gpu, [columns, 2]), common };
  return { layers: [{ ...first, A: { source: rowSource, batch } }, ...later], states, starts, parameters };
}

/** The same dispatch with its program of that tile. */
function as(variant: string, call: Dispatch): Dispatch {
  const programs = call.programs.filter((program) => program.variant === variant);
  expect(programs.length, variant).toBe(1);
  return { ...call, programs };
}

const SMALL = 'weight-update-8x8';
const LARGER = ['weight-update-16x16', 'weight-update-32x16'];
type Hyper = Parameters<typeof weightUpdate>[3];

/** Runs two steps and compares with float64 after each; parameters between layers stay. Returns all parameters. */
async function expectWithin(net: Net, hyper: Hyper, variant: string): Promise<Float32Array> {
  const gpu = await sharedGpu();
  const { layers, states, starts, parameters } = make(gpu, net);
  const numbered = layers.map((layer, number) => ({ ...layer, number }));
  const kind = (number: number): number => (number === 0 ? 0 : 1 + (number % 2));
  const parts = [0, 1, 2].map((wanted) => numbered.filter(({ number }) => kind(number) === wanted));
  const lists = net.apart === true ? parts : [layers];
  const status = Tensor.empty(gpu, [1 + layers.length], 'status', 'u32');
  status.write(new Uint32Array(1 + layers.length).fill(0xffffffff));
  const p = Tensor.from(gpu, parameters, [parameters.length]);
  // What the velocity was before the first step must not matter.
  const v = Tensor.from(gpu, new Float32Array(parameters.length).fill(sentinel), [parameters.length]);
  let expected = states.map((state) => ({ parameters: state.parameters, velocity: undefined as Bounded | undefined }));
  for (const index of [0, 1]) {
    const step = { first: FIRST, rows: net.rows ?? net.batch, index, learning_rate: learningRate };
    gpu.run(lists.map((list) => as(variant, weightUpdate(list, p, v, hyper, status, step))));
    expected = states.map((state, layer) => {
      const { parameters = state.parameters, velocity } = expected[layer] ?? {};
      return reference.weightUpdate({ ...state, parameters, velocity }, { learningRate, ...hyper });
    });
    const [actual, moved] = [await p.read(), await v.read()];
    const outside = new Set(actual.keys());
    for (const [layer, want] of expected.entries()) {
      const start = starts[layer] ?? 0;
      const end = start + want.parameters.values.length;
      expect(actual.slice(start, end)).toBeWithin(want.parameters, `p of layer ${layer} after step ${index}`);
      expect(moved.slice(start, end)).toBeWithin(want.velocity as Bounded, `v of layer ${layer} after step ${index}`);
      for (let i = start; i < end; i++) outside.delete(i);
    }
    for (const i of outside) expect([actual[i], moved[i]], `element ${i}, of no layer`).toEqual([sentinel, sentinel]);
  }
  expect([...(await status.read())]).toEqual(new Array(1 + layers.length).fill(0xffffffff));
  return await p.read();
}

const momentum: Hyper = { momentum: 0.9, weightDecay: 0.01 };

test.for<Net & { because: string }>([
  { widths: [1, 1], batch: 1, because: 'the smallest' },
  { widths: [8, 8], batch: 4, because: 'one tile' },
  { widths: [16, 16], batch: 8, because: 'four tiles, one workgroup' },
  { widths: [17, 33], batch: 5, because: 'one past one workgroup, and one past two' },
  { widths: [7, 2], batch: 3, unbiased: [0], because: 'no bias' },
  { widths: [257, 3], batch: 130, because: 'many rows, few columns, whole vec4s but two' },
  { widths: [2, 67, 1], batch: 9, because: 'two layers' },
  { widths: [12, 20, 8, 4], batch: 16, because: 'three layers of whole vec4s' },
  { widths: [5, 13, 19, 10], batch: 33, unbiased: [1], because: 'three layers, one without bias' },
  { widths: [3, 11, 35, 6, 18, 2], batch: 6, because: 'five layers' },
  { widths: [5, 13, 19, 10], batch: 7, crossed: true, because: 'A and dZ apart' },
  { widths: [3, 11, 35, 6, 18, 2], batch: 6, apart: true, because: 'five layers in three dispatches' },
  { widths: [5, 13, 19, 10, 4], batch: 7, crossed: 'last', because: 'A and dZ apart in the last layer' },
  { widths: [9, 21, 34], batch: 129, crossed: true, because: 'two layers, A and dZ apart' },
])('$widths at batch $batch: $because', async ({ because: _, ...net }) => {
  await expectWithin(net, momentum, SMALL);
});

test.for<Net & { because: string }>([
  { widths: [16, 10], batch: 12, source: 'bytes', because: 'rows are whole words' },
  { widths: [17, 10, 7], batch: 12, source: 'bytes', because: 'rows are not whole words' },
  { widths: [36, 9, 6], batch: 10, rows: 7, source: 'bytes', because: 'a partial batch repeats its last row' },
  { widths: [6, 3], batch: 5, rows: 1, source: 'bytes', because: 'one row counts' },
  { widths: [20, 9], batch: 8, rows: 6, source: 'floats', because: 'floats, a partial batch' },
  { widths: [13, 18, 3], batch: 7, source: 'floats', crossed: true, because: 'floats, A and dZ apart' },
])('$widths at batch $batch from $source of a data set: $because', async ({ because: _, ...net }) => {
  await expectWithin(net, momentum, SMALL);
});

test.for<Hyper>([
  {},
  { momentum: 0.9 },
  { momentum: 0.9, dampening: 0.3 },
  { dampening: 0.3 },
  { momentum: 0.9, nesterov: true },
  { weightDecay: 0.2 },
  { momentum: 0.8, nesterov: true, weightDecay: 0.03 },
])('sgd with %j', async (hyper) => {
  await expectWithin({ widths: [8, 6, 5], batch: 4 }, hyper, SMALL);
});

test.for<Net>([
  { widths: [67, 71, 10], batch: 30 },
  { widths: [68, 40, 33, 9], batch: 13, rows: 11, source: 'bytes', crossed: true },
])('tiles of all sizes give the same bits, so that one can take over from another: $widths', async (net) => {
  const small = await expectWithin(net, momentum, SMALL);
  for (const variant of LARGER) {
    expect(new Uint8Array((await expectWithin(net, momentum, variant)).buffer), variant).toEqual(
      new Uint8Array(small.buffer),
    );
  }
});

test('a parameter that is not finite is noted once, with its first step and its layer', async () => {
  const gpu = await sharedGpu();
  const { layers, parameters } = make(gpu, { widths: [5, 9, 6, 3], batch: 4 });
  const status = Tensor.empty(gpu, [4], 'status', 'u32');
  const none = 0xffffffff;
  const run = async (index: number, changes: Readonly<Record<number, number>>): Promise<number[]> => {
    const values = Float32Array.from(parameters, (value, i) => changes[i] ?? value);
    const p = Tensor.from(gpu, values, [values.length]);
    const v = Tensor.empty(gpu, [values.length]);
    const step = { first: 0, rows: 4, index, learning_rate: 1 };
    gpu.run([weightUpdate(layers, p, v, {}, status, step)]);
    return [...(await status.read())];
  };
  status.write(new Uint32Array(4).fill(none));
  const second = layers[1]?.start ?? 0;
  // Between the layers nothing counts.
  expect(await run(3, { [second - 1]: Number.NaN })).toEqual([none, none, none, none]);
  expect(await run(4, { [second + 10 * 6 - 1]: Number.NaN })).toEqual([none, none, 4, none]);
  expect(await run(5, { [second]: Number.POSITIVE_INFINITY, 0: Number.NaN })).toEqual([none, 5, 4, none]);
  expect(await run(6, { [(layers[2]?.start ?? 0) + 7 * 3 - 1]: Number.NaN })).toEqual([none, 5, 4, 6]);
});

test('what does not fit is refused, with the shapes', async () => {
  const gpu = await sharedGpu();
  const tensor = (...shape: number[]): Tensor => Tensor.empty(gpu, shape);
  const status = Tensor.empty(gpu, [4], 'status', 'u32');
  const step = { first: 0, rows: 1, index: 0, learning_rate: 1 };
  const dZ = tensor(4, 3);
  const layer = { A: tensor(4, 2), dZ, start: 0, bias: true };
  const call = (layers: readonly UpdatedLayer[], p = tensor(64), v = tensor(64), words = status): Dispatch =>
    weightUpdate(layers, p, v, {}, words, step);
  expect(call([layer]).label).toBe('weight-update 3×3 ×4');
  expect(() => call([])).toThrow(`there are 0 layers; it takes 1 to ${MOST_LAYERS}.`);
  expect(() => call(new Array(MOST_LAYERS + 1).fill(layer))).toThrow(`there are ${MOST_LAYERS + 1} layers`);
  expect(() => call([{ ...layer, A: tensor(5, 2) }])).toThrow('of layer 0 A is (5, 2) and dZ is (4, 3); they are');
  expect(() => call([layer], tensor(8), tensor(8))).toThrow(
    'layer 0 has parameters up to 9 and word 1 of status, but there are 8 parameters and 4 words.',
  );
  expect(() => call([layer], tensor(64), tensor(65))).toThrow('64 parameters and 65 velocities');
  expect(() => call([{ ...layer, number: 3 }])).toThrow('layer 3 has parameters up to 9 and word 4 of status');
  const arena = tensor(40);
  const beside = { A: dZ, dZ, start: 0, bias: true };
  const apart = { A: arena.view(0, [4, 3]), dZ, start: 0, bias: true };
  const stray = { A: tensor(4, 3), dZ: tensor(4, 1), start: 0, bias: true };
  expect(() => call([layer, stray])).toThrow('have the operands of the first layer, but not those of 1 others.');
  expect(() => call([layer, beside, apart])).not.toThrow();
  expect(() => call([layer], arena.view(0, [30]), tensor(30))).not.toThrow();
  expect(() => call([layer, apart], arena.view(0, [30]), tensor(30))).toThrow('Give parameters a tensor of its own');
});
