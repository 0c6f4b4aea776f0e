import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError, MlpError } from '../../src/base/errors.js';
import { type FileTensor, readSafetensors, writeSafetensors } from '../../src/base/safetensors.js';
import { type LayerMakers, readModelFile, readWeights, writeModelFile } from '../../src/model/file.js';
import type { ModelSpec, Weight } from '../../src/model/model.js';
import type { Normalization } from '../../src/model/normalization.js';
import { everyLayer, placeLayers } from '../../src/model/placement.js';
import { activation } from '../../src/nn/layers/activation.js';
import { batchNorm } from '../../src/nn/layers/batch-norm.js';
import { dense } from '../../src/nn/layers/dense.js';
import type { Layer } from '../../src/nn/layers/layer.js';

const layers = [dense(3, 'relu'), dense(2), dense(2, { type: 'elu', alpha: 0.1 }, { bias: false }), dense(1)];
const specOf = (list: readonly Layer[], inputs = 2, normalize: Normalization | null = null): ModelSpec => ({
  inputs,
  layers: list.map(({ spec }) => spec),
  normalize,
  seed: 7,
  link: 'softmax',
});

/** 1, 2, 3 … in the order of `weights()`. */
function counted(list: readonly Layer[], inputs = 2): Weight[] {
  let next = 1;
  return everyLayer(placeLayers(inputs, list)).flatMap(({ parameters }) =>
    parameters.map(({ fullName, shape, length }) => ({
      name: fullName,
      shape,
      data: Float32Array.from({ length }, () => next++),
    })),
  );
}

const fileOf = (list: readonly Layer[] = layers, spec: unknown = specOf(list)): Uint8Array<ArrayBuffer> =>
  writeModelFile(spec as ModelSpec, placeLayers(2, list), counted(list));

const floats = ({ data }: FileTensor): number[] => [...new Float32Array(data.slice().buffer)];

test('names and layout are those of torch.nn.Sequential(Linear, ReLU, Linear, Linear, ELU, Linear)', () => {
  const { tensors, metadata } = readSafetensors(fileOf(), 'x');
  expect([...tensors].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
    ['0.weight', 'F32', [3, 2]],
    ['0.bias', 'F32', [3]],
    ['2.weight', 'F32', [2, 3]],
    ['2.bias', 'F32', [2]],
    ['3.weight', 'F32', [2, 2]],
    ['5.weight', 'F32', [1, 2]],
    ['5.bias', 'F32', [1]],
  ]);
  // (inputs, units) = [[1, 2, 3], [4, 5, 6]] has as many columns as units; PyTorch's weight has a row for each.
  expect(floats(tensors.get('0.weight')!)).toEqual([1, 4, 2, 5, 3, 6]);
  expect(floats(tensors.get('0.bias')!)).toEqual([7, 8, 9]);
  expect(metadata.get('format')).toBe('pt');
});

test('activations as layers are modules of their own: Linear, BatchNorm1d, ReLU, Linear, PReLU, Linear, Softmax', () => {
  const list = [
    dense(3),
    batchNorm({ trainable: false }),
    activation('relu'),
    dense(2, 'linear', { trainable: false }),
    activation({ type: 'prelu', per: 'unit' }),
    dense(2),
    activation('softmax'),
  ];
  const { tensors } = readSafetensors(fileOf(list), 'x');
  expect([...tensors].map(([name, { shape }]) => `${name} ${shape}`)).toEqual([
    '1.num_batches_tracked ',
    '0.weight 3,2',
    '0.bias 3',
    '1.weight 3',
    '1.bias 3',
    '1.running_mean 3',
    '1.running_var 3',
    '3.weight 2,3',
    '3.bias 2',
    '4.weight 2',
    '5.weight 2,2',
    '5.bias 2',
  ]);
  const { options, weights } = readModelFile(fileOf(list));
  expect(options.layers.map(({ spec }) => spec)).toEqual(list.map(({ spec }) => spec));
  expect(weights).toEqual(counted(list));
});

