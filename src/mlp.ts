import { checkBatchSize } from './check.js';
import { type PredictionOutput, recordPrediction } from './compile.js';
import { checkInputs, type RawArray, type RawTensor } from './dataset.js';
import { DisposedError, MlpError, ShapeError } from './errors.js';
import { rowSource } from './feeds.js';
import type { Gpu } from './gpu/gpu.js';
import { type Plan, StepRecords } from './gpu/plan.js';
import { Tensor } from './gpu/tensor.js';
import { everyLayer, Model, type ModelOptions, type ModelSpec, type Weight } from './model.js';
import type { LayerMakers } from './model-file.js';
import { table } from './table.js';
import { type AnyMetric, Trainer, type TrainerOptions } from './trainer.js';

export interface PredictOptions<Output extends PredictionOutput = PredictionOutput> {
  /** By default `values` where the model's link is the identity, as regression's, else `probabilities`. */
  readonly output?: Output;
  /** Samples that are computed at once. */
  readonly batchSize?: number;
}

export interface SaveOptions {
  /** What PyTorch and others read; the only one so far. */
  readonly format?: 'safetensors';
}

export interface LoadOptions {
  /** How the spec of a layer of your own becomes a layer again, by its type. */
  readonly layers?: LayerMakers;
}

/** A plan that predicts a batch. */
interface Predictor {
  readonly plan: Plan;
  readonly data: RawTensor;
  readonly result: Tensor;
  dispose(): void;
}

/** Samples that are predicted at once unless the caller says otherwise. */
const MOST_AT_ONCE = 1024;
/** Plans that are kept for later calls. */
const KEPT_PREDICTORS = 8;
const STEPS_AT_ONCE = 1;

/** A multi-layer perceptron on a GPU. */
export class Mlp {
  readonly #model: Model;
  /** What lives no longer than the model: trainers, and the plans of predictions. */
  readonly #parts: Set<{ dispose(): void }> = new Set<{ dispose(): void }>();
  readonly #predictors: Map<string, Promise<Predictor>> = new Map<string, Promise<Predictor>>();
  #records: StepRecords | undefined;
  #disposed = false;

  private constructor(model: Model) {
    this.#model = model;
  }

  /**
   * A model with initialised parameters.
   * @throws {ShapeError|MlpError} that names the layer and what is wrong with it, before any GPU work
   */
  static async create(gpu: Gpu, options: ModelOptions): Promise<Mlp> {
    return new Mlp(await Model.create(gpu, options));
  }

