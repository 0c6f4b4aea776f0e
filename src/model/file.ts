import { type ByteSource, bytesOf } from '../base/bytes.js';
import { assertOption, formatShape, sizeOf } from '../base/check.js';
import { FormatError, MlpError } from '../base/errors.js';
import { type FileTensor, readSafetensors, type TensorFile, writeSafetensors } from '../base/safetensors.js';
import type { Activation } from '../kernels/activations.js';
import { activation } from '../nn/layers/activation.js';
import { type BatchNormLayerOptions, batchNorm } from '../nn/layers/batch-norm.js';
import { type DenseOptions, dense } from '../nn/layers/dense.js';
import { dropout } from '../nn/layers/dropout.js';
import type { Layer } from '../nn/layers/layer.js';
import { type LayerNormOptions, layerNorm } from '../nn/layers/layer-norm.js';
import { type ResidualOptions, residual } from '../nn/layers/residual.js';
import type { TrainableOptions } from '../nn/layers/trainable.js';
import { checkLink, type Link, linkOf } from '../nn/output.js';
import { checkDescription, descriptionOf } from './description.js';
import type { ModelOptions, SavedSpec, Weight } from './model.js';
import { normalizationOf } from './normalization.js';
import { everyLayer, type ModelLayer, type PlacedParameter, placeLayers } from './placement.js';

/** Description of a layer as plain data: its `type`, and its options. */
type LayerSpec = Layer['spec'];

/**
 * Functions that create a layer from its saved `spec`, by the spec's `type`. A layer that contains layers creates those with
 * `make`, as in `specs.map(make)`.
 *
 * @example
 * const model = await Mlp.load(gpu, bytes, { layers: { scale: (spec) => scale(spec.factor as number) } });
 */
export type LayerMakers = Readonly<
  Record<string, (spec: LayerSpec, make: (spec: LayerSpec, index: number) => Layer) => Layer>
>;

/** The library's own layers. The layers check the values of their specs, as they do for `Mlp.create`. */
const ownLayers: LayerMakers = {
  dense: ({ type, units, activation, ...options }) =>
    dense(units as number, activation as Activation, options as DenseOptions),
  activation: ({ type, activation: f, ...options }) => activation(f as Activation, options as TrainableOptions),
  dropout: ({ rate }) => dropout(rate as number),
  batchNorm: ({ type, ...options }) => batchNorm(options as BatchNormLayerOptions),
  layerNorm: ({ type, ...options }) => layerNorm(options as LayerNormOptions),
  residual: ({ type, layers, ...options }, make) =>
    residual((layers as readonly LayerSpec[]).map(make), options as ResidualOptions),
};

/** Key of this library's JSON in the file's metadata. */
const KEY = 'webgpu-mlp';
/** Version of that JSON. */
const VERSION = 1;

/**
 * Writes the safetensors file of a model: its weights with the names and layout that `load_state_dict` of the equivalent
 * `torch.nn.Sequential` expects, and its spec in the metadata.
 * @throws {FormatError|MlpError} if the model cannot be written
 */
export function writeModelFile(
  spec: SavedSpec,
  layers: readonly ModelLayer[],
  weights: readonly Weight[],
): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, FileTensor>();
  for (const [name, source] of fileTensors('save', layers)) {
    tensors.set(name, typeof source === 'bigint' ? integer(source) : toFile(source, weights));
  }
  // "pt" marks the names and the layout as PyTorch's.
  const metadata = new Map([
    ['format', 'pt'],
    [KEY, JSON.stringify({ version: VERSION, spec })],
  ]);
  return writeSafetensors({ tensors, metadata });
}

/** Reads a model's file from any form of bytes. @throws as `readModelFile` and `bytesOf` */
export async function loadModelFile(
  source: ByteSource,
  userLayers?: LayerMakers,
): Promise<ReturnType<typeof readModelFile>> {
  return readModelFile(await bytesOf('Mlp.load: the file', source), userLayers);
}

/**
 * Reads the weights of a model from any form of bytes, and the meaning of its outputs if the file says it.
 * @throws as `readWeights` and `bytesOf`
 */
export async function loadWeightFile(
  source: ByteSource,
  layers: readonly ModelLayer[],
): Promise<{ readonly weights: Weight[]; readonly link: Link | undefined }> {
  const bytes = await bytesOf('loadWeights: the file', source);
  return { weights: readWeights(bytes, layers), link: savedLink(bytes) };
}

/** The link in the spec of a file. Undefined if it has none that is known: the rest of the spec is not used. */
function savedLink(bytes: Uint8Array): Link | undefined {
  const saved = readSafetensors(bytes, 'loadWeights').metadata.get(KEY);
  try {
    const { link } = readSpec(saved ?? '', 'loadWeights');
    checkLink('the spec has', link);
    return link;
  } catch {
    return undefined;
  }
}

