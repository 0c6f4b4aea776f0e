import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as api from '../src/index.js';
import { FakeDevice } from './support/fake-device.js';
import { type SmallTraining, smallTraining } from './support/small-training.js';

/** What plain JavaScript can pass in the place of an argument; each is of another type. */
const WRONG: Readonly<Record<string, unknown>> = {
  nothing: undefined,
  null: null,
  'a text': 'text',
  'a number': 0.5,
  'a boolean': true,
  'a function': () => 1,
  'an array': [],
  'an empty object': {},
  'a promise': Promise.resolve(1),
  'a bigint': 1n,
};

/** A call of the public API. */
interface Call {
  /** Right arguments. */
  readonly args: readonly unknown[];
  run(...args: unknown[]): unknown;
  /** Number of arguments, from the first on, that cannot be left out. Default: 0. */
  readonly required?: number;
  /** True if the last argument is an object of options, so that it has names. */
  readonly options?: true;
  /** Kinds of `WRONG` that an argument takes, by its position. */
  readonly takes?: Readonly<Record<number, readonly string[]>>;
}

type Method = (...args: unknown[]) => unknown;

/** Calls a function of the API without its types. */
const free = (call: unknown): Method => call as Method;

const device = new FakeDevice();
const gpuDevice = { createBuffer: () => undefined, features: new Set(), limits: {}, lost: new Promise(() => {}) };
/** A name for messages: nothing depends on it. */
const anything = Object.keys(WRONG);
const isEmpty = ['an empty object'];
const layers = [api.dense(3, 'relu'), api.dense(2)];
const samples = { inputs: [0, 1, 2, 3], features: 2, classes: [0, 1] };
const training = { loss: api.softmaxCrossEntropy(), optimizer: api.adam(), batchSize: 2 };
const options = { options: true } as const;

/** Calls that need no model, by the name of the function. */
const plain: Readonly<Record<string, Call>> = {
  ...Object.fromEntries(
    [
      ['adagrad', {}],
      ['adam', {}],
      ['adamw', {}],
      ['rmsprop', {}],
      ['batchNorm', {}],
      ['layerNorm', {}],
      ['binaryCrossEntropy', {}],
      ['huber', {}],
      ['logCosh', {}],
      ['meanAbsoluteError', {}],
      ['meanSquaredError', {}],
      ['softmaxCrossEntropy', {}],
      ['constant', {}],
      ['reduceOnPlateau', {}],
      ['accuracy', {}],
      ['auc', {}],
      ['classificationError', {}],
      ['confusionMatrix', {}],
      ['f1', {}],
      ['mae', {}],
      ['precision', {}],
      ['r2', {}],
      ['recall', {}],
      ['xor', {}],
    ].map(([name, given]) => [
      name as string,
      {
        args: [given],
        run: free(Object.entries(api).find(([own]) => own === name)?.[1]),
        ...options,
        takes: { 0: isEmpty },
      },
    ]),
  ),
  sgd: { args: [{ learningRate: 0.1 }], run: free(api.sgd), required: 1, ...options },
  cosine: { args: [{ epochs: 2 }], run: free(api.cosine), required: 1, ...options },
  stepDecay: { args: [{ every: 2 }], run: free(api.stepDecay), required: 1, ...options },
  exponentialDecay: { args: [{ factor: 0.5 }], run: free(api.exponentialDecay), required: 1, ...options },
  warmUp: { args: [{ epochs: 2 }], run: free(api.warmUp), required: 1, ...options },
  moons: { args: [{ samples: 4 }], run: free(api.moons), required: 1, ...options },
  spirals: { args: [{ samples: 4 }], run: free(api.spirals), required: 1, ...options },
  topK: { args: [2], run: free(api.topK) },
  // The layers themselves are checked by Mlp.create, which names their places.
  dense: {
    args: [3, 'relu', {}],
    run: (...args) => api.Mlp.create(device, { inputs: 2, layers: [free(api.dense)(...args) as api.Layer] }),
    required: 1,
    ...options,
    takes: { 2: isEmpty },
  },
  activation: {
    args: ['relu', {}],
    run: (...args) => api.Mlp.create(device, { inputs: 2, layers: [free(api.activation)(...args) as api.Layer] }),
    required: 1,
    ...options,
    takes: { 1: isEmpty },
  },
  dropout: {
    args: [0.25],
    run: (...args) => api.Mlp.create(device, { inputs: 2, layers: [free(api.dropout)(...args) as api.Layer] }),
    required: 1,
    takes: { 0: ['a number'] },
  },
  residual: {
    args: [[api.dense(2)], {}],
    run: (...args) => api.Mlp.create(device, { inputs: 2, layers: [free(api.residual)(...args) as api.Layer] }),
    required: 1,
    ...options,
    takes: { 1: isEmpty },
  },
  'Dataset.create': { args: [device, samples], run: free(api.Dataset.create), required: 2, ...options },
  'Dataset.stream': {
    args: [device, { length: 2, features: 2, read: () => samples }],
    run: free(api.Dataset.stream),
    required: 2,
    ...options,
  },
  'Dataset.fromCsv': {
    args: [device, 'a,b\n1,0\n2,1\n', { target: 'b' }],
    run: free(api.Dataset.fromCsv),
    required: 3,
    ...options,
  },
  'Dataset.fromRows': {
    args: [
      device,
      [
        { a: 1, b: 0 },
        { a: 2, b: 1 },
      ],
      { target: 'b' },
    ],
    run: free(api.Dataset.fromRows),
    required: 3,
    ...options,
  },
  'Dataset.fromIdx': {
    args: [device, Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 1, 5), Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 1, 0), {}],
    run: free(api.Dataset.fromIdx),
    required: 3,
    ...options,
    takes: { 3: isEmpty },
  },
  'Gpu.request': { args: [{}], run: free(api.Gpu.request), ...options },
  'Gpu.from': { args: [gpuDevice, {}], run: free(api.Gpu.from), required: 1, ...options, takes: { 1: isEmpty } },
  'Mlp.create': { args: [device, { inputs: 2, layers }], run: free(api.Mlp.create), required: 2, ...options },
  'Tensor.from': { args: [device, [1, 2], [2], 'x'], run: free(api.Tensor.from), required: 3, takes: { 3: anything } },
  'Tensor.empty': {
    args: [device, [2], 'x', 'f32'],
    run: free(api.Tensor.empty),
    required: 2,
    takes: { 1: ['an array'], 2: anything },
  },
};

