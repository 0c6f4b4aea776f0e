import type { ByteSource } from './base/bytes.js';
import { assertMade, assertWord } from './base/check.js';
import { checkOptions, type OptionNames } from './base/options.js';
import type { Numbers } from './base/values.js';
import type { LayerMakers } from './model/file.js';
import type { Model, ModelOptions, ModelSpec, Weight } from './model/model.js';
import type { PredictInputs, PredictionOutput, Predictions, PredictOptions } from './model/predict.js';
import type { AnyMetric } from './nn/metrics/metric.js';
import { assertDevice, type Device } from './plan/device.js';
import type { TrainerOptions } from './train/options.js';
import type { Trainer } from './train/trainer.js';

/** Options of `Mlp.save`. */
export interface SaveOptions {
  /** File format. Default: "safetensors", the only one, which PyTorch reads too. Example: `format: 'safetensors'`. */
  readonly format?: 'safetensors' | undefined;
}

const SAVE_NAMES: OptionNames<SaveOptions> = { format: 1 };

/** Options of `Mlp.load`. */
export interface LoadOptions {
  /**
   * Functions that create your own layers from their saved specs, by type. Default: none.
   * Example: `layers: { featureScale }`.
   */
  readonly layers?: LayerMakers | undefined;
}

const LOAD_NAMES: OptionNames<LoadOptions> = { layers: 1 };

/**
 * A multi-layer perceptron: a sequence of layers whose parameters are in the memory of a device.
 *
 * @example
 * const model = await Mlp.create(gpu, { inputs: 784, layers: [dense(128, 'relu'), dense(10, 'softmax')] });
 * const trainer = await model.trainer({ loss: softmaxCrossEntropy(), optimizer: adam(), batchSize: 64 });
 */
export class Mlp {
  readonly #model: Model;
  #predictions: Promise<Predictions> | undefined;

  private constructor(model: Model) {
    assertMade('Mlp', model, 'placed', 'await Mlp.create(gpu, options)');
    this.#model = model;
  }

  /**
   * Creates a model with initialized parameters. The initial values of more than a million parameters are drawn in slices,
   * between which the page stays responsive.
   * @throws {ShapeError} if `inputs` or a layer's size is not a positive integer, or `layers` is empty
   * @throws {MlpError} if an option or a layer is invalid, such as `bad-layer` or `bad-activation`; the text names the layer
   * @throws {LimitError|MlpError} if the GPU lacks the memory (`out-of-memory`)
   * @throws {DisposedError|DeviceLostError} if the device is destroyed or lost
   *
   * @example
   * const model = await Mlp.create(gpu, { inputs: 2, layers: [dense(16, 'relu'), dense(2, 'softmax')], seed: 1 });
   */
  static async create(device: Device, options: ModelOptions): Promise<Mlp> {
    assertDevice('Mlp.create', device);
    const { Model } = await import('./model/model.js');
    return new Mlp(await Model.create(device, options));
  }

  /**
   * Creates the model that `save()` wrote.
   * @param source contents of the safetensors file, or its URL
   * @throws {FormatError} if the file is damaged or was not written by `save()`, before any GPU work
   * @throws {MlpError} `fetch` if the file cannot be fetched
   * @throws {MlpError} `unknown-layer` if neither the library nor `options.layers` has a type of layer in the file
   * @throws as `create`, for the model of the file
   *
   * @example
   * const model = await Mlp.load(gpu, fetch('model.safetensors'));
   */
  static async load(device: Device, source: ByteSource, options: LoadOptions = {}): Promise<Mlp> {
    assertDevice('Mlp.load', device);
    const { layers } = checkOptions('Mlp.load', options, LOAD_NAMES);
    const { loadModelFile } = await import('./model/file.js');
    const file = await loadModelFile(source, layers);
    const { Model } = await import('./model/model.js');
    const model = await Model.create(device, file.options, false);
    model.setWeights(file.weights);
    model.outputLink.load(file.options.link);
    return new Mlp(model);
  }

  /** Description of the model as plain data: inputs, layers, normalization, seed and link, with all defaults filled in. */
  get spec(): ModelSpec {
    return this.#model.spec;
  }

  /** Number of values in the parameters of all layers, frozen layers included; running statistics do not count. */
  get parameterCount(): number {
    return this.#model.parameterCount;
  }

  /** Number of values that training changes: `parameterCount` without the layers that have `trainable: false`. */
  get trainableParameterCount(): number {
    return this.#model.trainableCount;
  }

