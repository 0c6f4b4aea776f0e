import { expect, test } from 'vitest';
import { activationFormulas } from '../../shaders/activations.js';
import { Random } from '../../src/base/random.js';
import { type ActivationRowName, activationTable, resolveActivation } from '../../src/kernels/activations.js';
import {
  type Activation,
  denseHead,
  gatherRows,
  matmul,
  ShapeError,
  softmaxCrossEntropyRows,
  Tensor,
} from '../../src/kernels.js';
import { type AdapterTraits, candidates, type Dispatch } from '../../src/plan/dispatch.js';
import { type Bounded, exact } from '../reference/bounded.js';
import * as reference from '../reference/dense-head.js';
import { gatherLabels } from '../reference/gather-rows.js';
import { representativeActivations } from '../support/activations.js';
import { Guarded, randomMatrix, sharedGpu, unpadded } from '../support/gpu.js';
import { expectLateTotals, lateTotals } from '../support/totals.js';

const NONE = 0xffffffff;
const STEP = 7;

/** A program of the head; sliced as GPUs run it, but in fewer slices, for a CPU adapter is slow with 64. */
interface Form {
  readonly name: string;
  readonly variant: string;
  readonly overrides?: Readonly<Record<string, number>>;
}
const serial: Form = { name: 'serial', variant: 'dense-head-serial' };
const sliced: Form = { name: 'in slices', variant: 'dense-head', overrides: { SLICES: 8 } };
const forms = [serial, sliced];
/** Those that there are for so many classes. */
const formsFor = ({ classes }: Pick<Shape, 'classes'>): readonly Form[] => (classes > 16 ? [sliced] : forms);

/** The same call with the form's program alone. */
function as({ variant, overrides }: Form, call: Dispatch): Dispatch {
  const programs = call.programs
    .filter((program) => program.variant === variant)
    .map((program) => ({ ...program, overrides: { ...program.overrides, ...overrides } }));
  return { ...call, programs };
}

interface Shape {
  readonly batch: number;
  readonly inputs: number;
  readonly classes: number;
  /** How many rows are valid; all, unless it is said. */
  readonly rows?: number;
  readonly first?: number;
  /** Of the weights; Y is within ±1. */
  readonly scale?: number;
  readonly bias?: boolean;
  readonly kind?: 'indices' | 'probabilities';
  readonly below?: ActivationRowName;
}

/** Everything that the head reads. */
interface Problem extends Required<Omit<Shape, 'below' | 'scale'>> {
  readonly Y: Bounded;
  readonly parameters: Bounded;
  /** Of all samples. */
  readonly words: Uint32Array<ArrayBuffer>;
  readonly order: Uint32Array<ArrayBuffer>;
  readonly activationGradient?: { readonly activation: Activation; readonly at: Bounded };
}

function problem(shape: Shape): Problem {
  const { batch, inputs, classes, rows = batch, first = 2, scale = 1, bias = true, kind = 'indices', below } = shape;
  const samples = first + rows + 3;
  const random = new Random(4);
  const order = random.shuffled(samples);
  const words =
    kind === 'indices'
      ? Uint32Array.from({ length: samples }, () => random.integer(classes))
      : new Uint32Array(probabilities(samples, classes).buffer);
  const parameters = randomMatrix(inputs + (bias ? 1 : 0), classes, 2, scale);
  const common = { batch, inputs, classes, rows, first, bias, kind, parameters, words, order };
  if (below === undefined) return { ...common, Y: randomMatrix(batch, inputs, 1) };
  const activation: Activation = below === 'geluTanh' ? { type: 'gelu', approximate: 'tanh' } : below;
  const Z = randomMatrix(batch, inputs, 1, 3);
  const { alpha } = resolveActivation(activation);
  const [f] = activationFormulas[below].cpu;
  const Y = exact(
    [batch, inputs],
    Z.values.map((z) => f(z, alpha)),
  );
  return { ...common, Y, activationGradient: { activation, at: activationTable[below].from === 'y' ? Y : Z } };
}

function probabilities(rows: number, classes: number): Float32Array<ArrayBuffer> {
  const values = Float32Array.from(randomMatrix(rows, classes, 9).values, Math.abs);
  for (let r = 0; r < rows; r++) {
    const row = values.subarray(r * classes, (r + 1) * classes);
    const sum = row.reduce((a, b) => a + b, 0);
    for (let k = 0; k < classes; k++) row[k] = (row[k] ?? 0) / sum;
  }
  return values;
}

function expectedOf({ Y, parameters, words, order, activationGradient, batch, rows, first, classes, kind }: Problem) {
  const width = kind === 'indices' ? 1 : classes;
  const labels = gatherLabels(words, width, order, { first, rows, batch });
  return reference.denseHead(
    Y,
    parameters,
    kind === 'indices' ? labels : new Float32Array(labels.buffer),
    rows,
    activationGradient,
  );
}