  /**
   * The model that `save()` wrote, from its bytes.
   * @throws {FormatError} for a file that does not hold together, before any GPU work
   * @throws {MlpError} `unknown-layer` for a layer that neither the library nor `layers` knows
   */
  static async load(gpu: Gpu, bytes: Uint8Array | ArrayBuffer, options: LoadOptions = {}): Promise<Mlp> {
    gpu.check();
    const { readModelFile } = await import('./model-file.js');
    const file = readModelFile(bytes, options.layers);
    const mlp = await Mlp.create(gpu, file.options);
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
    const rows = everyLayer(this.#model.layers).map(({ layer: { spec }, name, inputs, outputs, values }) => {
      const { type, activation } = spec;
      const form = typeof activation === 'object' ? JSON.stringify(activation) : String(activation ?? '');
      return [name, type, `${inputs} → ${outputs}`, form, `${values.length}`];
    });
    return `${table(['layer', 'type', 'shape', 'activation', 'parameters'], rows)}\n${this.parameterCount} parameters`;
  }

  /** Compiles a training step. @throws {MlpError} `out-of-memory`, `shader`; the model stays as it is */
  async trainer<M extends AnyMetric = never>(options: TrainerOptions<M>): Promise<Trainer<M>> {
    this.#check();
    const trainer = await Trainer.create(this.#model, options, (disposed) => this.#parts.delete(disposed));
    this.#parts.add(trainer);
    return trainer;
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
   * @throws {DeviceLostError} never a made-up result
   */
  predict(inputs: PredictInputs, options?: PredictOptions<Exclude<PredictionOutput, 'classes'>>): Promise<Float32Array>;
  async predict(inputs: PredictInputs, options: PredictOptions = {}): Promise<Float32Array | Uint32Array> {
    this.#check();
    const regression = this.#model.spec.link === 'identity';
    const { output = regression ? 'values' : 'probabilities', batchSize = MOST_AT_ONCE } = options;
    if (!['probabilities', 'logits', 'classes', 'values'].includes(output)) {
      throw new MlpError(
        'bad-option',
        `predict: output = "${output}"; it is "probabilities", "logits", "classes" or "values".`,
      );
    }
    if (regression && (output === 'probabilities' || (output === 'classes' && this.#model.outputs === 1))) {
      throw new MlpError(
        'bad-option',
        `predict: output = "${output}", but the model's outputs are values: it has no softmax or sigmoid, nor a trainer with a loss of classes. Use "values".`,
      );
    }
    checkBatchSize('predict:', batchSize, this.#model.gpu.info.limits);
    const values =
      inputs instanceof Tensor || isBuffer(inputs)
        ? await this.#predictTensor(this.#asTensor(inputs), output, batchSize)
        : await this.#predictArray(checkInputs('predict', inputs, this.#model.spec.inputs), output, batchSize);
    return output === 'classes' ? Uint32Array.from(values) : values;
  }

  /** A copy of every parameter, after everything that has been queued. */
  async weights(): Promise<Weight[]> {
    this.#check();
    return await this.#model.weights();
  }

  /** Overwrites every parameter. @throws {ShapeError|DataError} and changes nothing */
  setWeights(list: readonly { readonly name: string; readonly data: ArrayLike<number> }[]): void {
    this.#check();
    this.#model.setWeights(list);
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
    const [weights, { writeModelFile }] = await Promise.all([this.weights(), import('./model-file.js')]);
    return writeModelFile(this.spec, this.#model.layers, weights);
  }

  /**
   * Overwrites every parameter with those of a safetensors file, such as one that PyTorch saved of the `torch.nn.Sequential`
   * that computes the same; what the file says of a spec is not looked at.
   * @throws {FormatError} and changes nothing
   */
  async loadWeights(bytes: Uint8Array | ArrayBuffer): Promise<void> {
    this.#check();
    const { readWeights } = await import('./model-file.js');
    this.setWeights(readWeights(bytes, this.#model.layers));
  }

  /** Frees the parameters, the trainers and the plans. A second call does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const part of [...this.#parts]) part.dispose();
    this.#records?.dispose();
    this.#model.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #predictArray(inputs: RawArray, output: PredictionOutput, batchSize: number): Promise<Float32Array> {
    const features = this.#model.spec.inputs;
    const count = inputs.length / features;
    if (count === 0) return new Float32Array(0);
    const batch = Math.min(batchSize, 2 ** Math.ceil(Math.log2(count)));
    const predictor = await this.#predictor(batch, output, inputs instanceof Uint8Array ? 'u8' : 'f32');
    return await this.#replay(predictor, count, (first, rows) => {
      const slice = inputs.subarray(first * features, (first + rows) * features);
      this.#model.gpu.write(predictor.data.buffer, 0, slice);
      return 0;
    });
  }

  /** Predicts from data that are on the GPU already; the plan is made for this call. */
  async #predictTensor(data: Tensor, output: PredictionOutput, batchSize: number): Promise<Float32Array> {
    const [count = 0] = data.shape;
    const predictor = await this.#makePredictor(data, Math.min(batchSize, count), output);
    try {
      return await this.#replay(predictor, count, (first) => first);
    } finally {
      predictor.dispose();
    }
  }

  /** Predicts batch after batch. @param load makes rows available, and says where in the source they begin */
  async #replay(
    { plan, result }: Predictor,
    count: number,
    load: (first: number, rows: number) => number,
  ): Promise<Float32Array> {
    this.#check();
    const { gpu } = this.#model;
    const [batch = 1, perRow = 1] = result.shape;
    const bytes = 4 * perRow;
    const staging = gpu.allocateStaging(count * bytes, 'predictions');
    try {
      for (let first = 0; first < count; first += batch) {
        const rows = Math.min(batch, count - first);
        this.#stepRecords.write([{ first: load(first, rows), rows, index: 0, learning_rate: 0 }]);
        gpu.submit(
          'predict',
          (pass) => plan.encode(pass, 0),
          (encoder) =>
            encoder.copyBufferToBuffer(result.buffer, result.byteOffset, staging, first * bytes, rows * bytes),
        );
      }
      return new Float32Array(await gpu.map(staging, count * bytes, true));
    } finally {
      gpu.free(staging);
    }
  }

  /** The plan for batches of a size, with a buffer that inputs are written into. */
  #predictor(batch: number, output: PredictionOutput, dtype: 'u8' | 'f32'): Promise<Predictor> {
    const key = `${batch}/${output}/${dtype}/${this.#model.spec.link}`;
    let predictor = this.#predictors.get(key);
    if (predictor === undefined) {
      const [oldest] = this.#predictors;
      if (oldest !== undefined && this.#predictors.size >= KEPT_PREDICTORS) {
        this.#predictors.delete(oldest[0]);
        // Whoever waits for it comes first, and has queued its work by then.
        oldest[1].then(
          (unneeded) => unneeded.dispose(),
          () => undefined,
        );
      }
      const { gpu, spec } = this.#model;
      const data = Tensor.empty(gpu, [batch, spec.inputs], 'inputs', dtype) as RawTensor;
      predictor = this.#makePredictor(data, batch, output, data);
      this.#predictors.set(key, predictor);
      predictor.catch(() => this.#predictors.delete(key));
    }
    return predictor;
  }

  /** @param own disposed with the plan */
  async #makePredictor(data: RawTensor, batch: number, output: PredictionOutput, own?: RawTensor): Promise<Predictor> {
    const source = rowSource(this.#model, data);
    const parts: { dispose(): void }[] = [source.order];
    if (own !== undefined) parts.push(own);
    const dispose = (): void => {
      this.#parts.delete(predictor);
      for (const part of parts) part.dispose();
    };
    const predictor = { dispose };
    try {
      const { builder, result } = recordPrediction(this.#model, batch, output, source);
      const plan = await builder.compile(this.#model.gpu, 'predict', this.#stepRecords);
      parts.push(plan);
      this.#parts.add(predictor);
      if (this.#disposed) dispose();
      return { plan, data, result, dispose };
    } catch (error) {
      dispose();
      throw error;
    }
  }

  #asTensor(inputs: Tensor | GPUBuffer): Tensor {
    const features = this.#model.spec.inputs;
    const length = inputs instanceof Tensor ? inputs.length : Math.floor(inputs.size / 4);
    if (length % features !== 0 || length === 0) {
      throw new ShapeError(
        `predict: inputs has ${length} numbers, which is no multiple of the model's ${features} inputs.`,
      );
    }
    const shape = [length / features, features];
    return inputs instanceof Tensor ? inputs.view(0, shape) : Tensor.wrap(inputs, shape);
  }

  get #stepRecords(): StepRecords {
    this.#records ??= new StepRecords(this.#model.gpu, STEPS_AT_ONCE);
    return this.#records;
  }

  #check(): void {
    if (this.#disposed) throw new DisposedError('This model has been disposed. Make a new one with Mlp.create().');
    this.#model.gpu.check();
  }
}

/** Samples as numbers on the host, or as float32 on the GPU. */
export type PredictInputs = Uint8Array | Uint8ClampedArray | Float32Array | ArrayLike<number> | Tensor | GPUBuffer;

function isBuffer(inputs: PredictInputs): inputs is GPUBuffer {
  return typeof GPUBuffer !== 'undefined' && inputs instanceof GPUBuffer;
}
