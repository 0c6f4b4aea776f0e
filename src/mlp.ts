import { MlpError } from './base/errors.js';
import type { LayerMakers } from './model/file.js';
import type { Model, ModelOptions, ModelSpec, Weight } from './model/model.js';
import type { PredictInputs, PredictionOutput, Predictions, PredictOptions } from './model/predict.js';
import type { AnyMetric } from './nn/metrics/metric.js';
import type { Device } from './plan/device.js';
import type { TrainerOptions } from './train/options.js';
import type { Trainer } from './train/trainer.js';

export interface SaveOptions {
  /** What PyTorch and others read; the only one so far. */
  readonly format?: 'safetensors';
}

export interface LoadOptions {
  /** How the spec of a layer of your own becomes a layer again, by its type. */
  readonly layers?: LayerMakers;
}

/** A multi-layer perceptron on a device. */
export class Mlp {
  readonly #model: Model;
  #predictions: Promise<Predictions> | undefined;

  private constructor(model: Model) {
    this.#model = model;
  }

  /**
   * A model with initialised parameters.
   * @throws {ShapeError|MlpError} that names the layer and what is wrong with it, before any GPU work
   */
  static async create(device: Device, options: ModelOptions): Promise<Mlp> {
    device.check();
    const { Model } = await import('./model/model.js');
    return new Mlp(await Model.create(device, options));
  }

  /**
   * The model that `save()` wrote, from its bytes.
   * @throws {FormatError} for a file that does not hold together, before any GPU work
   * @throws {MlpError} `unknown-layer` for a layer that neither the library nor `layers` knows
   */
  static async load(device: Device, bytes: Uint8Array | ArrayBuffer, options: LoadOptions = {}): Promise<Mlp> {
    device.check();
    const { readModelFile } = await import('./model/file.js');
    const file = readModelFile(bytes, options.layers);
    const mlp = await Mlp.create(device, file.options);
    mlp.setWeights(file.weights);
    return mlp;
  }

  /** Plain data: inputs, layers, normalisation, seed and link, every default filled in. */
  get spec(): ModelSpec {
    return this.#model.spec;
  }

  /** Numbers that are learned, in all. */
  get parameterCount(): number {
    return this.#model.parameterCount;
  }

  /** A table of the layers, those in other layers after these. */
  summary(): string {
    return this.#model.summary();
  }

  /** Compiles a training step. @throws {MlpError} `out-of-memory`, `shader`; the model stays as it is */
  async trainer<M extends AnyMetric = never>(options: TrainerOptions<M>): Promise<Trainer<M>> {
    this.#model.check();
    const { Trainer } = await import('./train/trainer.js');
    this.#model.check();
    return await Trainer.create(this.#model, options);
  }

  /** The likeliest class of each sample. */
  predict(
    inputs: PredictInputs,
    options: PredictOptions<'classes'> & { readonly output: 'classes' },
  ): Promise<Uint32Array>;
  /**
   * What the model makes of samples: (samples, outputs), row by row. `spec.link` says what its outputs mean: as the last layer's
   * activation does, `softmax` or `sigmoid`, or else the loss of the latest trainer. A class is the largest output (the first of
   * equals); of a single logistic output, whether its probability is ≥ ½.
   * @param inputs raw, as in training: the model normalises them itself. (samples, inputs) numbers
   * @throws {ShapeError|DataError} before any GPU work
   * @throws {MlpError} `busy` while `lossSurface` or `checkGradients` has the parameters elsewhere
   * @throws {DeviceLostError} never a made-up result
   */
  predict(inputs: PredictInputs, options?: PredictOptions<Exclude<PredictionOutput, 'classes'>>): Promise<Float32Array>;
  async predict(inputs: PredictInputs, options: PredictOptions = {}): Promise<Float32Array | Uint32Array> {
    this.#model.check();
    return await this.#model.access.during('read', 'predict', async () => {
      this.#predictions ??= this.#loadPredictions();
      const predictions = await this.#predictions;
      this.#model.check();
      return await predictions.predict(inputs, options);
    });
  }

  /** A copy of every parameter, after everything that has been queued. */
  async weights(): Promise<Weight[]> {
    return await this.#read('weights');
  }

  /** Overwrites every parameter. @throws {ShapeError|DataError} and changes nothing */
  setWeights(list: readonly { readonly name: string; readonly data: ArrayLike<number> }[]): void {
    this.#overwrite('setWeights', list);
  }

  /**
   * The model as it is after everything that has been queued, in a safetensors file: weights by the names and in the layout of
   * the `torch.nn.Sequential` that computes the same, the spec in the metadata. May be called while `fit` runs.
   */
  async save(options: SaveOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    const { format = 'safetensors' } = options;
    if (format !== 'safetensors') {
      throw new MlpError('bad-option', `save: format = "${String(format)}"; "safetensors" is the only one so far.`);
    }
    const [weights, { writeModelFile }] = await Promise.all([this.#read('save'), import('./model/file.js')]);
    return writeModelFile(this.spec, this.#model.layers, weights);
  }

  /**
   * Overwrites every parameter with those of a safetensors file, such as one that PyTorch saved of the `torch.nn.Sequential`
   * that computes the same; what the file says of a spec is not looked at.
   * @throws {FormatError} and changes nothing
   */
  async loadWeights(bytes: Uint8Array | ArrayBuffer): Promise<void> {
    this.#model.check();
    const { readWeights } = await import('./model/file.js');
    this.#overwrite('loadWeights', readWeights(bytes, this.#model.layers));
  }

  /** Frees the parameters, the trainers and the plans. A second call does nothing. */
  dispose(): void {
    this.#model.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Some apps only train, and others only predict: each loads what it does. */
  async #loadPredictions(): Promise<Predictions> {
    try {
      const { Predictions } = await import('./model/predict.js');
      return this.#model.parts.own(new Predictions(this.#model));
    } catch (error) {
      this.#predictions = undefined;
      throw error;
    }
  }

  /** The parameters of this moment: they are copied before anything that is queued later. */
  async #read(what: string): Promise<Weight[]> {
    this.#model.check();
    this.#model.access.check('read', what);
    return await this.#model.weights();
  }

  #overwrite(what: string, list: readonly { readonly name: string; readonly data: ArrayLike<number> }[]): void {
    this.#model.check();
    this.#model.access.check('update', what);
    this.#model.setWeights(list);
  }
}
