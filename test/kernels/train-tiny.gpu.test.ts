import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.js';
import { type Activation, type ActivationRowName, activationNames } from '../../src/kernels/activations.js';
import {
  type Gpu,
  predictTiny,
  type RowSource,
  Tensor,
  type TinyNet,
  type TinyOptimizer,
  trainTiny,
} from '../../src/kernels.js';
import type { Dispatch, StepValues } from '../../src/plan/dispatch.js';
import { upload as uploadData } from '../../src/plan/tensor.js';
import { type Bounded, exact } from '../reference/bounded.js';
import * as reference from '../reference/gather-rows.js';
import { predict, type ReferenceBatch, type ReferenceLayer } from '../reference/mlp.js';
import * as tiny from '../reference/train-tiny.js';
import { outsideOfBounds } from '../support/bounds.js';
import { Guarded, sharedGpu } from '../support/gpu.js';
import { expectLateTotals, lateTotals } from '../support/totals.js';

const NONE = 0xffffffff;
const learningRate = 0.05;

type Hyper = Omit<TinyOptimizer, 'velocity'>;

interface Problem extends TinyNet {
  readonly samples: number;
  readonly bytes?: boolean;
  readonly probabilities?: boolean;
  readonly hyper?: Hyper;
}

const padded = (count: number): number => Math.ceil(count / 64) * 64;

/** Everything that a run starts from, on the host. */
function inputsOf({ sizes, samples, activation, bytes, probabilities }: Problem) {
  const random = new Random(7);
  const [features = 1] = sizes;
  const classes = sizes.at(-1) ?? 1;
  const count = samples * features;
  const data = bytes
    ? Uint8Array.from({ length: count }, () => random.integer(256))
    : Float32Array.from({ length: count }, () => random.uniform(-200, 200));
  const likelihoods = Float32Array.from({ length: samples * classes }, () => random.uniform(0, 2 / classes));
  const indices = Uint32Array.from({ length: samples }, () => random.integer(classes));
  const layers = sizes.slice(1).map((units, l): ReferenceLayer => {
    const values = (length: number, scale: number): number[] =>
      Array.from({ length }, () => random.uniform(-scale, scale));
    const inputs = sizes[l] ?? 1;
    return {
      W: exact([inputs, units], values(inputs * units, 1.5 / Math.sqrt(inputs))),
      b: exact([1, units], values(units, 0.3)),
      activation: l < sizes.length - 2 ? activation : 'linear',
    };
  });
  return {
    data,
    labels: probabilities ? likelihoods : indices,
    words: probabilities ? classes : 1,
    order: random.shuffled(samples),
    scale: Array.from({ length: features }, () => random.uniform(0.004, 0.006)),
    shift: Array.from({ length: features }, () => random.uniform(-0.3, 0.3)),
    layers,
  };
}

/** Layers in one flat tensor, each from a multiple of 64 elements on. @param filler of the gaps */
function flat(layers: readonly { readonly W: Bounded; readonly b: Bounded }[], filler = 0): Bounded {
  const part = (of: 'values' | 'bound', gap: number): number[] =>
    layers.flatMap(({ W, b }) => {
      const length = W.values.length + b.values.length;
      return [...W[of], ...b[of], ...new Array<number>(padded(length) - length).fill(gap)];
    });
  const values = Float64Array.from(part('values', filler));
  return { shape: [1, values.length], values, bound: Float64Array.from(part('bound', 0)) };
}

/** The batches of a run as the reference takes them. */
function batchesOf(problem: Problem, run: { readonly first: number; readonly rows: number }): ReferenceBatch[] {
  const { data, labels, words, order, scale, shift } = inputsOf(problem);
  const { batch, sizes } = problem;
  const bits = new Uint32Array(labels.buffer);
  return Array.from({ length: Math.ceil(run.rows / batch) }, (_, number) => {
    const rows = Math.min(batch, run.rows - number * batch);
    const options = { first: run.first + number * batch, rows, batch, scale, shift };
    const chosen = reference.gatherLabels(bits, words, order, options);
    return {
      X: reference.gatherRows(data, sizes[0] ?? 1, order, options),
      labels: labels instanceof Uint32Array ? chosen : new Float32Array(chosen.buffer),
      rows,
    };
  });
}

/** A problem on the GPU. */
class Run {
  readonly #gpu: Gpu;
  readonly #problem: Problem;
  readonly source: RowSource;
  readonly parameters: Guarded;
  readonly velocity: Guarded;
  readonly results: Guarded;
  readonly status: Tensor<'u32'>;

