import { assertList, assertOption, formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { checkOptions, type OptionNames } from '../base/options.js';
import { Owner } from '../base/owner.js';
import { counting } from '../base/random.js';
import { atOnce, inSlices, nextTask } from '../base/slices.js';
import { table } from '../base/text-table.js';
import { type Numbers, toFloats } from '../base/values.js';
import type { RawTensor } from '../data/dataset.js';
import type { LabelTensor, RowSource } from '../kernels/gather-rows.js';
import type { Layer, LayerKernels, PlacedLayer, Purpose } from '../nn/layers/layer.js';
import { checkLink, type Link, linkOf } from '../nn/output.js';
import type { Device } from '../plan/device.js';
import { PARAMETER_BLOCK } from '../plan/parameter-block.js';
import { Tensor, upload } from '../plan/tensor.js';
import { Access } from './access.js';
import type { DataDescription, DescriptionOptions } from './description.js';
import { loadKernels } from './kernels.js';
import { type Normalization, normalizationOf, plainNormalization } from './normalization.js';
import { OutputLink } from './output-link.js';
import {
  everyLayer,
  type FlatKind,
  type FlatValues,
  flatLength,
  flatValues,
  initialCost,
  initialParameters,
  type ModelLayer,
  type PlacedParameter,
  placeLayers,
  type Range,
} from './placement.js';

/** Options of `Mlp.create`. */
export interface ModelOptions extends DescriptionOptions {
  /** Number of features of a sample, a positive integer. Example: `inputs: 784`. */
  readonly inputs: number;
  /** Layers in order, at least one. Example: `layers: [dense(128, 'relu'), dense(10)]`. */
  readonly layers: readonly Layer[];
  /** Normalization of raw inputs, in training and in prediction. Default: none. Example: `normalize: 'unit'`. */
  readonly normalize?: Normalization | undefined;
  /**
   * Seed of the initial values, of the order of the samples in each epoch, and of the masks of dropout, an integer ≥ 0. The same
   * seed gives the same training; without one, all models of these options are equal. Default: 0.
   * Example: `seed: 1`.
   */
  readonly seed?: number | undefined;
  /**
   * Meaning of the outputs in predictions until a trainer's loss sets it. Unused if the last layer's activation is `softmax` or
   * `sigmoid`, which sets it itself. Default: "softmax" for several outputs, "identity" for one. If `loadWeights` loads a file
   * that does not say it, such as one of PyTorch, `predict` gives values by default, and takes any `output`.
   * Example: `link: 'identity'`.
   */
  readonly link?: Link | undefined;
}

const NAMES: OptionNames<ModelOptions> = {
  inputs: 1,
  layers: 1,
  normalize: 1,
  seed: 1,
  link: 1,
  classNames: 1,
  encoder: 1,
  targets: 1,
};

/**
 * Description of a model as plain data, with all defaults filled in. `save` writes it, `Mlp.load` reads it. What the model has
 * learned about its data is there once it has.
 */
export interface ModelSpec extends DataDescription {
  /** Number of features of a sample. */
  readonly inputs: number;
  /** The `spec` of each layer, in order. */
  readonly layers: readonly Layer['spec'][];
  /** Normalization of raw inputs; null for none. */
  readonly normalize: Normalization | null;
  /** Seed of the initial values, of the order of the samples and of dropout. 0 if the options had none. */
  readonly seed: number;
  /** Meaning of the outputs: from the last layer's activation, else from the latest trainer's loss, else from `ModelOptions`. */
  readonly link: Link;
}

/** Maximum cost of initial values that are drawn at once, when the model is first used; beyond, `create` draws them. */
const DEFERRED_COST = 2 ** 20;
/** Values that are written before other tasks run. */
const WRITTEN_AT_ONCE = 2 ** 22;

/** A spec as a file has it, without `link` if the meaning of the outputs is not known. */
export type SavedSpec = Omit<ModelSpec, 'link'> & { readonly link?: Link | undefined };

/** A copy of one parameter on the host, as `weights()` returns it. */
export interface Weight {
  /** The layer's index and the parameter's name: `0.weight`, `1.running_mean`, or `3.0.bias` for layer 0 inside layer 3. */
  readonly name: string;
  /** A dense layer's weight has the shape (inputs, units), its bias (units). */
  readonly shape: readonly number[];
  /** The elements in row-major order. */
  readonly data: Float32Array<ArrayBuffer>;
}

/** The layers of an `Mlp` with the flat tensors of their parameters, and the normalization of raw inputs. */
export class Model {
  readonly device: Device;
  /** Decides if an operation may run now. */
  readonly access: Access = new Access();
  /** Parts that are disposed with the model: tensors, trainers and predictors. */
  readonly parts: Owner = new Owner('This model has been disposed. Make a new one with Mlp.create().');
  readonly layers: readonly ModelLayer[];
  /** The kernels that its layers record. */
  readonly kernels: LayerKernels;
  /** The spec, whose `link` is that of the beginning. */
  #spec: ModelSpec;
  /** Meaning of the outputs. */
  readonly outputLink: OutputLink;
  /** All trained parameters, layer by layer. Each layer begins at a multiple of `PARAMETER_BLOCK`. */
  readonly flatParameters: Tensor;
  /** All parameters of frozen layers, likewise. */
  readonly flatFrozen: Tensor;
  /** All other parameters, likewise. Separate, so that no optimizer can change them. */
  readonly flatBuffers: Tensor;
  /** (inputs, 2): scale and shift of each feature. */
  readonly normalization: Tensor;
  /** Scale and shift, if they are the same for all features. */
  readonly common: readonly [number, number] | undefined;
  /** Cancels the drawing of the initial values, if it is still deferred. */
  readonly #skipInitial: () => void;

  private constructor(
    device: Device,
    spec: ModelSpec,
    link: OutputLink,
    layers: readonly ModelLayer[],
    kernels: LayerKernels,
    { parameters, frozen, buffers }: Readonly<Record<FlatKind, Tensor>>,
    normalization: Tensor,
    common: readonly [number, number] | undefined,
    draws: boolean,
  ) {
    this.device = device;
    this.#spec = spec;
    this.outputLink = link;
    this.layers = layers;
    this.kernels = kernels;
    this.flatParameters = parameters;
    this.flatFrozen = frozen;
    this.flatBuffers = buffers;
    this.normalization = normalization;
    this.common = common;
    // Drawing takes as long as compiling a kernel, so it is deferred to run during the first compilation.
    this.#skipInitial = draws
      ? device.defer(() => this.#write(atOnce(initialParameters(layers, spec.seed))))
      : () => undefined;
    this.parts.own({ dispose: this.#skipInitial });
    for (const tensor of [parameters, frozen, buffers, normalization]) this.parts.own(tensor);
  }

  /**
   * Checks the options and allocates a model.
   * @param draws false if the caller sets all parameters at once, so that no initial values are drawn
   * @throws as `Mlp.create`
   */
  static async create(device: Device, options: ModelOptions, draws = true): Promise<Model> {
    const known = checkOptions('Mlp.create', options, NAMES);
    const { inputs, seed = 0, normalize } = known;
    assertOption('Mlp.create:', { inputs }, 'a positive integer', 'shape');
    assertOption('Mlp.create:', { seed }, 'an integer >= 0', 'bad-seed');
    assertList('Mlp.create:', 'layers', known.layers, '[dense(64), dense(10)]', 'bad-layer');
    if (known.layers.length === 0) throw new ShapeError('Mlp.create: layers is empty; a model needs at least one.');
    const layers = placeLayers(inputs, known.layers);
    const scaleAndShift = normalizationOf(inputs, normalize);
    const spec = await specOf(known, layers, seed);
    const own = linkOf(spec.layers.at(-1)?.activation);
    const link = new OutputLink(spec.link, own, (known.link ?? known.targets) !== undefined);
    const kernels = await loadKernels(device, layers);
    const isLarge = initialCost(layers) > DEFERRED_COST;
    const owner = new Owner();
    try {
      const created = await device.guarded('Mlp.create', () => {
        const flat = (kind: FlatKind): Tensor => owner.own(Tensor.empty(device, [flatLength(layers, kind)], kind));
        const tensors = { parameters: flat('parameters'), frozen: flat('frozen'), buffers: flat('buffers') };
        const normalization = owner.own(Tensor.from(device, scaleAndShift, [inputs, 2], 'normalization'));
        const [scale = 1, shift = 0] = scaleAndShift;
        const isCommon = scaleAndShift.every((value, i) => value === (i % 2 === 0 ? scale : shift));
        const model = new Model(
          device,
          spec,
          link,
          layers,
          kernels,
          tensors,
          normalization,
          isCommon ? [scale, shift] : undefined,
          draws && !isLarge,
        );
        owner.own(model);
        return model;
      });
      if (draws && isLarge) await created.#drawInSlices();
      return created;
    } catch (error) {
      owner.dispose();
      throw error;
    }
  }

  /** Description of the model as plain data. */
  get spec(): ModelSpec {
    return { ...this.#spec, link: this.outputLink.value };
  }

  /** Meaning of the outputs that the last layer's activation sets, if it is softmax or sigmoid. */
  get ownLink(): Link | undefined {
    return this.outputLink.own;
  }

  /** Adds what a trainer has learned about its data. */
  learns(description: DataDescription): void {
    this.#spec = { ...this.#spec, ...description };
  }

  /** Number of features of the last layer's output. */
  get outputs(): number {
    return this.layers.at(-1)?.outputs ?? this.spec.inputs;
  }

  /** Every parameter, in the order of `weights()`. */
  get parameters(): readonly PlacedParameter[] {
    return everyLayer(this.layers).flatMap(({ parameters }) => parameters);
  }

  /** Number of values in parameters, without buffers. */
  get parameterCount(): number {
    return this.#count('parameters') + this.#count('frozen');
  }

  /** Number of values that training changes. */
  get trainableCount(): number {
    return this.#count('parameters');
  }

  #count(counted: FlatKind): number {
    return this.parameters.reduce((sum, { length, kind }) => sum + (kind === counted ? length : 0), 0);
  }

  /**
   * The layers with their tensors, ready to be recorded.
   * @param gradients flat tensor of the gradients of all trained parameters
   * @param folded true to leave out the last layer's activation, because a loss or a prediction applies it to the logits itself
   * @param parameters takes the place of `flatParameters`
   */
  placed(
    purpose: Purpose,
    gradients?: Tensor,
    folded = false,
    parameters: Tensor = this.flatParameters,
  ): PlacedLayer[] {
    const learns = purpose === 'evaluate' ? undefined : gradients;
    const last = this.layers.at(-1);
    const place = (placed: ModelLayer): PlacedLayer => {
      const { layer, ranges, number, layers, trainable } = placed;
      return {
        layer: folded && placed === last ? (layer.linear ?? layer) : layer,
        block: {
          values: trainable ? part(parameters, ranges.parameters) : part(this.flatFrozen, ranges.frozen),
          gradients: trainable ? learns && part(learns, ranges.parameters) : undefined,
          states: part(this.flatBuffers, ranges.buffers),
        },
        context: { purpose, trainable, seed: this.spec.seed, number, layers: layers.map(place), kernels: this.kernels },
      };
    };
    return this.layers.map(place);
  }

  /** Splits a host copy of `flatParameters`, or of their gradients, into one entry for each trained parameter. */
  cut(flat: Float32Array): Weight[] {
    return this.#cut({ parameters: flat });
  }

  /** Copies every parameter to the host. @param trained takes the place of `flatParameters` */
  async weights(trained: Tensor = this.flatParameters): Promise<Weight[]> {
    const [parameters, frozen, buffers] = await Promise.all([
      trained.read(),
      this.flatFrozen.read(),
      this.flatBuffers.read(),
    ]);
    return this.#cut({ parameters, frozen, buffers });
  }

  #cut(flat: Readonly<Partial<Record<FlatKind, Float32Array>>>): Weight[] {
    return this.parameters.flatMap(({ fullName, shape, start, length, kind }) => {
      const data = flat[kind]?.slice(start, start + length);
      return data === undefined ? [] : [{ name: fullName, shape, data }];
    });
  }

  /** Overwrites every parameter. @throws {ShapeError|DataError} and changes nothing */
  setWeights(list: readonly { readonly name: string; readonly data: Numbers }[]): void {
    assertList('setWeights:', 'list', list, 'await model.weights()', 'shape');
    const placed = this.parameters;
    const flat = flatValues(this.layers);
    const names = placed.map(({ fullName }) => fullName);
    if (names.join() !== list.map(({ name }) => name).join()) {
      throw new ShapeError(
        `setWeights: expected ${names.join(', ')}, but got ${list.map(({ name }) => name).join(', ') || 'nothing'}. Pass all of them in the order of weights().`,
      );
    }
    for (const [number, { fullName, shape, start, length, kind }] of placed.entries()) {
      const data = toFloats(`setWeights: ${fullName}`, list[number]?.data, shape.at(-1));
      if (data.length !== length) {
        throw new ShapeError(
          `setWeights: ${fullName} is ${formatShape(shape)}, ${length} values, but got ${data.length}.`,
        );
      }
      flat[kind].set(data, start);
    }
    this.#skipInitial();
    this.#write(flat);
  }

  /** Draws and writes the initial values, and lets other tasks run meanwhile. @throws as `check` */
  async #drawInSlices(): Promise<void> {
    const flat = await inSlices(initialParameters(this.layers, this.spec.seed));
    for (const [{ buffer, length }, values] of [
      [this.flatParameters, flat.parameters],
      [this.flatFrozen, flat.frozen],
      [this.flatBuffers, flat.buffers],
    ] as const) {
      for (let start = 0; start < length; start += WRITTEN_AT_ONCE) {
        this.check();
        this.device.write(buffer, 4 * start, values.subarray(start, start + WRITTEN_AT_ONCE));
        await nextTask();
      }
    }
    this.check();
  }

  #write({ parameters, frozen, buffers }: FlatValues): void {
    this.flatParameters.write(parameters);
    this.flatFrozen.write(frozen);
    this.flatBuffers.write(buffers);
  }

  /** A table of the layers; the layers inside a layer follow it. */
  summary(): string {
    const rows = everyLayer(this.layers).map(({ layer: { spec }, name, inputs, outputs, ranges }) => {
      const { type, activation } = spec;
      const form = typeof activation === 'object' ? JSON.stringify(activation) : String(activation ?? '');
      const { parameters, frozen } = ranges;
      const count = frozen.length > 0 ? `${frozen.length} frozen` : `${parameters.length}`;
      return [name, type, `${inputs} → ${outputs}`, form, count];
    });
    const frozenCount = this.#count('frozen');
    const split = frozenCount > 0 ? `: ${this.trainableCount} trainable, ${frozenCount} frozen` : '';
    return `${table(['layer', 'type', 'shape', 'activation', 'parameters'], rows)}\n${this.parameterCount} parameters${split}`;
  }

  /** Checks that the model is usable. @throws {DisposedError|DeviceLostError|MlpError} if it is disposed, or its device failed */
  check(): void {
    this.parts.check();
    this.device.check();
  }

  dispose(): void {
    this.parts.dispose();
  }
}

/** Description of a model with all defaults filled in. @throws {MlpError} `bad-option` */
async function specOf(options: ModelOptions, layers: readonly ModelLayer[], seed: number): Promise<ModelSpec> {
  const { inputs, normalize, classNames, encoder, targets } = options;
  const specs = layers.map(({ layer }) => layer.spec);
  const outputs = layers.at(-1)?.outputs ?? inputs;
  const own = linkOf(specs.at(-1)?.activation);
  const regresses = outputs === 1 || targets !== undefined;
  const link = own ?? options.link ?? (regresses ? 'identity' : 'softmax');
  checkLink('Mlp.create:', link);
  const plain = normalize === undefined ? null : plainNormalization(normalize);
  const spec = { inputs, layers: specs, normalize: plain, seed, link };
  if (classNames === undefined && encoder === undefined && targets === undefined) return spec;
  const { checkDescription } = await import('./description.js');
  const sizes = { inputs, outputs, isProbability: own !== undefined };
  return { ...spec, ...checkDescription('Mlp.create', options, sizes) };
}

/**
 * The rows of a data set as the source of a model's batches. The caller disposes of `order`.
 * @param labels default: the row numbers, as a placeholder where labels are not used
 * @param rows indices of the rows, in the order of the batches. Default: all rows.
 */
export function rowSource(
  { device, normalization, common }: Model,
  data: RawTensor,
  labels?: LabelTensor,
  rows: Uint32Array<ArrayBuffer> = counting(data.shape[0] ?? 1),
): RowSource {
  const order = upload<'u32'>(device, rows, [rows.length], 'order');
  return { data, labels: labels ?? order.view(0, [rows.length, 1]), order, normalization, common };
}

/** Index of the outermost layer of each `PARAMETER_BLOCK` of trained parameters. */
export function layerOfBlock({ layers, flatParameters: { length } }: Model): Uint32Array<ArrayBuffer> {
  const numbers = new Uint32Array(length / PARAMETER_BLOCK);
  for (const [number, { ranges }] of layers.entries()) numbers.fill(number, ranges.parameters.start / PARAMETER_BLOCK);
  return numbers;
}

/** View of a layer's range of a flat tensor; empty for a layer without parameters. */
const part = (flat: Tensor, { start, length }: Range): Tensor => new Tensor(flat.storage, start, [length], 'f32');
