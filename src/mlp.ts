import { type PredictionOutput, recordPrediction } from './compile.js';
import { checkInputs, upload, uploadWords } from './dataset.js';
import { DisposedError, LimitError, MlpError, ShapeError } from './errors.js';
import { counting } from './feeds.js';
import type { Gpu } from './gpu/gpu.js';
import { type Plan, StepRecords, table } from './gpu/plan.js';
import { Tensor } from './gpu/tensor.js';
import type { RowSource } from './kernels/gather-rows.js';
import { Model, type ModelOptions, type ModelSpec, type Weight } from './model.js';
import { Trainer, type TrainerOptions } from './trainer.js';

export interface PredictOptions<Output extends PredictionOutput = PredictionOutput> {
  /** `probabilities` by default. */
  readonly output?: Output;
  /** Samples that are computed at once. */
  readonly batchSize?: number;
}

/** A plan that predicts a batch from a buffer of its own. */
interface Predictor {
  readonly plan: Plan;
  readonly source: RowSource;
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
  readonly #trainers: Set<{ dispose(): void }> = new Set<{ dispose(): void }>();
  readonly #predictors: Map<string, { ready?: Predictor; readonly made: Promise<Predictor> }> = new Map<
    string,
    { ready?: Predictor; readonly made: Promise<Predictor> }
  >();
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

  /** Plain data: inputs, layers, normalisation and seed, every default filled in. */
  get spec(): ModelSpec {
    return this.#model.spec;
  }

  /** Weights and biases in all. */
  get parameterCount(): number {
    return this.#model.parameterCount;
  }