/**
 * Reads and checks a model's file.
 * @throws {FormatError} if the file is damaged, or its spec and tensors contradict each other
 * @throws {MlpError} `unknown-layer` if neither the library nor `userLayers` has a type of layer in the file
 */
export function readModelFile(
  bytes: Uint8Array,
  userLayers: LayerMakers = {},
): { readonly options: ModelOptions; readonly weights: Weight[] } {
  const where = 'Mlp.load';
  const file = readSafetensors(bytes, where);
  const saved = file.metadata.get(KEY);
  if (saved === undefined) {
    throw new FormatError(
      `${where}: the file's metadata has no "${KEY}", so save() did not write it and it does not describe the layers. Make the model with Mlp.create(), then call model.loadWeights() with the file.`,
    );
  }
  const spec = readSpec(saved, where);
  try {
    const { inputs, layers: specs, normalize, seed, link, ...description } = spec;
    const layers = specs.map((layer, index) => makeLayer(layer, `${index}`, { ...ownLayers, ...userLayers }));
    assertOption('the spec has', { inputs }, 'a positive integer');
    assertOption('the spec has', { seed }, 'an integer >= 0');
    if (link !== undefined) checkLink('the spec has', link);
    const placed = placeLayers(inputs, layers);
    const weights = weightsOf(file, placed, where);
    // After the tensors, whose shapes confirm the number of inputs: a wrong number could allocate too much here.
    if (normalize !== null) normalizationOf(inputs, normalize);
    const isProbability = linkOf(specs.at(-1)?.activation) !== undefined;
    const sizes = { inputs, outputs: placed.at(-1)?.outputs ?? inputs, isProbability };
    const checked = checkDescription('the spec', description, sizes);
    const said = { ...(link !== undefined && { link }), ...(normalize !== null && { normalize }) };
    return { options: { inputs, layers, seed, ...said, ...checked }, weights };
  } catch (cause) {
    if (cause instanceof FormatError || (cause instanceof MlpError && cause.code === 'unknown-layer')) throw cause;
    throw new FormatError(`${where}: the spec in the file is not that of a model: ${String(cause)}`, { cause });
  }
}

/** Reads the weights of a model from a file in PyTorch's layout. @throws {FormatError} if the file does not fit the model */
export function readWeights(bytes: Uint8Array, layers: readonly ModelLayer[]): Weight[] {
  const where = 'loadWeights';
  return weightsOf(readSafetensors(bytes, where), layers, where);
}

/**
 * The tensors in a model's file, by name: a parameter, or an integer that PyTorch stores beside the parameters.
 * @throws {MlpError} `bad-layer` if a layer's `modules` do not name each of its parameters exactly once
 */
function fileTensors(where: string, layers: readonly ModelLayer[], prefix = ''): Map<string, PlacedParameter | bigint> {
  const tensors = new Map<string, PlacedParameter | bigint>();
  let index = 0;
  for (const { layer, name: layerName, parameters, layers: within } of layers) {
    const refuse = (parameter: string): never => {
      throw new MlpError(
        'bad-layer',
        `${where}: layer ${layerName} (${layer.spec.type}) must name each of its parameters once in modules: see "${parameter}".`,
      );
    };
    const unnamed = new Map(parameters.map((parameter) => [parameter.name, parameter]));
    const modules = layer.modules ?? [Object.fromEntries(parameters.map(({ name }) => [name, name]))];
    for (const [name, tensor] of fileTensors(where, within, `${prefix}${index}.`)) tensors.set(name, tensor);
    for (const module of modules) {
      for (const [name, source] of Object.entries(module)) {
        const tensor = typeof source === 'bigint' ? source : (unnamed.get(source) ?? refuse(source));
        tensors.set(`${prefix}${index}.${name}`, tensor);
        if (typeof source === 'string') unnamed.delete(source);
      }
      index += 1;
    }
    for (const name of unnamed.keys()) refuse(name);
  }
  return tensors;
}

/** Shape of a parameter in the file: a matrix is (fanIn, fanOut) in the model and (fanOut, fanIn) in the file. */
const fileShape = ({ shape }: PlacedParameter): readonly number[] =>
  shape.length === 2 ? [...shape].reverse() : shape;

function toFile(parameter: PlacedParameter, weights: readonly Weight[]): FileTensor {
  const { fullName, shape } = parameter;
  const values = weights.find(({ name }) => name === fullName)?.data ?? new Float32Array(0);
  const { buffer, byteOffset, byteLength } = transposed(values, shape);
  return { dtype: 'F32', shape: fileShape(parameter), data: new Uint8Array(buffer, byteOffset, byteLength) };
}

function integer(value: bigint): FileTensor {
  return { dtype: 'I64', shape: [], data: new Uint8Array(BigInt64Array.of(value).buffer) };
}