interface Result {
  readonly losses: Float32Array;
  readonly gradient: Float32Array;
  readonly dX: Float32Array;
  readonly totals: Float32Array;
  readonly status: number;
}

/** What is on the GPU before a kernel runs, as a caller has it; outputs amid sentinels. */
async function operands({ batch, inputs, classes, kind, words, order, Y, parameters, activationGradient }: Problem) {
  const gpu = await sharedGpu();
  const upload = (values: Uint32Array<ArrayBuffer>, shape: readonly number[]): Tensor<'u32'> => {
    const tensor = Tensor.empty(gpu, shape, 'words', 'u32');
    tensor.write(values);
    return tensor;
  };
  // Y, and behind it the pre-activation where the activation gradient wants that: as matmul keeps the two.
  const below = Tensor.from(
    gpu,
    [...Y.values, ...(activationGradient?.at.values ?? [])],
    [activationGradient === undefined ? 1 : 2, Y.values.length],
  );
  const at =
    activationGradient?.at === Y
      ? below.view(0, Y.shape)
      : below.view(activationGradient === undefined ? 0 : Y.values.length, Y.shape);
  const status = upload(Uint32Array.of(NONE), [1]);
  const guards = {
    losses: new Guarded(gpu, [batch, 1]),
    gradient: new Guarded(gpu, [batch, classes]),
    dX: new Guarded(gpu, [batch, inputs]),
    totals: new Guarded(gpu, [4, batch], new Float32Array(4 * batch)),
  };
  return {
    gpu,
    Y: below.view(0, Y.shape, 'Y'),
    parameters: unpadded(gpu, parameters),
    source: {
      labels:
        kind === 'indices'
          ? upload(words, [order.length, 1])
          : Tensor.from(gpu, new Float32Array(words.buffer), [order.length, classes]),
      order: upload(order, [order.length]),
    },
    activationGradient: activationGradient && { activation: activationGradient.activation, at },
    outputs: { losses: guards.losses.tensor, totals: guards.totals.tensor, status },
    gradient: guards.gradient.tensor,
    dX: guards.dX.tensor,
    async read(): Promise<Result> {
      return {
        losses: await guards.losses.read(),
        gradient: await guards.gradient.read(),
        dX: await guards.dX.read(),
        totals: await guards.totals.read(),
        status: (await status.read())[0] ?? 0,
      };
    },
  };
}

const stepOf = ({ first, rows }: Problem) => ({ first, rows, index: STEP, learning_rate: 0 });

/** The head, with everything or with the losses alone. */
async function onGpu(form: Form, given: Problem, wanted: 'all' | 'gradient' | 'losses' = 'all'): Promise<Result> {
  const { gpu, Y, parameters, source, activationGradient, outputs, gradient, dX, read } = await operands(given);
  const written = {
    ...outputs,
    ...(wanted === 'losses' ? {} : { gradient, dX: wanted === 'all' ? dX : undefined }),
  };
  gpu.run([as(form, denseHead(Y, parameters, source, written, stepOf(given), activationGradient))]);
  return await read();
}

/** The same with the kernels that it stands for. */
async function plain(given: Problem): Promise<Result> {
  const { batch, inputs, classes, bias } = given;
  const { gpu, Y, parameters, source, activationGradient, outputs, gradient, dX, read } = await operands(given);
  const [W, b] = [
    parameters.view(0, [inputs, classes]),
    bias ? parameters.view(inputs * classes, [classes]) : undefined,
  ];
  const logits = Tensor.empty(gpu, [batch, classes]);
  const labels =
    source.labels.dtype === 'u32'
      ? Tensor.empty(gpu, [batch, 1], 'labels', 'u32')
      : Tensor.empty(gpu, [batch, classes], 'labels');
  const data = { data: Tensor.empty(gpu, [given.order.length, 1]), normalization: Tensor.empty(gpu, [1, 2]) };
  gpu.run([
    gatherRows({ ...source, ...data }, Tensor.empty(gpu, [batch, 1]), labels, stepOf(given)),
    matmul(Y, W, logits, b === undefined ? {} : { bias: b }),
    softmaxCrossEntropyRows(logits, labels, { ...outputs, gradient }, stepOf(given)),
    matmul(gradient, W, dX, { transposeB: true, ...(activationGradient === undefined ? {} : { activationGradient }) }),
  ]);
  return await read();
}

