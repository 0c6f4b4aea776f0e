import { checkFinite, demand, demandMethod, elements, text } from '../base/check.js';
import { MlpError, ShapeError } from '../base/errors.js';
import { Owner } from '../base/owner.js';
import { Random } from '../base/random.js';
import { loadProducts } from '../kernels/matmul/product.js';
import { checkInitializer, initialValues } from '../nn/initializers.js';
import type { Layer, ParameterSpec, PlacedLayer, Purpose } from '../nn/layers/layer.js';
import { checkLink, type Link, linkOf } from '../nn/output.js';
import type { Device } from '../plan/device.js';
import { Tensor } from '../plan/tensor.js';
import { Access } from './access.js';

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
  /** The layer's number and the parameter's name: `0.weight`, `0.bias`, `1.running_mean` … */
  readonly name: string;
  /** A dense layer's weight is (inputs, units), row-major, its bias (units). `3.0.weight` is of the first layer in layer 3. */
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** A parameter and its place in the flat tensor of all of its kind: the trained ones, or the others. */
export interface PlacedParameter extends ParameterSpec {
  readonly fullName: string;
  readonly trained: boolean;
  readonly start: number;
  readonly length: number;
}

/** A part of a flat tensor. */
interface Range {
  readonly start: number;
  readonly length: number;
}

/** A layer and its places in the flat tensors. */
export interface ModelLayer {
  readonly layer: Layer;
  /** `3`, or `3.0` for the first layer in layer 3. */
  readonly name: string;
  /** Among all layers, those in other layers too. */
  readonly number: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly values: Range;
  readonly states: Range;
  readonly parameters: readonly PlacedParameter[];
  readonly layers: readonly ModelLayer[];
}

/** What the two flat tensors hold. */
interface FlatValues {
  readonly values: Float32Array<ArrayBuffer>;
  readonly states: Float32Array<ArrayBuffer>;
}

/** Layers begin at multiples of 64 elements, 256 bytes: where a binding may begin, and a block that has one owner. */
const BLOCK = 64;

/** Layers in order, their parameters in one flat tensor, and what is done to raw inputs. */
export class Model {
  readonly device: Device;
  /** Answers whether an operation may run now. */
  readonly access: Access = new Access();
  /** Everything that lives no longer than the model: its tensors, trainers, predictors. */
  readonly parts: Owner = new Owner('This model has been disposed. Make a new one with Mlp.create().');
  readonly layers: readonly ModelLayer[];
  #spec: ModelSpec;
  /** All trained parameters; layer by layer, each layer's one after the other. */
  readonly values: Tensor;
  /** All others likewise; apart, so that no optimizer can touch them. */
  readonly states: Tensor;
  /** (inputs, 2): scale and shift of each feature. */
  readonly normalization: Tensor;
  /** Scale and shift, if all features have the same. */
  readonly common: readonly [number, number] | undefined;
  /** Leaves the initial values undrawn, if they still are. */
  readonly #skipInitial: () => void;