  /** A table of the layers. */
  summary(): string {
    const rows = this.#model.layers.map(({ layer: { spec }, inputs, parameters }, number) => {
      const { type, units, activation } = spec;
      const name = typeof activation === 'object' ? JSON.stringify(activation) : String(activation ?? '');
      return [
        `${number}`,
        type,
        `${inputs} → ${units}`,
        name,
        `${parameters.reduce((sum, { length }) => sum + length, 0)}`,
      ];
    });
    return `${table(['layer', 'type', 'shape', 'activation', 'parameters'], rows)}\n${this.parameterCount} parameters`;
  }

  /** Compiles a training step. @throws {MlpError} `out-of-memory`, `shader`; the model stays as it is */
  async trainer<Names extends string = never>(options: TrainerOptions<Names>): Promise<Trainer<Names>> {
    this.#check();
    const trainer = await Trainer.create(this.#model, options, (disposed) => this.#trainers.delete(disposed));
    this.#trainers.add(trainer);
    return trainer;
  }

  /** The likeliest class of each sample. */
  predict(
    inputs: PredictInputs,
    options: PredictOptions<'classes'> & { readonly output: 'classes' },
  ): Promise<Uint32Array>;
  /**
   * What the model makes of samples: (samples, outputs), row by row.
   * @param inputs raw, as in training: the model normalises them itself. (samples, inputs) numbers
   * @throws {ShapeError|DataError} before any GPU work
   * @throws {DeviceLostError} never a made-up result
   */
  predict(inputs: PredictInputs, options?: PredictOptions<'probabilities' | 'logits'>): Promise<Float32Array>;
  async predict(inputs: PredictInputs, options: PredictOptions = {}): Promise<Float32Array | Uint32Array> {
    this.#check();
    const { output = 'probabilities', batchSize = MOST_AT_ONCE } = options;
    if (!['probabilities', 'logits', 'classes'].includes(output)) {
      throw new MlpError('bad-option', `predict: output = "${output}"; it is "probabilities", "logits" or "classes".`);
    }
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      throw new ShapeError(`predict: batchSize = ${batchSize}; batchSize must be a positive integer.`);
    }
    const most = this.#model.gpu.info.limits.maxComputeWorkgroupsPerDimension;
    if (batchSize > most) {
      throw new LimitError(
        `predict: batchSize = ${batchSize}, but this GPU allows ${most} workgroups in a dimension (maxComputeWorkgroupsPerDimension), one for each row. Use a smaller batch.`,
      );
    }
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

  /** Frees the parameters, the trainers and the plans. A second call does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const trainer of [...this.#trainers]) trainer.dispose();
    for (const { ready } of this.#predictors.values()) ready?.dispose();
    this.#records?.dispose();
    this.#model.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #predictArray(
    inputs: Uint8Array | Float32Array,
    output: PredictionOutput,
    batchSize: number,
  ): Promise<Float32Array> {
    const features = this.#model.spec.inputs;
    const count = inputs.length / features;
    if (count === 0) return new Float32Array(0);
    const batch = Math.min(batchSize, 2 ** Math.ceil(Math.log2(count)));
    const predictor = await this.#predictor(batch, output, inputs instanceof Uint8Array);
    return await this.#replay(predictor, count, (first, rows) => {
      const slice = inputs.subarray(first * features, (first + rows) * features);
      this.#model.gpu.write(predictor.source.data.buffer, 0, slice);
      return 0;
    });
  }

  /** Predicts from data that are on the GPU already; the plan is made for this call. */
  async #predictTensor(data: Tensor, output: PredictionOutput, batchSize: number): Promise<Float32Array> {
    const count = data.shape[0] ?? 0;
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
          (pass) => plan.encode(pass, ['main'], 0),
          (encoder) =>
            encoder.copyBufferToBuffer(result.buffer, 4 * result.start, staging, first * bytes, rows * bytes),
        );
      }
      return new Float32Array(await gpu.map(staging, count * bytes));
    } finally {
      gpu.free(staging);
    }
  }

  /** The plan for batches of a size, with a buffer that inputs are written into. */
  #predictor(batch: number, output: PredictionOutput, bytes: boolean): Promise<Predictor> {
    const key = `${batch}/${output}/${bytes}`;
    const known = this.#predictors.get(key);
    if (known !== undefined) return known.made;
    for (const [oldest, { ready }] of this.#predictors) {
      if (this.#predictors.size < KEPT_PREDICTORS || ready === undefined) break;
      ready.dispose();
      this.#predictors.delete(oldest);
    }
    const entry: { ready?: Predictor; made: Promise<Predictor> } = {
      made: this.#makePredictor(this.#inputs(batch, bytes), batch, output, true),
    };
    this.#predictors.set(key, entry);
    entry.made.then(
      (ready) => {
        entry.ready = ready;
      },
      () => this.#predictors.delete(key),
    );
    return entry.made;
  }

  async #makePredictor(
    data: RowSource['data'],
    batch: number,
    output: PredictionOutput,
    own = false,
  ): Promise<Predictor> {
    const { gpu, normalization } = this.#model;
    const samples = data.shape[0] ?? 1;
    const labels = uploadWords(gpu, new Uint32Array(samples), [samples, 1]);
    const order = uploadWords(gpu, counting(samples), [samples]);
    const source = { data, labels, order, normalization };
    const free = (): void => {
      for (const tensor of own ? [data, labels, order] : [labels, order]) tensor.dispose();
    };
    try {
      const { builder, result } = recordPrediction(this.#model, batch, output, source);
      const plan = await builder.compile(gpu, 'predict', this.#stepRecords);
      const dispose = (): void => {
        plan.dispose();
        free();
      };
      if (this.#disposed) dispose();
      return { plan, source, result, dispose };
    } catch (error) {
      free();
      throw error;
    }
  }

  /** A buffer that batches are written into. */
  #inputs(batch: number, bytes: boolean): RowSource['data'] {
    const { gpu, spec } = this.#model;
    const size = batch * spec.inputs;
    return upload(gpu, 'inputs', bytes ? new Uint8Array(size) : new Float32Array(size), [batch, spec.inputs]);
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