test('what is written is what is read, spec and weights', () => {
  const normalize = { mean: [0.1, 1 / 3], std: [1e-30, Math.PI] };
  const file = writeModelFile(specOf(layers, 2, normalize), placeLayers(2, layers), counted(layers));
  const { options, weights } = readModelFile(file);
  expect(options.layers.map(({ spec }) => spec)).toEqual(layers.map(({ spec }) => spec));
  expect(options).toMatchObject({ inputs: 2, seed: 7, normalize });
  expect(weights).toEqual(counted(layers));
  expect(readModelFile(fileOf()).options.normalize).toBeUndefined();
  // Node's Buffer is a Uint8Array whose slice() copies nothing.
  expect(readModelFile(Buffer.from(file)).weights).toEqual(weights);
});

test('every float32 comes back bit for bit', () => {
  const values = Float32Array.of(-0, 1e-45, -1e-40, 3.4028234663852886e38, 1 + 2 ** -23, Math.PI);
  const list = [dense(3, 'linear', { bias: false })];
  const file = writeModelFile(specOf(list), placeLayers(2, list), [{ name: '0.weight', shape: [2, 3], data: values }]);
  const [weight] = readModelFile(file).weights;
  expect(new Uint32Array(weight!.data.buffer)).toEqual(new Uint32Array(values.buffer));
});

test('a file of PyTorch has no spec: load says what to do, loadWeights takes it', () => {
  // As safetensors.torch.save_file(torch.nn.Sequential(Linear(2, 1), Tanh(), Linear(1, 1)).state_dict(), …) writes it.
  const header =
    '{"0.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"0.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[4,12]},"2.bias":{"dtype":"F32","shape":[1],"data_offsets":[12,16]},"2.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[16,20]}}';
  const padded = new TextEncoder().encode(header.padEnd(Math.ceil(header.length / 8) * 8));
  const file = new Uint8Array(8 + padded.length + 20);
  new DataView(file.buffer).setUint32(0, padded.length, true);
  file.set(padded, 8);
  file.set(new Uint8Array(Float32Array.of(0.5, 1, 2, -1, 3).buffer), 8 + padded.length);
  expect(() => readModelFile(file)).toThrow(FormatError);
  expect(() => readModelFile(file)).toThrow(
    'Make the model with Mlp.create(), then call model.loadWeights() with the file.',
  );
  const weights = readWeights(file, placeLayers(2, [dense(1, 'tanh'), dense(1)]));
  expect(weights.map(({ name, shape, data }) => [name, shape, [...data]])).toEqual([
    ['0.weight', [2, 1], [1, 2]],
    ['0.bias', [1], [0.5]],
    ['1.weight', [1, 1], [3]],
    ['1.bias', [1], [-1]],
  ]);
  expect(() => readWeights(file, placeLayers(2, [dense(1), dense(1)]))).toThrow(
    'loadWeights: the file has "2.bias", but the model has only 0.weight, 0.bias, 1.weight, 1.bias.',
  );
});

