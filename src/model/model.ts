import { assertOption, checkFinite, formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { Owner } from '../base/owner.js';
import { counting } from '../base/random.js';
import { table } from '../base/text-table.js';
import type { RawTensor } from '../data/dataset.js';
import type { LabelTensor, RowSource } from '../kernels/gather-rows.js';
import type { Layer, LayerKernels, PlacedLayer, Purpose } from '../nn/layers/layer.js';
import { checkLink, type Link, linkOf } from '../nn/output.js';
import type { Device } from '../plan/device.js';
import { PARAMETER_BLOCK } from '../plan/parameter-block.js';
import { Tensor, upload } from '../plan/tensor.js';
import { Access } from './access.js';
import { loadKernels } from './kernels.js';
import { type Normalization, normalizationOf } from './normalization.js';
import {
  everyLayer,
  type FlatValues,
  flatLength,
  initialParameters,
  type ModelLayer,
  type PlacedParameter,
  placeLayers,
  type Range,
} from './placement.js';

export interface ModelOptions {
  /** Features of a sample. */
  readonly inputs: number;
  readonly layers: readonly Layer[];
  /** Part of the model: applied at training and at prediction alike. */
  readonly normalize?: Normalization;
  /** Decides initial values and shuffling. */
  readonly seed?: number;
  /** The meaning of the outputs in predictions, if the last layer's activation does not say it, and before a trainer's loss does. */
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

/** Layers in order, their parameters in one flat tensor, and what is done to raw inputs. */
export class Model {
  readonly device: Device;
  /** Answers whether an operation may run now. */
  readonly access: Access = new Access();
  /** Everything that lives no longer than the model: its tensors, trainers, predictors. */
  readonly parts: Owner = new Owner('This model has been disposed. Make a new one with Mlp.create().');
  readonly layers: readonly ModelLayer[];
  /** The kernels that its layers are recorded with. */
  readonly kernels: LayerKernels;
  #spec: ModelSpec;
  /** All trained parameters; layer by layer, each layer's one after the other. */
  readonly flatParameters: Tensor;
  /** All others likewise; apart, so that no optimizer can touch them. */
  readonly flatBuffers: Tensor;
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
    kernels: LayerKernels,
    { parameters, buffers }: { readonly parameters: Tensor; readonly buffers: Tensor },
    normalization: Tensor,
    common: readonly [number, number] | undefined,
  ) {
    this.device = device;
    this.#spec = spec;
    this.layers = layers;
    this.kernels = kernels;
    this.flatParameters = parameters;
    this.flatBuffers = buffers;
    this.normalization = normalization;
    this.common = common;
    // To draw them takes as long as to compile a kernel: both can be done at a time.
    this.#skipInitial = device.defer(() => this.#write(initialParameters(layers, spec.seed)));
    this.parts.own({ dispose: this.#skipInitial });
    for (const tensor of [parameters, buffers, normalization]) this.parts.own(tensor);
  }

  static async create(device: Device, options: ModelOptions): Promise<Model> {
    const { inputs, seed = 0, normalize } = options;
    assertOption('Mlp.create:', { inputs }, 'a positive integer', 'shape');
    assertOption('Mlp.create:', { seed }, 'an integer ≥ 0', 'bad-seed');
    if (options.layers.length === 0)
      throw new ShapeError('Mlp.create: layers is empty; a model has at least one layer.');
    const layers = placeLayers(inputs, options.layers);
    const scaleAndShift = normalizationOf(inputs, normalize);
    const specs = layers.map(({ layer }) => layer.spec);
    const outputs = layers.at(-1)?.outputs;
    const link = linkOf(specs.at(-1)?.activation) ?? options.link ?? (outputs === 1 ? 'identity' : 'softmax');
    checkLink('Mlp.create:', link);
    const spec = { inputs, layers: specs, normalize: normalize ?? null, seed, link };
    const kernels = await loadKernels(device, layers);
    const owner = new Owner();
    try {
      return await device.guarded('Mlp.create', () => {
        const tensors = {
          parameters: owner.own(Tensor.empty(device, [flatLength(layers, 'parameters')], 'parameters')),
          buffers: owner.own(Tensor.empty(device, [flatLength(layers, 'buffers')], 'buffers')),
        };
        const normalization = owner.own(Tensor.from(device, scaleAndShift, [inputs, 2], 'normalization'));
        const [scale = 1, shift = 0] = scaleAndShift;
        const isCommon = scaleAndShift.every((value, i) => value === (i % 2 === 0 ? scale : shift));
        const model = new Model(
          device,
          spec,
          layers,
          kernels,
          tensors,
          normalization,
          isCommon ? [scale, shift] : undefined,
        );
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

  /** The meaning that the last layer's activation gives to outputs, if it is one that predictions can have behind them. */
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

  /**
   * The layers as they are recorded.
   * @param gradients of all trained parameters
   * @param folded the last one without its activation, which is the link's
   */
  placed(purpose: Purpose, gradients?: Tensor, folded = false): PlacedLayer[] {
    const learns = purpose === 'evaluate' ? undefined : gradients;
    const last = this.layers.at(-1);
    const place = (placed: ModelLayer): PlacedLayer => {
      const { layer, ranges, number, layers } = placed;
      return {
        layer: folded && placed === last ? (layer.linear ?? layer) : layer,
        block: {
          values: part(this.flatParameters, ranges.parameters),
          gradients: learns && part(learns, ranges.parameters),
          states: part(this.flatBuffers, ranges.buffers),
        },
        context: { purpose, seed: this.spec.seed, number, layers: layers.map(place), kernels: this.kernels },
      };
    };
    return this.layers.map(place);
  }

  /** Cuts a host copy of the trained parameters, or of their gradients, into parameters. */
  cut(flat: Float32Array): Weight[] {
    return this.#cut({ parameters: flat });
  }

  async weights(): Promise<Weight[]> {
    const [parameters, buffers] = await Promise.all([this.flatParameters.read(), this.flatBuffers.read()]);
    return this.#cut({ parameters, buffers });
  }

  #cut({ parameters, buffers }: { readonly parameters: Float32Array; readonly buffers?: Float32Array }): Weight[] {
    return this.parameters.flatMap(({ fullName, shape, start, length, trained }) => {
      const data = (trained ? parameters : buffers)?.slice(start, start + length);
      return data === undefined ? [] : [{ name: fullName, shape, data }];
    });
  }

  setWeights(list: readonly { readonly name: string; readonly data: ArrayLike<number> }[]): void {
    const placed = this.parameters;
    const parameters = new Float32Array(this.flatParameters.length);
    const buffers = new Float32Array(this.flatBuffers.length);
    const names = placed.map(({ fullName }) => fullName);
    if (names.join() !== list.map(({ name }) => name).join()) {
      throw new ShapeError(
        `setWeights: expected ${names.join(', ')}, but got ${list.map(({ name }) => name).join(', ') || 'nothing'}. Pass them all, in the order of weights().`,
      );
    }
    for (const [number, { fullName, shape, start, length, trained }] of placed.entries()) {
      const data = list[number]?.data ?? [];
      if (data.length !== length) {
        throw new ShapeError(
          `setWeights: ${fullName} is ${formatShape(shape)}, ${length} values, but ${data.length} came.`,
        );
      }
      checkFinite(`setWeights: ${fullName}`, data, shape.at(-1) ?? 1);
      (trained ? parameters : buffers).set(data, start);
    }
    this.#skipInitial();
    this.#write({ parameters, buffers });
  }

  #write({ parameters, buffers }: FlatValues): void {
    this.flatParameters.write(parameters);
    this.flatBuffers.write(buffers);
  }

  /** A table of the layers, those in other layers after these. */
  summary(): string {
    const rows = everyLayer(this.layers).map(({ layer: { spec }, name, inputs, outputs, ranges }) => {
      const { type, activation } = spec;
      const form = typeof activation === 'object' ? JSON.stringify(activation) : String(activation ?? '');
      return [name, type, `${inputs} → ${outputs}`, form, `${ranges.parameters.length}`];
    });
    return `${table(['layer', 'type', 'shape', 'activation', 'parameters'], rows)}\n${this.parameterCount} parameters`;
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

/**
 * The rows of samples as a model's batches take them, in their order, all unless told otherwise. Its `order` is the caller's to
 * dispose of. Without labels the row numbers stand in for them.
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

/** For each `PARAMETER_BLOCK` of trained elements, the number of its layer, those in it included. */
export function layerOfBlock({ layers, flatParameters: { length } }: Model): Uint32Array<ArrayBuffer> {
  const numbers = new Uint32Array(length / PARAMETER_BLOCK);
  for (const [number, { ranges }] of layers.entries()) numbers.fill(number, ranges.parameters.start / PARAMETER_BLOCK);
  return numbers;
}

/** A layer's part of a flat tensor; of a layer without parameters it has no elements. */
const part = (flat: Tensor, { start, length }: Range): Tensor => new Tensor(flat.storage, start, [length], 'f32');