/** Each output within its bound of the reference, and within two bounds of what the plain kernels give. */
async function expectWithin(form: Form, shape: Shape): Promise<void> {
  const given = problem(shape);
  const { batch } = given;
  const [actual, rival] = [await onGpu(form, given), await plain(given)];
  const expected = expectedOf(given);
  for (const name of ['losses', 'gradient', 'dX'] as const) {
    expect(actual[name]).toBeWithin(expected[name], name);
    const { shape: size, bound } = expected[name];
    const twice = { shape: size, values: Float64Array.from(rival[name]), bound: bound.map((each) => 2 * each) };
    expect(actual[name]).toBeWithin(twice, `${name}, against the plain kernels,`);
  }
  expect(actual.totals.slice(0, batch)).toEqual(actual.losses);
  expect(actual.totals.slice(batch, 2 * batch)).toBeWithin(expected.correct, 'correct');
  expect(actual.status).toBe(NONE);
}

// Together they cross the edges of four rows, of a workgroup's 16, of groups of four classes and of chunks of groups.
const shapes: readonly (Shape & { readonly because: string })[] = [
  { batch: 1, inputs: 1, classes: 1, because: 'the smallest' },
  { batch: 16, inputs: 8, classes: 4, because: 'one workgroup, one group, a slice for each input' },
  { batch: 17, inputs: 7, classes: 5, because: 'one row past, one input short, one class past' },
  { batch: 15, inputs: 200, classes: 10, because: 'one row short' },
  { batch: 2, inputs: 9, classes: 3, bias: false, because: 'half of four rows, no bias' },
  { batch: 5, inputs: 11, classes: 12, because: 'three groups' },
  { batch: 33, inputs: 5, classes: 13, bias: false, because: 'four groups, or two chunks of two; no bias' },
  { batch: 6, inputs: 13, classes: 17, because: 'one class past a chunk' },
  { batch: 19, inputs: 31, classes: 64, because: 'as many classes as there may be' },
  { batch: 257, inputs: 6, classes: 7, rows: 200, first: 11, because: 'a partial batch' },
  { batch: 21, inputs: 10, classes: 10, rows: 1, first: 0, because: 'one valid row' },
  { batch: 9, inputs: 3, classes: 6, scale: 1e4, because: 'logits of ±1e4' },
];
test.for(shapes.flatMap((shape) => formsFor(shape).map((form) => ({ ...shape, form }))))(
  '$form.name: ($batch, $inputs) to $classes: $because',
  async ({ form, because: _, ...shape }) => {
    await expectWithin(form, shape);
  },
);
// Of probabilities the loss reads more, the products nothing.
test.for(
  shapes
    .filter(({ classes }) => [3, 10, 64].includes(classes))
    .flatMap((shape) => formsFor(shape).map((form) => ({ ...shape, form }))),
)('$form.name, with probabilities: ($batch, $inputs) to $classes: $because', async ({ form, because: _, ...shape }) => {
  await expectWithin(form, { ...shape, kind: 'probabilities' });
});

test.for(representativeActivations)('dX ⊙ %s′', async (below) => {
  await expectWithin(serial, { batch: 18, inputs: 9, classes: 6, below });
});
test('an activation gradient is applied once, whatever the number of chunks', async () => {
  await expectWithin(sliced, { batch: 5, inputs: 6, classes: 35, below: 'gelu' });
});
test('64 slices, as a GPU has them', async () => {
  await expectWithin({ name: 'all slices', variant: 'dense-head' }, { batch: 5, inputs: 67, classes: 10 });
});

test.for(forms)('$name: without dX and gradient the losses are the same bits', async (form) => {
  const given = problem({ batch: 18, inputs: 9, classes: 6, rows: 11 });
  const all = await onGpu(form, given);
  const some = await onGpu(form, given, 'gradient');
  const losses = await onGpu(form, given, 'losses');
  expect(some).toEqual({ ...all, dX: some.dX });
  expect(losses).toEqual({ ...all, dX: losses.dX, gradient: losses.gradient });
  // What is not asked for is not written.
  expect([some.dX, losses.dX, losses.gradient].every((values) => values.every(Number.isNaN))).toBe(true);
});

test.for(forms)('$name: the same bits twice', async (form) => {
  const given = problem({ batch: 130, inputs: 200, classes: 10, below: 'sigmoid' });
  expect(await onGpu(form, given)).toEqual(await onGpu(form, given));
});

test('totals go on from step to step', async () => {
  const given = problem({ batch: 6, inputs: 3, classes: 4 });
  const { gpu, Y, parameters, source, outputs, read } = await operands(given);
  const call = denseHead(Y, parameters, source, outputs, stepOf(given));
  gpu.run([call, call]);
  const { losses, totals } = await read();
  expect(totals.slice(0, 6)).toEqual(losses.map((loss) => loss + loss)); // a doubling is exact
  outputs.totals.write(lateTotals(6));
  gpu.run([call, call]);
  expectLateTotals(
    (await read()).totals,
    losses,
    totals.slice(6, 12).map((hits) => hits / 2),
    2,
  );
});