describe('layers of a user', () => {
  const parameter = (name: string, shape: readonly number[]) => ({ name, shape, initializer: 'zeros' }) as const;
  /** As batch normalisation with a learned slope behind it would say it. */
  const mine = (units: number, modules?: NonNullable<Layer['modules']>): Layer => ({
    spec: { type: 'mine', units },
    ...(modules && { modules }),
    outputs: () => units,
    parameters: (inputs) => [parameter('scale', [inputs]), parameter('mix', [inputs, units]), parameter('slope', [1])],
    record: () => {
      throw new Error('not for running');
    },
  });
  const named = [{ weight: 'scale', num_batches_tracked: 3n }, {}, { weight: 'slope', 'inner.weight': 'mix' }];

  test('have their own names, several modules, and integers of PyTorch', () => {
    const list = [mine(3, named), dense(1)];
    const { tensors } = readSafetensors(fileOf(list), 'x');
    expect([...tensors].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ['0.num_batches_tracked', 'I64', []],
      ['0.weight', 'F32', [2]],
      ['2.weight', 'F32', [1]],
      ['2.inner.weight', 'F32', [3, 2]],
      ['3.weight', 'F32', [1, 3]],
      ['3.bias', 'F32', [1]],
    ]);
    expect([...(tensors.get('0.num_batches_tracked')?.data ?? [])]).toEqual([3, 0, 0, 0, 0, 0, 0, 0]);
    expect(floats(tensors.get('2.inner.weight')!)).toEqual([3, 6, 4, 7, 5, 8]);
    const { weights } = readModelFile(fileOf(list), { mine: ({ units }) => mine(Number(units), named) });
    expect(weights).toEqual(counted(list));
  });

  /** As a residual block: its layers, then an activation. One parameter is not trained. */
  const block = (layers: readonly Layer[]): Layer => ({
    spec: { type: 'block', layers: layers.map((layer) => layer.spec) },
    modules: [{ running: 'running' }, {}],
    layers,
    outputs: (inputs) => inputs,
    parameters: (inputs) => [{ ...parameter('running', [inputs]), trained: false }],
    record: () => undefined,
  });

  test('may have layers within: a Sequential in the first of their modules', () => {
    const list = [dense(2, 'relu'), block([dense(3, 'relu'), block([dense(3)]), dense(2)]), dense(1)];
    const file = fileOf(list);
    const { tensors } = readSafetensors(file, 'x');
    expect([...tensors].map(([name, { shape }]) => [name, shape])).toEqual([
      ['0.weight', [2, 2]],
      ['0.bias', [2]],
      ['2.0.weight', [3, 2]],
      ['2.0.bias', [3]],
      ['2.2.0.weight', [3, 3]],
      ['2.2.0.bias', [3]],
      ['2.2.running', [3]],
      ['2.4.weight', [2, 3]],
      ['2.4.bias', [2]],
      ['2.running', [2]],
      ['4.weight', [1, 2]],
      ['4.bias', [1]],
    ]);
    const makers: LayerMakers = { block: (spec, make) => block((spec.layers as Layer['spec'][]).map(make)) };
    const { options, weights } = readModelFile(file, makers);
    expect(weights).toEqual(counted(list));
    expect(options.layers.map(({ spec }) => spec)).toEqual(list.map(({ spec }) => spec));
    const unknown = fileOf([block([dense(2), mine(2)])]);
    expect(() => readModelFile(unknown, makers)).toThrow(
      'Mlp.load: layer 0.1 (mine) of the file has an unknown type. Known: ',
    );
  });

  test('without modules take one index, and their parameters have their own names', () => {
    const { tensors } = readSafetensors(fileOf([mine(3), dense(1)]), 'x');
    expect([...tensors.keys()]).toEqual(['0.scale', '0.mix', '0.slope', '1.weight', '1.bias']);
  });

  test('are asked for if nobody said how they are made', () => {
    const load = (): unknown => readModelFile(fileOf([mine(3)]));
    expect(load).toThrow(expect.objectContaining({ code: 'unknown-layer' }));
    expect(load).toThrow(
      'Mlp.load: layer 0 (mine) of the file has an unknown type. Known: dense, activation, dropout, batchNorm, layerNorm, residual. Pass { layers: { mine: (spec) => … } } for your own layer.',
    );
  });

  test.for([
    ['leave one out', [{ scale: 'scale', mix: 'mix' }], 'slope'],
    ['name one twice', [{ scale: 'scale', mix: 'mix', slope: 'slope', again: 'mix' }], 'mix'],
    ['name one that is not there', [{ scale: 'scale', mix: 'mix', slope: 'slope', other: 'other' }], 'other'],
  ] as const)('whose modules %s are refused', ([, modules, name]) => {
    expect(() => fileOf([mine(3, modules)])).toThrow(MlpError);
    expect(() => fileOf([mine(3, modules)])).toThrow(
      `save: layer 0 (mine) must name each of its parameters once in modules: see "${name}".`,
    );
  });
});