  constructor(gpu: Gpu, problem: Problem) {
    this.#gpu = gpu;
    this.#problem = problem;
    const { sizes, samples, batch } = problem;
    const { data, labels, words, order, scale, shift, layers } = inputsOf(problem);
    const [features = 1] = sizes;
    const start = flat(layers);
    this.source = {
      data: uploadData<'u8' | 'f32'>(gpu, data, [samples, features], 'data') as RowSource['data'],
      labels: uploadData<'u32' | 'f32'>(gpu, labels, [samples, words], 'labels') as RowSource['labels'],
      order: uploadData<'u32'>(gpu, order, [samples], 'order'),
      normalization: Tensor.from(
        gpu,
        scale.flatMap((s, c) => [s, shift[c] ?? 0]),
        [features, 2],
      ),
    };
    this.parameters = new Guarded(gpu, [start.values.length], start.values);
    this.velocity = new Guarded(gpu, [start.values.length], new Float32Array(start.values.length));
    this.results = new Guarded(gpu, [5, batch], new Float32Array(5 * batch));
    this.status = Tensor.empty(gpu, [sizes.length], 'status', 'u32');
    this.status.write(new Uint32Array(sizes.length).fill(NONE));
  }

  /** @param training whether anything is learned */
  dispatch(step: Partial<StepValues>, training = true): Dispatch {
    const outputs = { results: this.results.tensor, status: this.status };
    const optimizer = training ? { ...this.#problem.hyper, velocity: this.velocity.tensor } : undefined;
    const values = { first: 0, rows: this.#problem.samples, index: 0, learning_rate: learningRate, ...step };
    return trainTiny(this.#problem, this.source, this.parameters.tensor, outputs, optimizer, values);
  }

  run(...dispatches: Dispatch[]): this {
    this.#gpu.run(dispatches);
    return this;
  }

  async read() {
    return {
      parameters: await this.parameters.read(),
      velocity: await this.velocity.read(),
      results: folded(await this.results.read(), this.#problem.batch),
      status: await this.status.read(),
    };
  }
}

/** The results (5, batch) as (3, batch): each sum with its low part, and the last losses. */
function folded(results: Float32Array, batch: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: 3 * batch }, (_, i) =>
    i < 2 * batch ? (results[i] ?? NaN) + (results[2 * batch + i] ?? NaN) : (results[2 * batch + i] ?? NaN),
  );
}

/** The dispatch with another number of invocations. */
function withThreads(call: Dispatch, THREADS: number): Dispatch {
  const programs = call.programs.map((program) => ({ ...program, overrides: { ...program.overrides, THREADS } }));
  return { ...call, programs: programs.slice(0, 1) };
}

const problems: readonly (Problem & { readonly because: string })[] = [
  { sizes: [1, 1], activation: 'linear', batch: 1, samples: 3, hyper: { weightDecay: 0.1 }, because: 'the smallest' },
  { sizes: [1, 1, 1], activation: 'relu', batch: 2, samples: 5, hyper: { weightDecay: 0.1 }, because: 'one of each' },
  { sizes: [2, 4, 2], activation: 'tanh', batch: 4, samples: 16, hyper: { momentum: 0.9 }, because: 'XOR' },
  { sizes: [2, 16, 2], activation: 'relu', batch: 4, samples: 16, hyper: { momentum: 0.5 }, because: 'the bench' },
  { sizes: [4, 16, 3], activation: 'softplus', batch: 17, samples: 60, because: 'Iris, a partial batch, no momentum' },
  {
    sizes: [3, 5, 4, 2],
    activation: 'gelu',
    batch: 5,
    samples: 12,
    bytes: true,
    probabilities: true,
    hyper: { momentum: 0.8, nesterov: true, weightDecay: 0.03 },
    because: 'bytes that begin within a word, probabilities, a derivative in z',
  },
  { sizes: [5, 3], activation: 'linear', batch: 3, samples: 9, bytes: true, because: 'one layer' },
  {
    sizes: [6, 9, 7],
    activation: 'sigmoid',
    batch: 8,
    samples: 23,
    probabilities: true,
    hyper: { momentum: 0.5, dampening: 0.3, weightDecay: 0.2 },
    because: 'dampening, more weights than a block has',
  },
  {
    sizes: [2, 3, 2, 3, 2, 3, 2, 3, 2],
    activation: { type: 'leakyRelu', alpha: 0.3 },
    batch: 2,
    samples: 6,
    because: 'as many layers as there can be',
  },
];
const nameOf = ({ sizes, batch }: TinyNet): string => `${sizes.join('-')} batch ${batch}`;
const named = problems.map((problem) => ({ ...problem, name: nameOf(problem) }));

/** Compares what a run has left with the reference. */
async function expectReference(run: Run, problem: Problem, training = true): Promise<void> {
  const { layers } = inputsOf(problem);
  const batches = batchesOf(problem, { first: 0, rows: problem.samples });
  const options = training ? { learningRate, ...problem.hyper } : undefined;
  const expected = tiny.trainTiny(layers, batches, options);
  const { parameters, velocity, results, status } = await run.read();
  expect(results).toBeWithin(expected.results, 'results');
  expect(parameters).toBeWithin(flat(expected.layers), 'parameters');
  expect([...status]).toEqual(new Array(problem.sizes.length).fill(NONE));
  if (!training) return;
  // Without momentum there is none.
  if ((problem.hyper?.momentum ?? 0) === 0) expect(velocity.every((v) => v === 0)).toBe(true);
  else expect(velocity).toBeWithin(flat(expected.velocities), 'velocity');
  // The bounds must tell these weights from those of one step fewer.
  const earlier = tiny.trainTiny(layers, batches.slice(0, -1), options);
  expect(outsideOfBounds(parameters, { ...flat(expected.layers), values: flat(earlier.layers).values })).toBeDefined();
}

test.for(named)('a run of $name gives the weights and sums of the float64 reference: $because', async (problem) => {
  const run = new Run(await sharedGpu(), problem);
  await expectReference(run.run(run.dispatch({})), problem);
});

const withParameter: Readonly<Partial<Record<ActivationRowName, Activation>>> = {
  geluTanh: { type: 'gelu', approximate: 'tanh' },
  elu: { type: 'elu', alpha: 0.7 },
  swish: { type: 'swish', beta: 1.3 },
};
test.for(activationNames)('%s', async (name) => {
  const activation = withParameter[name] ?? (name as Activation);
  const problem: Problem = { sizes: [3, 4, 2], activation, batch: 3, samples: 8 };
  const run = new Run(await sharedGpu(), problem);
  await expectReference(run.run(run.dispatch({})), problem);
});

test.for(named)('$name: a dispatch of many steps gives the bits of many dispatches of one', async (problem) => {
  const gpu = await sharedGpu();
  const [together, apart] = [new Run(gpu, problem), new Run(gpu, problem)];
  const { samples, batch } = problem;
  together.run(together.dispatch({}));
  for (let first = 0; first < samples; first += batch) {
    apart.run(apart.dispatch({ first, rows: Math.min(batch, samples - first), index: first / batch }));
  }
  expect(await apart.read()).toEqual(await together.read());
});

test.for(named)('$name: the bits do not depend on the number of invocations', async (problem) => {
  const gpu = await sharedGpu();
  const few = new Run(gpu, problem);
  const expected = await few.run(withThreads(few.dispatch({}), 1)).read();
  for (const threads of [7, 64]) {
    const run = new Run(gpu, problem);
    expect(await run.run(withThreads(run.dispatch({}), threads)).read(), `${threads}`).toEqual(expected);
  }
});

test.for(named)('$name: an evaluation has the sums, and changes nothing else', async (problem) => {
  const run = new Run(await sharedGpu(), problem);
  const before = await run.read();
  const after = await run.run(run.dispatch({}, false)).read();
  expect({ ...after, results: before.results }).toEqual(before);
  await expectReference(run, problem, false);
});

test.for(named)('$name: a prediction has the logits of every row, and no others', async (problem) => {
  const gpu = await sharedGpu();
  const run = new Run(gpu, problem);
  const classes = problem.sizes.at(-1) ?? 1;
  const step = { first: 1, rows: problem.samples - 1, index: 0, learning_rate: 0 };
  const logits = new Guarded(gpu, [problem.samples, classes]);
  run.run(predictTiny(problem, run.source, run.parameters.tensor, logits.tensor, step));
  const actual = await logits.read();
  for (const [number, { X, rows = 0 }] of batchesOf(problem, step).entries()) {
    const { values, bound } = predict(inputsOf(problem).layers, X);
    const [start, length] = [number * problem.batch * classes, rows * classes];
    const expected: Bounded = {
      shape: [rows, classes],
      values: values.slice(0, length),
      bound: bound.slice(0, length),
    };
    expect(actual.slice(start, start + length)).toBeWithin(expected, `batch ${number}`);
  }
  expect(actual.slice(-classes).every(Number.isNaN)).toBe(true);
});

const xor: Problem = { sizes: [2, 4, 2], activation: 'relu', batch: 4, samples: 12 };

test('sums go on from dispatch to dispatch', async () => {
  const run = new Run(await sharedGpu(), xor);
  const once = await run.run(run.dispatch({}, false)).read();
  const twice = await run.run(run.dispatch({}, false)).read();
  for (const [i, sum] of once.results.subarray(0, 8).entries()) {
    // Three sums each of at most twice the first: six roundings.
    expect(Math.abs((twice.results[i] ?? NaN) - 2 * sum)).toBeLessThanOrEqual(6 * 2 ** -23 * 2 * sum);
  }
  expect(twice.results.subarray(8)).toEqual(once.results.subarray(8));
});

test('sums over many steps keep what they would lose', async () => {
  const run = new Run(await sharedGpu(), { ...xor, samples: 4 });
  const { results } = await run.run(run.dispatch({}, false)).read();
  const last = results.slice(8);
  const hits = results.slice(4, 8);
  run.results.tensor.view(0, [4, 4]).write(lateTotals(4));
  for (let step = 0; step < 9; step++) run.run(run.dispatch({}, false));
  expectLateTotals((await run.results.read()).slice(0, 16), last, hits, 9);
});

test('a loss that is not finite is noted with its step, and those before it are not', async () => {
  const run = new Run(await sharedGpu(), xor);
  const { order } = inputsOf(xor);
  const data = inputsOf(xor).data as Float32Array<ArrayBuffer>;
  data[2 * (order[5] ?? 0)] = Number.POSITIVE_INFINITY; // row 1 of the second step
  run.source.data.write(data as never);
  const { status, results } = await run.run(run.dispatch({ index: 7 }, false)).read();
  expect([...status]).toEqual([8, NONE, NONE]);
  expect([...results.subarray(0, 4)].map(Number.isFinite)).toEqual([true, false, true, true]);
});

test('a bad sample in a row that does not count is not noted', async () => {
  const run = new Run(await sharedGpu(), xor);
  const { order } = inputsOf(xor);
  const data = inputsOf(xor).data as Float32Array<ArrayBuffer>;
  data[2 * (order[6] ?? 0)] = Number.NaN; // beyond the two rows of the second step
  run.source.data.write(data as never);
  const { status, parameters } = await run.run(run.dispatch({ rows: 6 })).read();
  expect([...status]).toEqual([NONE, NONE, NONE]);
  expect(parameters.every(Number.isFinite)).toBe(true);
});

test('a parameter that is not finite is noted with its first step and its layer', async () => {
  const run = new Run(await sharedGpu(), xor);
  const flatParameters = await run.parameters.tensor.read();
  flatParameters[64 + 4 * 2 + 1] = 3e38; // a bias of the last layer; 3e38·(1 − 0.05·100) is not finite
  run.parameters.tensor.write(flatParameters);
  const problem = { ...xor, hyper: { weightDecay: 100 } };
  const outputs = { results: run.results.tensor, status: run.status };
  const step = { first: 0, rows: 12, index: 4, learning_rate: learningRate };
  const optimizer = problem.hyper;
  run.run(trainTiny(problem, run.source, run.parameters.tensor, outputs, optimizer, step));
  expect((await run.status.read())[2]).toBe(4);
});

test('shapes that do not fit are refused', async () => {
  const run = new Run(await sharedGpu(), xor);
  const { source, parameters, results, status, velocity } = run;
  const step = { first: 0, rows: 4, index: 0, learning_rate: 0 };
  const outputs = { results: results.tensor, status };
  const optimizer = { momentum: 0.5, velocity: velocity.tensor };
  const label = 'train-tiny 2-4-2 batch 4: ';
  const refused = (net: TinyNet, changed: Partial<typeof outputs & typeof optimizer>, message: string): void => {
    const [o, v] = [
      { ...outputs, ...changed },
      { ...optimizer, ...changed },
    ];
    expect(() => trainTiny(net, source, parameters.tensor, o, v, step)).toThrow(message);
  };
  refused(xor, { velocity: results.tensor }, `${label}there are 20 elements of velocity; there must be 128.`);
  expect(() => trainTiny(xor, source, parameters.tensor, outputs, { momentum: 0.5 }, step)).toThrow(
    `${label}momentum = 0.5 needs a velocity.`,
  );
  refused(xor, { results: velocity.tensor }, `${label}there are undefined columns of results; there must be 4.`);
  refused({ ...xor, sizes: [3, 4, 2] }, {}, 'there are 2 columns of data; there must be 3.');
  refused({ ...xor, sizes: [2, 80, 2] }, {}, 'there are 128 elements of parameters; there must be 448.');
  refused({ ...xor, batch: 5 }, {}, 'there are 4 columns of results; there must be 5.');
  refused({ ...xor, sizes: [2, 4, 3, 2] }, {}, 'there are 128 elements of parameters; there must be 192.');
  expect(() => predictTiny(xor, source, parameters.tensor, results.tensor, step)).toThrow(
    'predict-tiny 2-4-2 batch 4: there are 4 columns of results; there must be 2.',
  );
});