  private constructor(
    device: Device,
    spec: ModelSpec,
    layers: readonly ModelLayer[],
    { values, states }: { readonly values: Tensor; readonly states: Tensor },
    normalization: Tensor,
    common: readonly [number, number] | undefined,
  ) {
    this.device = device;
    this.#spec = spec;
    this.layers = layers;
    this.values = values;
    this.states = states;
    this.normalization = normalization;
    this.common = common;
    // To draw them takes as long as to compile a kernel: both can be done at a time.
    this.#skipInitial = device.defer(() => this.#write(initialParameters(layers, spec.seed)));
    this.parts.own({ dispose: this.#skipInitial });
    for (const tensor of [values, states, normalization]) this.parts.own(tensor);
  }

  static async create(device: Device, options: ModelOptions): Promise<Model> {
    const { inputs, seed = 0, normalize } = options;
    demand('Mlp.create:', { inputs }, 'a positive integer', 'shape');
    demand('Mlp.create:', { seed }, 'an integer ≥ 0', 'bad-seed');
    if (options.layers.length === 0)
      throw new ShapeError('Mlp.create: layers is empty; a model has at least one layer.');
    const layers = placeLayers(inputs, options.layers);
    await Promise.all([loadProducts(device), ...everyLayer(layers).map(({ layer }) => layer.load?.())]);
    const scaleAndShift = normalizationOf(inputs, normalize);
    const specs = layers.map(({ layer }) => layer.spec);
    const outputs = layers.at(-1)?.outputs;
    const link = linkOf(specs.at(-1)?.activation) ?? options.link ?? (outputs === 1 ? 'identity' : 'softmax');
    checkLink('Mlp.create:', link);
    const spec = { inputs, layers: specs, normalize: normalize ?? null, seed, link };
    const owner = new Owner('Mlp.create is over.');
    try {
      return await device.guarded('Mlp.create', () => {
        const tensors = {
          values: owner.own(Tensor.empty(device, [flatLength(layers, 'values')], 'parameters')),
          states: owner.own(Tensor.empty(device, [flatLength(layers, 'states')], 'states')),
        };
        const normalization = owner.own(Tensor.from(device, scaleAndShift, [inputs, 2], 'normalization'));
        const [scale = 1, shift = 0] = scaleAndShift;
        const isCommon = scaleAndShift.every((value, i) => value === (i % 2 === 0 ? scale : shift));
        const model = new Model(device, spec, layers, tensors, normalization, isCommon ? [scale, shift] : undefined);
        owner.own(model);
        return model;
      });
    } catch (error) {
      owner.dispose();
      throw error;
    }
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
    return this.layers.at(-1)?.outputs ?? this.spec.inputs;
  }

  /** Every parameter, in the order of `weights()`. */
  get parameters(): readonly PlacedParameter[] {
    return everyLayer(this.layers).flatMap(({ parameters }) => parameters);
  }

  /** Numbers that are learned. */
  get parameterCount(): number {
    return this.parameters.reduce((sum, { length, trained }) => sum + (trained ? length : 0), 0);
  }

  /** For each block of 64 trained elements, the number of its layer, those in it included. */
  get owners(): Uint32Array<ArrayBuffer> {
    const owners = new Uint32Array(this.values.length / BLOCK);
    for (const [number, { values }] of this.layers.entries()) owners.fill(number, values.start / BLOCK);
    return owners;
  }

  /**
   * The layers as they are recorded.
   * @param gradients of all trained parameters
   * @param folded the last one without its activation, which is the link's
   */
  placed(purpose: Purpose, gradients?: Tensor, folded = false): PlacedLayer[] {
    const learns = purpose === 'evaluate' ? undefined : gradients;
    const last = this.layers.at(-1);
    const place = (placed: ModelLayer): PlacedLayer => {
      const { layer, values, states, number, layers } = placed;
      return {
        layer: folded && placed === last ? (layer.linear ?? layer) : layer,
        block: {
          values: part(this.values, values),
          gradients: learns && part(learns, values),
          states: part(this.states, states),
        },
        context: { purpose, seed: this.spec.seed, number, layers: layers.map(place) },
      };
    };
    return this.layers.map(place);
  }

  /** Cuts a host copy of the trained parameters, or of their gradients, into parameters. */
  cut(flat: Float32Array): Weight[] {
    return this.#cut({ values: flat });
  }

  async weights(): Promise<Weight[]> {
    const [values, states] = await Promise.all([this.values.read(), this.states.read()]);
    return this.#cut({ values, states });
  }

  #cut({ values, states }: { readonly values: Float32Array; readonly states?: Float32Array }): Weight[] {
    return this.parameters.flatMap(({ fullName, shape, start, length, trained }) => {
      const data = (trained ? values : states)?.slice(start, start + length);
      return data === undefined ? [] : [{ name: fullName, shape, data }];
    });
  }

  setWeights(list: readonly { readonly name: string; readonly data: ArrayLike<number> }[]): void {
    const placed = this.parameters;
    const values = new Float32Array(this.values.length);
    const states = new Float32Array(this.states.length);
    const names = placed.map(({ fullName }) => fullName);
    if (names.join() !== list.map(({ name }) => name).join()) {
      throw new ShapeError(
        `setWeights: expected ${names.join(', ')}, but got ${list.map(({ name }) => name).join(', ') || 'nothing'}. Pass them all, in the order of weights().`,
      );
    }
    for (const [number, { fullName, shape, start, length, trained }] of placed.entries()) {
      const data = list[number]?.data ?? [];
      if (data.length !== length) {
        throw new ShapeError(`setWeights: ${fullName} is ${text(shape)}, ${length} values, but ${data.length} came.`);
      }
      checkFinite(`setWeights: ${fullName}`, data, shape.at(-1) ?? 1);
      (trained ? values : states).set(data, start);
    }
    this.#skipInitial();
    this.#write({ values, states });
  }

  #write({ values, states }: FlatValues): void {
    this.values.write(values);
    this.states.write(states);
  }

  /** @throws {DisposedError|DeviceLostError|MlpError} if nothing can be done with the model any more */
  check(): void {
    this.parts.check();
    this.device.check();
  }

  dispose(): void {
    this.parts.dispose();
  }
}

/** A layer's part of a flat tensor; of a layer without parameters it has no elements. */
const part = (flat: Tensor, { start, length }: Range): Tensor => new Tensor(flat.storage, start, [length], 'f32');

const aligned = (elements: number): number => Math.ceil(elements / BLOCK) * BLOCK;

/** Where the next layer begins. */
interface Cursor {
  values: number;
  states: number;
  number: number;
}

