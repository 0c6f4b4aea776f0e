import { checkFinite, demand, elements, text } from './check.js';
import { MlpError, ShapeError } from './errors.js';
import type { Gpu } from './gpu/gpu.js';
import { Tensor, upload } from './gpu/tensor.js';
import type { Layer, ParameterBlock, ParameterSpec } from './layers/layer.js';
import { type Link, linkOf } from './link.js';
import { initialValues, Random } from './random.js';

/** Raw inputs become x·scale + shift: `unit` is x/255, `signed` x/127.5 − 1, mean and std (x − mean)/std. */
export type Normalization =
  | 'unit'
  | 'signed'
  | { readonly mean: number | readonly number[]; readonly std: number | readonly number[] };

export interface ModelOptions {
  /** Features of a sample. */
  readonly inputs: number;
  readonly layers: readonly Layer[];
  /** Part of the model: applied at training and at prediction alike. */
  readonly normalize?: Normalization;
  /** Decides initial values and shuffling. */
  readonly seed?: number;
  /** What predictions make of the outputs, if the last layer's activation does not say it, and before a trainer's loss does. */
  readonly link?: Link;
}

/** A model as plain data: what it takes to make it again. */
export interface ModelSpec {
  readonly inputs: number;
  readonly layers: readonly Layer['spec'][];
  readonly normalize: Normalization | null;
  readonly seed: number;
  /** Of the last layer, of the loss of the latest trainer, or else softmax for several outputs and identity for one. */
  readonly link: Link;
}

/** A parameter's values, on the host. */
export interface Weight {
  /** The layer's number and the parameter's name: `0.weight`, `0.bias`, `1.weight` … */
  readonly name: string;
  /** A dense layer's weight is (inputs, units), row-major, its bias (units). */
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** A parameter and its place in the flat tensor of all of them. */
interface PlacedParameter extends ParameterSpec {
  readonly fullName: string;
  readonly start: number;
  readonly length: number;
}

/** A layer and its place in the flat tensor. */
interface PlacedLayer {
  readonly layer: Layer;
  readonly inputs: number;
  readonly start: number;
  readonly length: number;
  readonly parameters: readonly PlacedParameter[];
}

/** Layers begin at multiples of 64 elements, 256 bytes: where a binding may begin, and a block that has one owner. */
const BLOCK = 64;

/** Layers in order, their parameters in one flat tensor, and what is done to raw inputs. */
export class Model {
  readonly gpu: Gpu;
  readonly layers: readonly PlacedLayer[];
  #spec: ModelSpec;
  /** All parameters; layer by layer, each layer's one after the other. */
  readonly values: Tensor;
  /** (inputs, 2): scale and shift of each feature. */
  readonly normalization: Tensor;
  /** Scale and shift, if all features have the same. */
  readonly common: readonly [number, number] | undefined;

  private constructor(
    gpu: Gpu,
    spec: ModelSpec,
    layers: readonly PlacedLayer[],
    values: Tensor,
    normalization: Tensor,
    common: readonly [number, number] | undefined,
  ) {
    this.gpu = gpu;
    this.#spec = spec;
    this.layers = layers;
    this.values = values;
    this.normalization = normalization;
    this.common = common;
  }

  static async create(gpu: Gpu, options: ModelOptions): Promise<Model> {
    const { inputs, seed = 0, normalize } = options;
    demand('Mlp.create:', { inputs }, 'a positive integer', 'shape');
    demand('Mlp.create:', { seed }, 'an integer ≥ 0', 'bad-seed');
    const layers = placeLayers(inputs, options.layers);
    const scaleAndShift = normalizationOf(inputs, normalize);
    const initial = initialParameters(layers, seed);
    const specs = layers.map(({ layer }) => layer.spec);
    const last = specs.at(-1);
    const link = linkOf(last?.activation) ?? options.link ?? (last?.units === 1 ? 'identity' : 'softmax');
    const spec = { inputs, layers: specs, normalize: normalize ?? null, seed, link };
    return await gpu.guarded('Mlp.create', () => {
      const values = upload<'f32'>(gpu, initial, [initial.length], 'parameters');
      const normalization = Tensor.from(gpu, scaleAndShift, [inputs, 2], 'normalization');
      const [scale = 1, shift = 0] = scaleAndShift;
      const isCommon = scaleAndShift.every((value, i) => value === (i % 2 === 0 ? scale : shift));
      return new Model(gpu, spec, layers, values, normalization, isCommon ? [scale, shift] : undefined);
    });
  }

  get spec(): ModelSpec {
    return this.#spec;
  }

  /** What the last layer's activation makes of outputs, if it is one that predictions can have behind them. */
  get ownLink(): Link | undefined {
    return linkOf(this.layers.at(-1)?.layer.spec.activation);
  }

  /** From now on predictions make of outputs what a loss does. */
  learnsWith(link: Link): void {
    this.#spec = { ...this.#spec, link: this.ownLink ?? link };
  }

  /** Features of the last layer's output. */
  get outputs(): number {
    return this.layers.at(-1)?.layer.spec.units ?? this.spec.inputs;
  }