/** The file with other tensors or another spec. */
function changed(change: { tensors?: (tensors: Map<string, FileTensor>) => void; saved?: string }): Uint8Array {
  const { tensors, metadata } = readSafetensors(fileOf(), 'x');
  const copy = new Map(tensors);
  change.tensors?.(copy);
  const saved = change.saved ?? metadata.get('webgpu-mlp') ?? '';
  return writeSafetensors({ tensors: copy, metadata: new Map([...metadata, ['webgpu-mlp', saved]]) });
}

const spec = specOf(layers);
const saved = (other: unknown): string => JSON.stringify({ version: 1, spec: other });
const withLayer = (layer: unknown): string => saved({ ...spec, layers: [layer, ...spec.layers.slice(1)] });
const tensor = (shape: readonly number[], dtype: FileTensor['dtype'] = 'F32', fill = 0): FileTensor => ({
  dtype,
  shape,
  data: new Uint8Array(shape.reduce((product, size) => product * size, dtype === 'U8' ? 1 : 4)).fill(fill),
});

const wrong: readonly [what: string, Parameters<typeof changed>[0], message: string][] = [
  ['a tensor too few', { tensors: (map) => map.delete('2.bias') }, 'the file has no "2.bias". The model has 0.weight,'],
  [
    'a tensor too many',
    { tensors: (map) => map.set('9.x', tensor([1])) },
    'the file has "9.x", but the model has only ',
  ],
  [
    'a transposed weight',
    { tensors: (map) => map.set('0.weight', tensor([2, 3])) },
    '"0.weight" is F32 (2, 3) in the file, but F32 (3, 2) in the model.',
  ],
  [
    'a bias of another rank',
    { tensors: (map) => map.set('0.bias', tensor([3, 1])) },
    '"0.bias" is F32 (3, 1) in the file, but F32 (3) in',
  ],
  [
    'another type',
    { tensors: (map) => map.set('0.bias', tensor([3], 'U32')) },
    '"0.bias" is U32 (3) in the file, but F32 (3) in the model.',
  ],
  [
    'NaN',
    { tensors: (map) => map.set('0.bias', tensor([3], 'F32', 0xff)) },
    '"0.bias" has NaN at element 0; it must be finite.',
  ],
  ['no JSON', { saved: '{' }, '"webgpu-mlp" in the file\'s metadata is not JSON'],
  ['deep JSON', { saved: '['.repeat(1e5) }, '"webgpu-mlp" in the file\'s metadata is not JSON'],
  ['null', { saved: 'null' }, 'the file has version undefined'],
  [
    'a later version',
    { saved: JSON.stringify({ version: 2, spec }) },
    'the file has version 2, but this library reads version 1.',
  ],
  ['no spec', { saved: '{"version":1}' }, 'the spec in the file has no list of layers.'],
  ['layers that are no list', { saved: saved({ ...spec, layers: {} }) }, 'the spec in the file has no list of layers.'],
  ['no layers', { saved: saved({ ...spec, layers: [] }) }, 'the spec in the file has no list of layers.'],
  ['a layer that is null', { saved: withLayer(null) }, 'the spec in the file is not that of a model: TypeError'],
  ['a layer without type', { saved: withLayer({}) }, 'layer 0 (undefined) of the file has an unknown type.'],
  [
    'a type of Object.prototype',
    { saved: withLayer({ type: 'constructor' }) },
    'layer 0 (constructor) of the file has an unknown type.',
  ],
  ['units = 0', { saved: withLayer({ ...spec.layers[0], units: 0 }) }, 'layer 0 (dense) has units = 0'],
  [
    'units in quotes',
    { saved: withLayer({ ...spec.layers[0], units: '3' }) },
    'layer 0 (dense): units = "3" is a string',
  ],
  [
    'units of 2⁵³',
    { saved: withLayer({ ...spec.layers[0], units: 2 ** 53 - 1 }) },
    '"0.weight" is F32 (3, 2) in the file',
  ],
  [
    'an unknown activation',
    { saved: withLayer({ ...spec.layers[0], activation: 'rleu' }) },
    'Activation "rleu" is not known.',
  ],
  [
    'an activation that is null',
    { saved: withLayer({ ...spec.layers[0], activation: null }) },
    'The activation is null;',
  ],
  [
    'an unknown initializer',
    { saved: withLayer({ ...spec.layers[0], initializer: 'he' }) },
    'initializer "he", which is not known.',
  ],
  [
    'an option of a later version',
    { saved: withLayer({ ...spec.layers[0], groups: 4 }) },
    'layer 0 of the file: dense has no option "groups".',
  ],
  [
    'a deep option',
    { saved: withLayer({ ...spec.layers[0], groups: 4 }).replace('4', `${'['.repeat(2e5)}${']'.repeat(2e5)}`) },
    'Mlp.load: ',
  ],
  [
    '__proto__ in a layer',
    { saved: withLayer({ ...spec.layers[0], x: 1 }).replace('"x"', '"__proto__"') },
    'layer 0 of the file: dense has no option "__proto__".',
  ],
  [
    'an entry of a later version',
    { saved: saved({ ...spec, heads: 2 }) },
    'the spec in the file has "heads", which this version',
  ],
  [
    'other inputs',
    { saved: saved({ ...spec, inputs: 3 }) },
    '"0.weight" is F32 (3, 2) in the file, but F32 (3, 3) in the model.',
  ],
  [
    'no inputs',
    { saved: saved({ ...spec, inputs: undefined }) },
    'inputs = undefined; inputs must be a positive integer.',
  ],
  ['half a seed', { saved: saved({ ...spec, seed: 0.5 }) }, 'seed = 0.5; seed must be an integer ≥ 0.'],
  [
    'a normalisation that is no number',
    { saved: saved({ ...spec, normalize: { mean: 'a', std: 1 } }) },
    'mean is "a" (a string); it must be a number, or an array of 2',
  ],
  [
    'a normalisation of no such name',
    { saved: saved({ ...spec, normalize: 'unti' }) },
    'normalize is "unti" (a string); it must be',
  ],
];
test.for(wrong)('a file with %s is refused', ([, change, message]) => {
  const load = (): unknown => readModelFile(changed(change));
  expect(load).toThrow(message.includes('an unknown type') ? MlpError : FormatError);
  expect(load).toThrow(message);
  expect(load).toThrow(/^Mlp\.load: /);
});

test('without anything wrong it is read', () => {
  expect(readModelFile(changed({})).weights).toEqual(counted(layers));
});

test('whatever bytes are changed, it is an error of this library, or a model of finite numbers', () => {
  const original = fileOf();
  const edits = fc.array(fc.tuple(fc.nat({ max: original.length - 1 }), fc.nat({ max: 255 })), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(edits, fc.nat({ max: 3 }), (list, fewer) => {
      const mutant = original.slice(0, original.length - fewer);
      for (const [at, byte] of list) mutant[at] = byte;
      try {
        const { options, weights } = readModelFile(mutant);
        expect(weights.every(({ data }) => data.every(Number.isFinite))).toBe(true);
        expect(weights.map(({ name, shape }) => [name, shape])).toEqual(
          counted(options.layers, options.inputs).map(({ name, shape }) => [name, shape]),
        );
      } catch (error) {
        if (!(error instanceof MlpError && ['format', 'unknown-layer'].includes(error.code))) throw error;
      }
    }),
    { seed: 4, numRuns: 5000 },
  );
});