/** @throws {ShapeError|MlpError} that names the layer which cannot be */
export function placeLayers(
  inputs: number,
  layers: readonly Layer[],
  prefix = '',
  next: Cursor = { values: 0, states: 0, number: 0 },
): ModelLayer[] {
  let width = inputs;
  return layers.map((layer, index): ModelLayer => {
    const name = `${prefix}${index}`;
    demandMethod(`Mlp.create: layer ${name}`, layer, 'record', 'dense(10)', 'bad-layer');
    if (layer.spec.activation === 'softmax' && (prefix !== '' || index < layers.length - 1)) {
      throw new MlpError(
        'bad-activation',
        `Mlp.create: layer ${name} has activation "softmax", which only the last layer can have. Use "relu" or another there.`,
      );
    }
    const place = { layer, name, number: next.number, inputs: width };
    next.number += 1;
    const starts = { values: next.values, states: next.states };
    const parameters = layer.parameters(width, `Mlp.create: layer ${name}`).map((wanted): PlacedParameter => {
      const { trained = true, shape, initializer } = wanted;
      const kind = trained ? 'values' : 'states';
      const length = elements(shape);
      if (typeof initializer !== 'number') {
        checkInitializer(`Mlp.create: ${name}.${wanted.name} has initializer`, initializer, shape.length > 1);
      }
      next[kind] += length;
      return { ...wanted, trained, fullName: `${name}.${wanted.name}`, start: next[kind] - length, length };
    });
    const values = { start: starts.values, length: next.values - starts.values };
    const states = { start: starts.states, length: next.states - starts.states };
    next.values = aligned(next.values);
    next.states = aligned(next.states);
    const inner = placeLayers(width, layer.layers ?? [], `${name}.`, next);
    const outputs = layer.outputs(width);
    demand(`Mlp.create: layer ${name} (${layer.spec.type}) has`, { outputs }, 'a positive integer', 'shape');
    width = outputs;
    return { ...place, outputs, values, states, parameters, layers: inner };
  });
}

/** The layers, and those in them, in the order of their numbers. */
export function everyLayer(layers: readonly ModelLayer[]): readonly ModelLayer[] {
  return layers.flatMap((layer) => [layer, ...everyLayer(layer.layers)]);
}

/** Elements of a flat tensor: whole blocks, and never none, be there no parameters at all. */
function flatLength(layers: readonly ModelLayer[], kind: 'values' | 'states'): number {
  return Math.max(BLOCK, ...everyLayer(layers).map(({ [kind]: { start, length } }) => aligned(start + length)));
}

function initialParameters(layers: readonly ModelLayer[], seed: number): FlatValues {
  const values = new Float32Array(flatLength(layers, 'values'));
  const states = new Float32Array(flatLength(layers, 'states'));
  const random = new Random(seed);
  const all = everyLayer(layers).flatMap(({ parameters }) => parameters);
  for (const { initializer, shape, start, length, trained, pieces = 1 } of all) {
    const flatTensor = trained ? values : states;
    if (typeof initializer === 'number') {
      flatTensor.fill(initializer, start, start + length);
      continue;
    }
    const [fanIn = 1, columns = 1] = shape;
    for (let piece = 0; piece < pieces; piece++) {
      const drawn = initialValues(initializer, fanIn, columns / pieces, random);
      if (pieces === 1) flatTensor.set(drawn, start);
      else for (const [i, value] of drawn.entries()) flatTensor[start + i * pieces + piece] = value;
    }
  }
  return { values, states };
}

/** Scale and shift of each feature. @throws {MlpError} `bad-normalization` */
export function normalizationOf(
  inputs: number,
  normalize: Normalization = { mean: 0, std: 1 },
): Float32Array<ArrayBuffer> {
  if (typeof normalize === 'string' && normalize !== 'unit' && normalize !== 'signed') {
    throw new MlpError(
      'bad-normalization',
      `Mlp.create: normalize = "${String(normalize)}"; it is "unit", "signed" or { mean, std }.`,
    );
  }
  const { mean, std } =
    normalize === 'unit' ? { mean: 0, std: 255 } : normalize === 'signed' ? { mean: 127.5, std: 127.5 } : normalize;
  const scaleAndShift = new Float32Array(2 * inputs);
  for (let feature = 0; feature < inputs; feature++) {
    const [m = NaN, s = NaN] = [mean, std].map((value) => (typeof value === 'object' ? value[feature] : value));
    const pair = Float32Array.of(1 / s, -m / s);
    if (!(s > 0) || !pair.every(Number.isFinite)) {
      throw new MlpError(
        'bad-normalization',
        `Mlp.create: normalize of feature ${feature} has mean = ${m} and std = ${s}; mean/std and 1/std must be finite in float32, std positive, one for all or one for each of the ${inputs} inputs.`,
      );
    }
    scaleAndShift.set(pair, 2 * feature);
  }
  return scaleAndShift;
}