/** Calls of methods, and of functions that need a model or its file. */
async function bound({ model, trainer, data, x, y }: SmallTraining): Promise<Readonly<Record<string, Call>>> {
  const bytes = await model.save();
  const checkpoint = await trainer.checkpoint();
  const tensor = api.Tensor.from(device, [1, 2, 3, 4], [4]);
  const buffer = device.allocate(16, 'own');
  const on = (self: object, method: unknown): Method => free(method).bind(self) as Method;
  const folding = { model: { inputs: 5, layers: [api.dense(3)] }, trainer: training, fit: { epochs: 0 } };
  return {
    crossValidate: {
      args: [device, folding, data, { folds: 2 }],
      run: free(api.crossValidate),
      required: 3,
      ...options,
      takes: { 3: isEmpty },
    },
    'Mlp.load': { args: [device, bytes, {}], run: free(api.Mlp.load), required: 2, ...options, takes: { 2: isEmpty } },
    'mlp.trainer': { args: [training], run: on(model, model.trainer), required: 1, ...options },
    'mlp.predict': {
      args: [x, {}],
      run: on(model, model.predict),
      required: 1,
      ...options,
      takes: { 0: ['an array'], 1: isEmpty },
    },
    'mlp.setWeights': { args: [await model.weights()], run: on(model, model.setWeights), required: 1 },
    'mlp.save': { args: [{}], run: on(model, model.save), ...options, takes: { 0: isEmpty } },
    'mlp.loadWeights': { args: [bytes], run: on(model, model.loadWeights), required: 1 },
    'trainer.step': { args: [x, y], run: on(trainer, trainer.step), required: 2 },
    'trainer.fit': { args: [data, { epochs: 0 }], run: on(trainer, trainer.fit), required: 2, ...options },
    'trainer.evaluate': {
      args: [data, {}],
      run: on(trainer, trainer.evaluate),
      required: 1,
      ...options,
      takes: { 1: isEmpty },
    },
    'trainer.gradients': { args: [x, y], run: on(trainer, trainer.gradients), required: 2 },
    'trainer.checkGradients': {
      args: [x, y, {}],
      run: on(trainer, trainer.checkGradients),
      required: 2,
      ...options,
      takes: { 2: isEmpty },
    },
    'trainer.diagnose': {
      args: [data, {}],
      run: on(trainer, trainer.diagnose),
      required: 1,
      ...options,
      takes: { 1: isEmpty },
    },
    'trainer.lossSurface': {
      args: [data, { points: 1 }],
      run: on(trainer, trainer.lossSurface),
      required: 1,
      ...options,
      takes: { 1: isEmpty },
    },
    'trainer.restore': { args: [checkpoint], run: on(trainer, trainer.restore), required: 1 },
    'dataset.split': {
      args: [0.25, {}],
      run: on(data, data.split),
      required: 1,
      ...options,
      takes: { 0: ['a number'], 1: isEmpty },
    },
    'dataset.statistics': { args: [{}], run: on(data, data.statistics), ...options, takes: { 0: isEmpty } },
    'tensor.view': {
      args: [0, [2], 'x'],
      run: on(tensor, tensor.view),
      required: 2,
      takes: { 1: ['an array'], 2: anything },
    },
    'tensor.write': { args: [Float32Array.of(1)], run: on(tensor, tensor.write), required: 1 },
    'Tensor.wrap': {
      args: [buffer, [4], {}],
      run: free(api.Tensor.wrap),
      required: 2,
      ...options,
      takes: { 1: ['an array'], 2: isEmpty },
    },
  };
}