/** Every parameter from its tensor in the file, in the order of `weights()`. @throws {FormatError} if file and model differ */
function weightsOf({ tensors }: TensorFile, layers: readonly ModelLayer[], where: string): Weight[] {
  const expected = fileTensors(where, layers);
  const names = [...expected.keys()];
  for (const name of tensors.keys()) {
    if (!expected.has(name)) {
      throw new FormatError(`${where}: the file has "${name}", but the model has only ${names.join(', ')}.`);
    }
  }
  const found = new Map<PlacedParameter, Weight>();
  for (const [name, source] of expected) {
    const tensor = tensors.get(name);
    if (tensor === undefined) {
      throw new FormatError(`${where}: the file has no "${name}". The model has ${names.join(', ')}.`);
    }
    const [dtype, shape] = typeof source === 'bigint' ? ['I64', []] : ['F32', fileShape(source)];
    if (tensor.dtype !== dtype || formatShape(tensor.shape) !== formatShape(shape)) {
      throw new FormatError(
        `${where}: "${name}" is ${tensor.dtype} ${formatShape(tensor.shape)} in the file, but ${dtype} ${formatShape(shape)} in the model.`,
      );
    }
    if (typeof source === 'object') found.set(source, fromFile(tensor, source, `${where}: "${name}"`));
  }
  return everyLayer(layers)
    .flatMap(({ parameters }) => parameters)
    .flatMap((parameter) => found.get(parameter) ?? []);
}

function fromFile({ shape, data }: FileTensor, parameter: PlacedParameter, where: string): Weight {
  const values = new Float32Array(new Uint8Array(data).buffer);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) throw new FormatError(`${where} has ${values[wrong]} at element ${wrong}; it must be finite.`);
  return { name: parameter.fullName, shape: parameter.shape, data: transposed(values, shape) };
}

/** Transposes a matrix; returns any other tensor unchanged. */
function transposed(values: Float32Array<ArrayBuffer>, shape: readonly number[]): Float32Array<ArrayBuffer> {
  if (shape.length !== 2) return values;
  const [rows = 0, columns = 0] = shape;
  const result = new Float32Array(sizeOf(shape));
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      result[column * rows + row] = values[row * columns + column] ?? 0;
    }
  }
  return result;
}

/** Parses the spec in the metadata. Checks its version and keys, not their values. @throws {FormatError} */
function readSpec(json: string, where: string): SavedSpec {
  let saved: { readonly version?: unknown; readonly spec?: SavedSpec };
  try {
    saved = Object(JSON.parse(json));
  } catch (cause) {
    throw new FormatError(`${where}: "${KEY}" in the file's metadata is not JSON: ${String(cause)}`, { cause });
  }
  const { version, spec } = saved;
  if (version !== VERSION) {
    throw new FormatError(
      `${where}: the file has version ${String(version)}, but this library reads version ${VERSION}. Use the library that wrote it.`,
    );
  }
  if (!Array.isArray(spec?.layers) || spec.layers.length === 0) {
    throw new FormatError(`${where}: the spec in the file has no list of layers.`);
  }
  const { inputs, layers, normalize, seed, link, classNames, encoder, targets, ...rest } = spec;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw new FormatError(
      `${where}: the spec in the file has "${unknown}", which this version of the library does not know.`,
    );
  }
  const said = { ...(link !== undefined && { link }), ...descriptionOf({ classNames, encoder, targets }) };
  return { inputs, layers, normalize, seed, ...said };
}

/**
 * Creates a layer from its spec.
 * @param name the layer's place in the model: `3`, or `3.0` inside layer 3
 * @throws {MlpError} `unknown-layer` if no maker has its type
 * @throws {FormatError} if the layer lacks an option of the saved spec, which a later version may have written
 */
function makeLayer(spec: LayerSpec, name: string, makers: LayerMakers): Layer {
  const { type } = spec;
  const make = Object.hasOwn(makers, type) ? makers[type] : undefined;
  if (make === undefined) {
    throw new MlpError(
      'unknown-layer',
      `Mlp.load: layer ${name} (${type}) of the file has an unknown type. Known: ${Object.keys(makers).join(', ')}. Pass { layers: { ${type}: (spec) => … } } for your own layer.`,
    );
  }
  let layer: Layer;
  try {
    layer = make(spec, (inner, index) => makeLayer(inner, `${name}.${index}`, makers));
  } catch (cause) {
    if (!(cause instanceof MlpError) || cause.code !== 'bad-layer') throw cause;
    const later = 'A later version of the library may have written the file.';
    throw new FormatError(`Mlp.load: layer ${name} of the file: ${cause.message} ${later}`, { cause });
  }
  for (const [key, value] of Object.entries(spec)) {
    if (JSON.stringify(layer.spec[key]) === JSON.stringify(value)) continue;
    throw new FormatError(
      `Mlp.load: layer ${name} (${type}) of the file has "${key}": ${JSON.stringify(value)}, which this version of the library does not know.`,
    );
  }
  return layer;
}