  /** A table of the layers with their shapes, activations and numbers of parameters; layers inside a layer follow it. */
  summary(): string {
    return this.#model.summary();
  }

  /**
   * Creates a trainer and compiles its training step. The parameters do not change until it trains.
   * @throws {LimitError} if `batchSize` or a buffer exceeds the device's limits
   * @throws {MlpError} if an option is invalid, such as `bad-loss` or `bad-metric`; `not-trainable` if a layer cannot be
   * trained; `out-of-memory`; or `shader` if a kernel does not compile
   * @throws {DisposedError|DeviceLostError} if the model is disposed, or the device is destroyed or lost
   *
   * @example
   * const trainer = await model.trainer({ loss: softmaxCrossEntropy(), optimizer: adam(), batchSize: 64 });
   */
  async trainer<M extends AnyMetric = never>(options: TrainerOptions<M>): Promise<Trainer<M>> {
    this.#model.check();
    const { Trainer } = await import('./train/trainer.js');
    this.#model.check();
    return await Trainer.create(this.#model, options);
  }

  /**
   * Predicts the most probable class of each sample: the index of the largest output, the first of equals. With a single
   * logistic output it is 1 if the probability is ≥ ½, else 0.
   * @param inputs raw samples as in training, (samples, inputs) row by row
   * @returns one class index for each sample
   * @throws as with any other `output`, and `bad-option` if the model's single output is a value, not a class
   *
   * @example
   * const classes = await model.predict(images, { output: 'classes' });
   */
  predict(
    inputs: PredictInputs,
    options: PredictOptions<'classes'> & {
      /** Selects class indices instead of numbers. */
      readonly output: 'classes';
    },
  ): Promise<Uint32Array>;
  /**
   * Predicts the name of the most probable class of each sample: of `spec.classNames`, which the model has from `Mlp.create` or
   * from the first data set with names that `fit` got. A class without a name gives its index.
   * @param inputs raw samples as in training, (samples, inputs) row by row, or rows of objects
   * @returns one name for each sample
   * @throws as with `classes`, and `bad-option` if the model has no class names
   *
   * @example
   * const [name] = await model.predict([{ size: 3, color: 'red' }], { output: 'names' });
   */
  predict(
    inputs: PredictInputs,
    options: PredictOptions<'names'> & {
      /** Selects names of classes instead of numbers. */
      readonly output: 'names';
    },
  ): Promise<string[]>;
  /**
   * Predicts the outputs of samples, by default probabilities, or values for regression. `spec.link` is the meaning of the
   * outputs: it is set by the last layer's activation (`softmax` or `sigmoid`), or else by the loss of the latest trainer.
   * With the option `layer`, predicts the outputs of that layer, such as features or an embedding.
   * @param inputs raw samples as in training, (samples, inputs) row by row; the model normalizes them itself. Or rows of objects,
   * if the model was trained on a table (`Dataset.fromCsv`, `Dataset.fromRows`): it encodes them as it encoded the table
   * @returns (samples, outputs) row by row; with `layer`, (samples, units of the layer)
   * @throws {ShapeError} if `inputs` is not a whole number of samples
   * @throws {DataError} if `inputs` has a NaN or an infinity, which is not checked in a tensor or a GPUBuffer; or if a row has a
   * category that the training set did not have, or lacks a column whose mean the model does not know
   * @throws {MlpError} `bad-option` if `output`, `layer` or `batchSize` is invalid; `busy` while `lossSurface` or `checkGradients` is
   * temporarily changing the parameters
   * @throws {DisposedError|DeviceLostError} if the model is disposed, or the device is destroyed or lost
   *
   * @example
   * const probabilities = await model.predict(images);
   */
  predict(
    inputs: PredictInputs,
    options?: PredictOptions<Exclude<PredictionOutput, 'classes' | 'names'>>,
  ): Promise<Float32Array>;
  async predict(inputs: PredictInputs, options: PredictOptions = {}): Promise<Float32Array | Uint32Array | string[]> {
    this.#model.check();
    return await this.#model.access.during('read', 'predict', async () => {
      this.#predictions ??= this.#loadPredictions();
      const predictions = await this.#predictions;
      this.#model.check();
      return await predictions.predict(inputs, options);
    });
  }

  /**
   * Copies every parameter to the host, after all work queued so far.
   * @throws {MlpError} `busy` while `lossSurface` or `checkGradients` is temporarily changing the parameters
   * @throws {DisposedError|DeviceLostError} if the model is disposed, or the device is destroyed or lost
   *
   * @example
   * const [weight, bias] = await model.weights();
   */
  async weights(): Promise<Weight[]> {
    return await this.#read('weights');
  }

  /**
   * Overwrites every parameter. If it throws, no parameter has changed.
   * @param list one entry for each parameter, with the names and in the order of `weights()`
   * @throws {ShapeError} if a name, the order or a length differs from `weights()`
   * @throws {DataError} if a value is not a number, or not finite in float32
   * @throws {MlpError} `busy` while another operation, such as `fit`, changes the parameters
   * @throws {DisposedError|DeviceLostError} if the model is disposed, or the device is destroyed or lost
   *
   * @example
   * copy.setWeights(await model.weights());
   */
  setWeights(
    list: readonly {
      /** The parameter's name, as in `weights()`. */
      readonly name: string;
      /** Its elements in row-major order, as in `weights()`, or nested. */
      readonly data: Numbers;
    }[],
  ): void {
    this.#overwrite('setWeights', list);
  }

  /**
   * Writes the model, after all work queued so far, to a safetensors file. The weights have the names and the layout of the
   * equivalent `torch.nn.Sequential`; the spec is in the metadata. May be called while `fit` runs.
   * @returns the bytes of the file
   * @throws {MlpError} `bad-option` if `format` is unknown; `bad-layer` if the `modules` of your own layer do not name each
   * parameter once; `busy` while `lossSurface` or `checkGradients` is temporarily changing the parameters
   * @throws {DisposedError|DeviceLostError} if the model is disposed, or the device is destroyed or lost
   *
   * @example
   * const file = new Blob([await model.save()]);
   */
  async save(options: SaveOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    const { format = 'safetensors' } = checkOptions('save', options, SAVE_NAMES);
    assertWord('save:', { format }, ['safetensors']);
    const [weights, { writeModelFile }] = await Promise.all([this.#read('save'), import('./model/file.js')]);
    const { isUnsaid } = this.#model.outputLink;
    return writeModelFile(isUnsaid ? { ...this.spec, link: undefined } : this.spec, this.#model.layers, weights);
  }

  /**
   * Overwrites every parameter with the tensors of a safetensors file, such as one that PyTorch saved from the equivalent
   * `torch.nn.Sequential`. Of a spec in the file only `link` is taken, if neither the last layer, a trainer nor `Mlp.create` has
   * set it. A file without a spec does not say what the outputs mean: `predict` then gives values by default, as PyTorch's
   * `model(x)`. If it throws, no parameter has changed.
   * @param source contents of the safetensors file, or its URL
   * @throws {FormatError} if the file is damaged, or its tensors do not fit the model
   * @throws {MlpError} `fetch` if the file cannot be fetched
   * @throws {MlpError} `busy` while another operation, such as `fit`, changes the parameters
   * @throws {DisposedError|DeviceLostError} if the model is disposed, or the device is destroyed or lost
   *
   * @example
   * await model.loadWeights(fetch('weights.safetensors'));
   */
  async loadWeights(source: ByteSource): Promise<void> {
    this.#model.check();
    const { loadWeightFile } = await import('./model/file.js');
    const { weights, link } = await loadWeightFile(source, this.#model.layers);
    this.#overwrite('loadWeights', weights);
    this.#model.outputLink.load(link);
  }

  /** Frees the parameters, trainers and plans of the model. A second call does nothing. */
  dispose(): void {
    this.#model.dispose();
  }

  /** Calls `dispose` at the end of a block: `using model = await Mlp.create(…)`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal Vue reads it: `ref()` and `reactive()` then make no proxy, which could not reach the private members. */
  get __v_skip(): true {
    return true;
  }

  /** Loads the code for predictions on first use, since some apps only train. */
  async #loadPredictions(): Promise<Predictions> {
    try {
      const { Predictions } = await import('./model/predict.js');
      return this.#model.parts.own(new Predictions(this.#model));
    } catch (error) {
      this.#predictions = undefined;
      throw error;
    }
  }

  /** Copies the parameters before any work that is queued later. */
  async #read(what: string): Promise<Weight[]> {
    this.#model.check();
    this.#model.access.check('read', what);
    return await this.#model.weights();
  }

  #overwrite(what: string, list: readonly { readonly name: string; readonly data: Numbers }[]): void {
    this.#model.check();
    this.#model.access.check('update', what);
    this.#model.setWeights(list);
  }
}