test.for(
  [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].flatMap((bad) =>
    (['Y', 'parameters'] as const).flatMap((where) => forms.map((form) => ({ bad, where, form }))),
  ),
)('$form.name: $bad in $where is noticed with its step', async ({ bad, where, form }) => {
  const given = problem({ batch: 18, inputs: 9, classes: 6 });
  given[where].values[where === 'Y' ? 5 * 9 + 8 : 4 * 6 + 5] = bad;
  const { losses, status } = await onGpu(form, given);
  expect(status).toBe(STEP);
  // A bad sample makes its row's loss bad, a bad weight all of them.
  expect(losses.map(Number).filter((loss) => !Number.isFinite(loss)).length).toBe(where === 'Y' ? 1 : 18);
});

test('a bad sample in a row that does not count is not noticed', async () => {
  const given = problem({ batch: 18, inputs: 9, classes: 6, rows: 17 });
  given.Y.values[17 * 9] = Number.NaN;
  expect((await onGpu(serial, given)).status).toBe(NONE);
});

test('an adapter needs ten storage buffers, and prefers the head where it is faster', async () => {
  const given = async (classes: number): Promise<Dispatch> => {
    const { Y, parameters, source, outputs } = await operands(problem({ batch: 2, inputs: 3, classes }));
    return denseHead(Y, parameters, source, outputs, { first: 0, rows: 2, index: 0, learning_rate: 0 });
  };
  const limits = {
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupStorageSize: 16384,
    maxStorageBuffersPerShaderStage: 10,
  };
  const hardware: AdapterTraits = { software: false, vendor: '', features: new Set(), limits, parallelWidth: 8 };
  const software = { ...hardware, software: true };
  const preferred = (call: Dispatch, adapter: AdapterTraits): readonly string[] =>
    candidates(call, adapter)
      .filter(({ prefers }) => prefers(adapter))
      .map(({ variant }) => variant);
  const [ten, sixteen, seventeen, most] = [await given(10), await given(16), await given(17), await given(64)];
  expect(preferred(ten, hardware)).toEqual(['dense-head']);
  expect(preferred(most, hardware)).toEqual(['dense-head']);
  expect(preferred(sixteen, software)).toEqual(['dense-head-serial']);
  expect(preferred(seventeen, software)).toEqual([]);
  const nine = { ...hardware, limits: { ...limits, maxStorageBuffersPerShaderStage: 9 } };
  expect(candidates(ten, nine)).toEqual([]);
});

test('what does not fit is refused, with the shapes', async () => {
  const gpu = await sharedGpu();
  const tensor = (...shape: number[]): Tensor => Tensor.empty(gpu, shape);
  const words = (...shape: number[]): Tensor<'u32'> => Tensor.empty(gpu, shape, 'words', 'u32');
  const step = { first: 0, rows: 4, index: 0, learning_rate: 0 };
  const outputs = { losses: tensor(4, 1), totals: tensor(2, 4), status: words(1) };
  const source = { labels: words(9, 1), order: words(9) };
  const Y = tensor(4, 3);
  const head = (parameters: Tensor, changes: object = {}, labels = source, activationGradient?: Tensor): Dispatch =>
    denseHead(
      Y,
      parameters,
      labels,
      { ...outputs, ...changes },
      step,
      activationGradient && { activation: 'tanh', at: activationGradient },
    );
  const fits = { gradient: tensor(4, 6), dX: tensor(4, 3) };
  expect(head(tensor(3, 6), fits, source, tensor(4, 3)).label).toBe('dense-head 4×6×3');
  expect(() => head(tensor(5, 6))).toThrow(
    'denseHead: parameters is (5, 6), but must be (3, 6): Y is (4, 3), parameters are (5, 6) and labels (9, 1).',
  );
  expect(() => head(tensor(3, 65))).toThrow('there are 65 classes, but it computes at most 64');
  expect(() => head(tensor(3, 6), {}, { ...source, labels: words(9, 3) })).toThrow(
    'labels is (9, 3), but must be (9, 1)',
  );
  expect(() => head(tensor(3, 6), { losses: tensor(3, 1) })).toThrow('losses is (3, 1), but must be (4, 1)');
  expect(() => head(tensor(3, 6), { totals: tensor(2, 3) })).toThrow('totals is (2, 3), but must be (2, 4)');
  expect(() => head(tensor(3, 6), { gradient: tensor(4, 3) })).toThrow('gradient is (4, 3), but must be (4, 6)');
  expect(() => head(tensor(3, 6), { ...fits, dX: tensor(4, 6) })).toThrow('dX is (4, 6), but must be (4, 3)');
  expect(() => head(tensor(3, 6), {}, source, tensor(3, 4))).toThrow(
    'activationGradient is (3, 4), but must be (4, 3)',
  );
  expect(() => head(tensor(3, 65))).toThrow(ShapeError);
});