  get parameterCount(): number {
    return this.layers.reduce((sum, { parameters }) => sum + parameters.reduce((n, { length }) => n + length, 0), 0);
  }

  /** For each block of 64 elements of the flat tensor, the number of its layer. */
  get owners(): Uint32Array<ArrayBuffer> {
    const owners = new Uint32Array(this.values.length / BLOCK);
    for (const [number, { start, length }] of this.layers.entries()) {
      owners.fill(number, start / BLOCK, Math.ceil((start + length) / BLOCK));
    }
    return owners;
  }

  /** A layer's part of the flat tensors. */
  block(number: number, gradients?: Tensor): ParameterBlock {
    const { start, length } = this.layers[number] ?? { start: 0, length: 0 };
    return { values: this.values.view(start, [length]), gradients: gradients?.view(start, [length]) };
  }

  /** Cuts a host copy of a flat tensor, parameters or gradients, into parameters. */
  cut(flat: Float32Array): Weight[] {
    return this.layers.flatMap(({ parameters }) =>
      parameters.map(({ fullName, shape, start, length }) => ({
        name: fullName,
        shape,
        data: flat.slice(start, start + length),
      })),
    );
  }

  async weights(): Promise<Weight[]> {
    return this.cut(await this.values.read());
  }

  setWeights(list: readonly { readonly name: string; readonly data: ArrayLike<number> }[]): void {
    const placed = this.layers.flatMap(({ parameters }) => parameters);
    const flat = new Float32Array(this.values.length);
    const names = placed.map(({ fullName }) => fullName);
    if (names.join() !== list.map(({ name }) => name).join()) {
      throw new ShapeError(
        `setWeights: expected ${names.join(', ')}, but got ${list.map(({ name }) => name).join(', ') || 'nothing'}. Pass them all, in the order of weights().`,
      );
    }
    for (const [number, { fullName, shape, start, length }] of placed.entries()) {
      const data = list[number]?.data ?? [];
      if (data.length !== length) {
        throw new ShapeError(`setWeights: ${fullName} is ${text(shape)}, ${length} values, but ${data.length} came.`);
      }
      checkFinite(`setWeights: ${fullName}`, data, shape.at(-1) ?? 1);
      flat.set(data, start);
    }
    this.values.write(flat);
  }

  dispose(): void {
    this.values.dispose();
    this.normalization.dispose();
  }
}

function placeLayers(inputs: number, layers: readonly Layer[]): PlacedLayer[] {
  if (layers.length === 0) throw new ShapeError('Mlp.create: layers is empty; a model has at least one layer.');
  const placed: PlacedLayer[] = [];
  let width = inputs;
  let start = 0;
  for (const [number, layer] of layers.entries()) {
    if (layer.spec.activation === 'softmax' && number < layers.length - 1) {
      throw new MlpError(
        'bad-activation',
        `Mlp.create: layer ${number} has activation "softmax", which only the last layer can have. Use "relu" or another there.`,
      );
    }
    const parameters: PlacedParameter[] = [];
    let end = start;
    for (const wanted of layer.parameters(width, `Mlp.create: layer ${number}`)) {
      const length = elements(wanted.shape);
      parameters.push({ ...wanted, fullName: `${number}.${wanted.name}`, start: end, length });
      end += length;
    }
    placed.push({ layer, inputs: width, start, length: end - start, parameters });
    start = Math.ceil(end / BLOCK) * BLOCK;
    width = layer.spec.units;
  }
  return placed;
}

function initialParameters(layers: readonly PlacedLayer[], seed: number): Float32Array<ArrayBuffer> {
  const last = layers.at(-1);
  const flat = new Float32Array(Math.ceil(((last?.start ?? 0) + (last?.length ?? 0)) / BLOCK) * BLOCK);
  const random = new Random(seed);
  for (const { initializer, shape, start } of layers.flatMap(({ parameters }) => parameters)) {
    const [fanIn = 1, fanOut = 1] = shape;
    flat.set(initialValues(initializer, fanIn, fanOut, random), start);
  }
  return flat;
}

function normalizationOf(inputs: number, normalize: Normalization = { mean: 0, std: 1 }): Float32Array<ArrayBuffer> {
  const { mean, std } =
    normalize === 'unit' ? { mean: 0, std: 255 } : normalize === 'signed' ? { mean: 127.5, std: 127.5 } : normalize;
  const scaleAndShift = new Float32Array(2 * inputs);
  for (let feature = 0; feature < inputs; feature++) {
    const [m = NaN, s = NaN] = [mean, std].map((value) => (typeof value === 'object' ? value[feature] : value));
    if (!Number.isFinite(m) || !Number.isFinite(s) || s <= 0) {
      throw new MlpError(
        'bad-normalization',
        `Mlp.create: normalize of feature ${feature} has mean = ${m} and std = ${s}; they must be finite, std positive, one for all or one for each of the ${inputs} inputs.`,
      );
    }
    scaleAndShift.set([1 / s, -m / s], 2 * feature);
  }
  return scaleAndShift;
}