/** Methods without arguments. */
const WITHOUT_ARGUMENTS = [
  'mlp.summary',
  'mlp.weights',
  'mlp.dispose',
  'trainer.pause',
  'trainer.resume',
  'trainer.averaged',
  'trainer.loss',
  'trainer.checkpoint',
  'trainer.dispose',
  'dataset.targetStatistics',
  'dataset.dispose',
  'tensor.read',
  'tensor.dispose',
];
/** Methods of a `Gpu`, which needs WebGPU: they are not tried here. */
const IN_A_BROWSER = ['gpu.run', 'gpu.bufferOf', 'gpu.profile', 'gpu.destroy'];

/** The modules of the classes, in which members are marked as internal. */
const MODULES = {
  Dataset: 'data/dataset',
  Gpu: 'gpu/gpu',
  Mlp: 'mlp',
  Tensor: 'plan/tensor',
  Trainer: 'train/trainer',
};

/** Names of the members of a class that apps do not see. */
function internal(name: string): readonly string[] {
  const file = new URL(`../src/${MODULES[name as keyof typeof MODULES]}.ts`, import.meta.url);
  const marks = /\/\*\*(?:(?!\*\/)[\s\S])*@internal(?:(?!\*\/)[\s\S])*\*\/\s+(?:(?:static|async|get|readonly) )*(\w+)/g;
  return [...readFileSync(file, 'utf8').matchAll(marks)].map(([, member = '']) => member);
}

/** Names of everything in the API that can be called. */
function publicCalls(): string[] {
  return Object.entries(api).flatMap(([name, value]) => {
    if (value === api.MlpError || value.prototype instanceof api.MlpError) return [];
    if (!/^class /.test(Function.prototype.toString.call(value))) return [name];
    const hidden = ['constructor', 'length', 'name', 'prototype', ...internal(name)];
    const methods = (of: object): string[] =>
      Object.getOwnPropertyNames(of).filter(
        (member) =>
          !hidden.includes(member) && typeof Object.getOwnPropertyDescriptor(of, member)?.value === 'function',
      );
    const own = name[0]?.toLowerCase() + name.slice(1);
    return [
      ...methods(value).map((member) => `${name}.${member}`),
      ...methods(value.prototype).map((member) => `${own}.${member}`),
    ];
  });
}

/** The outcome of a call: an error of the library, any other error, or none. */
async function outcomeOf(call: () => unknown): Promise<string> {
  try {
    await call();
    return 'accepted';
  } catch (error) {
    return error instanceof api.MlpError ? 'refused' : `failed: ${String(error)}`;
  }
}

/** Calls with one wrong argument each, and the outcome that each must have. */
function* wrongCalls({
  args,
  run,
  required = 0,
  takes = {},
}: Call): Generator<readonly [string, () => unknown, string]> {
  for (const position of args.keys()) {
    for (const [kind, value] of Object.entries(WRONG)) {
      const isTaken = (value === undefined && position >= required) || takes[position]?.includes(kind) === true;
      const changed = args.with(position, value);
      yield [`argument ${position} is ${kind}`, () => run(...changed), isTaken ? 'accepted' : 'refused'];
    }
  }
  if (required > 0) yield ['no arguments', () => run(), 'refused'];
}

test('every function and method of the API has a case', async () => {
  const cases = [...Object.keys(plain), ...Object.keys(await bound(await smallTraining({ device })))];
  expect([...cases, ...WITHOUT_ARGUMENTS, ...IN_A_BROWSER].sort()).toEqual(publicCalls().sort());
});

test('no argument of another type does anything but throw a typed error', async () => {
  const wrong: string[] = [];
  const calls = { ...plain, ...(await bound(await smallTraining({ device }))) };
  for (const [name, call] of Object.entries(calls)) {
    for (const [what, run, expected] of wrongCalls(call)) {
      const outcome = await outcomeOf(run);
      // In Node there is no WebGPU, so that every request fails.
      if (outcome !== expected && name !== 'Gpu.request') wrong.push(`${name}: ${what}: ${outcome}`);
    }
  }
  expect(wrong.join('\n')).toBe('');
});

test('every unknown option is refused by its name', async () => {
  const calls = { ...plain, ...(await bound(await smallTraining({ device }))) };
  for (const [name, { args, run, options: hasOptions }] of Object.entries(calls)) {
    if (hasOptions === undefined) continue;
    const misspelt = { ...(args.at(-1) as object), xyzzy: 1 };
    const call = async (): Promise<unknown> => await run(...args.slice(0, -1), misspelt);
    await expect(call(), name).rejects.toThrow(api.MlpError);
    await expect(call(), name).rejects.toThrow(' has no option "xyzzy". ');
  }
});

test('constructors that TypeScript knows as private refuse to be called', () => {
  for (const [name, Class] of Object.entries({
    Dataset: api.Dataset,
    Gpu: api.Gpu,
    Mlp: api.Mlp,
    Trainer: api.Trainer,
    Tensor: api.Tensor,
  })) {
    for (const args of [[], [device], [device, samples], [null], ['text', {}]]) {
      expect(() => Reflect.construct(Class, args), name).toThrow(`new ${name}: the constructor is private.`);
    }
  }
});
