import { checkBatchSize } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import { checkOptions, type OptionNames } from '../base/options.js';
import { Owner } from '../base/owner.js';
import type { Numbers } from '../base/values.js';
import type { RawTensor } from '../data/dataset.js';
import { type DeviceNumbers, deviceRows, isOnDevice, lengthOf } from '../data/device-rows.js';
import type { TableRow } from '../data/rows.js';
import { checkInputs, type RawArray } from '../data/samples.js';
import { loadFusions } from '../fusion/index.js';
import { gatherRows, type RowSource } from '../kernels/gather-rows.js';
import { softmax } from '../kernels/softmax.js';
import { recordChain } from '../nn/layers/chain.js';
import { PlanBuilder, type Rewrite } from '../plan/builder.js';
import { verified } from '../plan/device.js';
import { NO_STEP, PER_STEP } from '../plan/dispatch.js';
import { type DeviceBuffer, STAGING_BYTES } from '../plan/memory.js';
import type { Plan } from '../plan/plan.js';
import { StepRecords } from '../plan/step-records.js';
import { Tensor } from '../plan/tensor.js';
import type { LayerOutput } from './layer-output.js';
import { type Model, type ModelSpec, rowSource } from './model.js';

/** Options of `Mlp.predict`. */
export interface PredictOptions<Output extends PredictionOutput = PredictionOutput> {
  /**
   * Kind of output. Default: `values` if `spec.link` is "identity", as in regression, or if `loadWeights` loaded a file that
   * does not say what the outputs mean, such as one of PyTorch; otherwise `probabilities`.
   * Example: `output: 'classes'`.
   */
  readonly output?: Output | undefined;
  /**
   * Layer whose outputs, after its activation, are returned in place of the model's: its index, or its name as `summary()`
   * shows it, such as `"3.0"` for the first layer inside layer 3. Not together with `output`. Default: none.
   * Example: `layer: 0`.
   */
  readonly layer?: number | string | undefined;
  /**
   * Largest number of samples that the GPU computes at once. It bounds memory, not the number of samples. Default: 1024.
   * Example: `batchSize: 64`.
   */
  readonly batchSize?: number | undefined;
}

const NAMES: OptionNames<PredictOptions> = { output: 1, layer: 1, batchSize: 1 };

/**
 * Output of a prediction, for each sample: `probabilities` has the probability of each class or output, `logits` the values
 * before softmax or sigmoid, `classes` the index of the most probable class, `names` its name, `values` the last layer's outputs
 * after its activation, in the units of the targets if the model standardizes them.
 */
export type PredictionOutput = 'probabilities' | 'logits' | 'classes' | 'names' | 'values';

/**
 * Samples for a prediction, (samples, inputs): numbers on the host, flat or nested; a tensor, or a GPUBuffer of float32; or rows
 * of objects with the columns of the table that the model was trained on.
 */
export type PredictInputs = Samples | readonly TableRow[];

/** Samples that are numbers already. */
type Samples = Numbers | Tensor | Tensor<'u8'> | DeviceBuffer;

/** Outputs that a plan predicts. */
type Wanted = PredictionOutput | LayerOutput;

/** A plan that predicts a batch, and its operands. */
interface Predictor {
  readonly plan: Plan;
  /** The samples that it reads. */
  readonly data: RawTensor;
  readonly result: Tensor;
  /** Number of calls that replay the plan. */
  uses: number;
  /** True if no further call will use it: the last use disposes of it. */
  retired: boolean;
  dispose(): void;
}

/** Default of `batchSize`. */
const MOST_AT_ONCE = 1024;
/** Number of plans that are kept for later calls. */
const KEPT_PREDICTORS = 8;
/** Step records of a plan: each batch has its own submit. */
const STEPS_AT_ONCE = 1;

/** Implements `Mlp.predict`, with a cache of plans by batch size, output and type of the inputs. */
export class Predictions {
  readonly #model: Model;
  /** Memory of the plans, which is freed with the model. */
  readonly #made: Owner = new Owner();
  /** The cached plans, the least recently used first. */
  readonly #predictors: Map<string, Promise<Predictor>> = new Map<string, Promise<Predictor>>();

  constructor(model: Model) {
    this.#model = model;
  }

  /** Implements `Mlp.predict`. */
  async predict(inputs: PredictInputs, options: PredictOptions): Promise<Float32Array | Uint32Array | string[]> {
    const known = checkOptions('predict', options, NAMES);
    const { layer, batchSize = MOST_AT_ONCE } = known;
    const wanted = layer === undefined ? outputOf(this.#model, known) : await this.#layer(known);
    checkBatchSize('predict:', batchSize, this.#model.device.info.limits);
    const output = wanted === 'names' ? 'classes' : wanted;
    const samples = areRows(inputs) ? await encode(this.#model, inputs) : (inputs as Samples);
    const values = isOnDevice(this.#model.device, samples)
      ? await this.#predictTensor(this.#asTensor(samples), output, batchSize)
      : await this.#predictArray(checkInputs('predict', samples, this.#model.spec.inputs).inputs, output, batchSize);
    const { classNames, targets } = this.#model.spec;
    // A class without a name has its index.
    if (wanted === 'names') return Array.from(values, (index) => classNames?.[index] ?? `${index}`);
    if (output === 'classes') return Uint32Array.from(values);
    return output === 'values' ? inUnits(values, targets) : values;
  }

  dispose(): void {
    this.#made.dispose();
  }

  /** The layer that the options ask for. Loads the code for it on first use. @throws {MlpError} `bad-option` */
  async #layer({ layer, output }: PredictOptions): Promise<Wanted> {
    if (output !== undefined) {
      throw new MlpError(
        'bad-option',
        'predict: there are both output and layer. output is for the last layer; leave one of them out.',
      );
    }
    const { layerOutput } = await import('./layer-output.js');
    this.#model.check();
    return layerOutput(this.#model, layer);
  }

  /** Uploads and predicts samples on the host, batch after batch, with a cached plan. */
  async #predictArray(inputs: RawArray, output: Wanted, batchSize: number): Promise<Float32Array> {
    const features = this.#model.spec.inputs;
    const count = inputs.length / features;
    if (count === 0) return new Float32Array(0);
    const batch = Math.min(batchSize, 2 ** Math.ceil(Math.log2(count)));
    const predictor = await this.#predictor(batch, output, inputs instanceof Uint8Array ? 'u8' : 'f32');
    return await this.#replay(predictor, count, (first, rows) => {
      const slice = inputs.subarray(first * features, (first + rows) * features);
      this.#model.device.write(predictor.data.buffer, 0, slice);
      return 0;
    });
  }

  /** Predicts samples that are already on the GPU, with a plan for this call alone. */
  async #predictTensor(data: RawTensor, output: Wanted, batchSize: number): Promise<Float32Array> {
    const [count = 0] = data.shape;
    const refuse = (error: unknown): never => {
      throw explained('predict: inputs', error);
    };
    const predictor = await this.#makePredictor(Math.min(batchSize, count), output, () => data).catch(refuse);
    try {
      return await this.#replay(predictor, count, (first) => first).catch(refuse);
    } finally {
      predictor.dispose();
    }
  }

  /**
   * Predicts batch after batch. The outputs of some batches at a time are copied to one of two staging buffers.
   * @param count number of samples
   * @param load makes the samples from `first` on available; returns the row of the source at which they begin
   */
  async #replay(
    predictor: Predictor,
    count: number,
    load: (first: number, rows: number) => number,
  ): Promise<Float32Array> {
    this.#model.check();
    const { device } = this.#model;
    const [batch = 1, perRow = 1] = predictor.result.shape;
    const most = batch * Math.max(1, Math.floor(STAGING_BYTES / (4 * perRow * batch)));
    const values = new Float32Array(count * perRow);
    const owner = new Owner();
    const slots: DeviceBuffer[] = [];
    const allocate = (): DeviceBuffer => {
      const staging = device.allocate(4 * perRow * Math.min(most, count), 'predictions', 'staging');
      owner.own({ dispose: () => device.free(staging) });
      return staging;
    };
    const readings: Promise<void>[] = [];
    predictor.uses += 1;
    try {
      for (let first = 0; first < count; first += most) {
        const slot = readings.length % 2;
        await readings.at(-2);
        this.#model.check();
        const rows = Math.min(most, count - first);
        const queued = device.guard('predict', () => {
          slots[slot] ??= allocate();
          return this.#queue(predictor, slots[slot], first, rows, load);
        });
        const reading = verified(queued, async (bytes) => values.set(new Float32Array(await bytes), first * perRow));
        // A rejection surfaces below.
        reading.catch(() => undefined);
        readings.push(reading);
      }
      await Promise.all(readings);
      return values;
    } finally {
      // A staging buffer can be used again when its reading has ended.
      await Promise.allSettled(readings);
      owner.dispose();
      predictor.uses -= 1;
      if (predictor.retired && predictor.uses === 0) predictor.dispose();
    }
  }

  /** Queues the prediction of `count` samples from `start` on, and reads their outputs. */
  #queue(
    { plan, result }: Predictor,
    staging: DeviceBuffer,
    start: number,
    count: number,
    load: (first: number, rows: number) => number,
  ): Promise<ArrayBuffer> {
    const [batch = 1, perRow = 1] = result.shape;
    const bytes = 4 * perRow;
    for (let done = 0; done < count; done += batch) {
      const rows = Math.min(batch, count - done);
      const step = { ...NO_STEP, first: load(start + done, rows), rows };
      const [from, fromOffset] = [result.buffer, result.byteOffset];
      const copy = { from, fromOffset, to: staging, toOffset: done * bytes, byteLength: rows * bytes };
      plan.run('predict', [step], [copy]);
    }
    return this.#model.device.readStaging(staging, count * bytes, true);
  }

  /** The cached plan for a batch size, output and type of inputs, with a buffer for the inputs. Old plans are disposed of. */
  #predictor(batch: number, output: Wanted, dtype: 'u8' | 'f32'): Promise<Predictor> {
    const { device, spec } = this.#model;
    const key = `${batch}/${typeof output === 'string' ? output : `layer ${output.name}`}/${dtype}/${spec.link}`;
    const kept = this.#predictors.get(key);
    const predictor =
      kept ??
      this.#makePredictor(batch, output, (owner) =>
        owner.own(Tensor.empty(device, [batch, spec.inputs], 'inputs', dtype) as RawTensor),
      );
    // Moved to the end: a Map keeps the order of insertion.
    this.#predictors.delete(key);
    this.#predictors.set(key, predictor);
    if (kept === undefined) {
      predictor.catch(() => {
        if (this.#predictors.get(key) === predictor) this.#predictors.delete(key);
      });
    }
    const [oldest] = this.#predictors;
    if (oldest !== undefined && this.#predictors.size > KEPT_PREDICTORS) {
      this.#predictors.delete(oldest[0]);
      // Calls that await this plan continue before the disposal, and queue their work first.
      oldest[1].then(
        (unneeded) => {
          unneeded.retired = true;
          if (unneeded.uses === 0) unneeded.dispose();
        },
        () => undefined,
      );
    }
    return predictor;
  }

  /** Compiles a plan. @param dataOf returns the samples that the plan reads; `owner` frees what it allocates with the plan */
  async #makePredictor(batch: number, output: Wanted, dataOf: (owner: Owner) => RawTensor): Promise<Predictor> {
    const { device, parameterCount } = this.#model;
    const owner = this.#made.own(new Owner());
    const dispose = (): void => this.#made.free(owner);
    try {
      const fuse = await loadFusions(parameterCount, batch, device.info, false);
      this.#model.check();
      const allocated = device.guard('predict', () => {
        const data = dataOf(owner);
        const source = rowSource(this.#model, data);
        owner.own(source.order);
        return { data, source, records: owner.own(new StepRecords(device, STEPS_AT_ONCE)) };
      });
      return await verified(allocated, async ({ data, source, records }) => {
        const { builder, result } = recordPrediction(this.#model, batch, output, source, fuse);
        const plan = owner.own(await builder.compile(device, 'predict', records));
        return { plan, data, result, uses: 0, retired: false, dispose };
      });
    } catch (error) {
      dispose();
      // If the model was disposed meanwhile, that is the cause, so its error takes precedence.
      this.#model.check();
      throw error;
    }
  }

  /** The samples as a tensor (samples, inputs). @throws as `deviceRows` */
  #asTensor(inputs: DeviceNumbers): RawTensor {
    const { device, spec } = this.#model;
    // `wrap` checks that a kernel may read the buffer.
    const given = inputs instanceof Tensor ? inputs : Tensor.wrap(inputs, [lengthOf(inputs)]);
    return deviceRows<'f32' | 'u8'>('predict: inputs', device, given, spec.inputs, 'f32', 'u8') as RawTensor;
  }
}

/** True for an array of objects, which are no samples themselves, as nested arrays are. */
const areRows = (inputs: PredictInputs): inputs is readonly TableRow[] =>
  Array.isArray(inputs) && Object.prototype.toString.call(inputs[0]) === '[object Object]';

/** Converts standardized values, (samples, outputs), to the units of the targets, in place. */
function inUnits(values: Float32Array, targets: ModelSpec['targets']): Float32Array {
  if (typeof targets !== 'object') return values;
  const { mean, std } = targets;
  for (const [i, value] of values.entries()) {
    const output = i % mean.length;
    values[i] = value * (std[output] ?? 1) + (mean[output] ?? 0);
  }
  return values;
}

/** Encodes rows of objects as the model's inputs. @throws {MlpError} `bad-option` if the model has no encoder */
async function encode(model: Model, rows: readonly TableRow[]): Promise<Float32Array<ArrayBuffer>> {
  const { encoder, inputs } = model.spec;
  if (encoder === undefined) {
    throw new MlpError(
      'bad-option',
      `predict: inputs are objects, but the model does not know the columns of a table. Pass ${inputs} numbers for each sample, or train it on a data set of Dataset.fromCsv or Dataset.fromRows.`,
    );
  }
  const { encodeRows } = await import('../data/rows.js');
  model.check();
  return encodeRows(rows, encoder, 'predict');
}

/** The kind of output that the options ask for. @throws {MlpError} `bad-option` if the model does not have it */
function outputOf(model: Model, options: PredictOptions): PredictionOutput {
  const { link, classNames, targets } = model.spec;
  const regression = link === 'identity';
  const { output = regression || model.outputLink.isUnsaid ? 'values' : 'probabilities' } = options;
  if (!['probabilities', 'logits', 'classes', 'names', 'values'].includes(output)) {
    throw new MlpError(
      'bad-option',
      `predict: output = "${output}"; it must be "probabilities", "logits", "classes", "names" or "values".`,
    );
  }
  const isClass = output === 'classes' || output === 'names';
  if (regression && (output === 'probabilities' || (isClass && model.outputs === 1))) {
    throw new MlpError(
      'bad-option',
      `predict: output = "${output}", but the model has no classes: neither its last layer nor a trainer's loss is softmax or sigmoid. Use "values".`,
    );
  }
  if (output === 'names' && classNames === undefined) {
    throw new MlpError(
      'bad-option',
      'predict: output = "names", but the model has no class names. Train it on a data set with classNames, or pass { classNames } to Mlp.create.',
    );
  }
  if (output === 'values' && targets === 'standardize') {
    throw new MlpError(
      'bad-option',
      'predict: the model standardizes its targets, but has seen none yet. Train it with fit, or pass { targets: { mean, std } } to Mlp.create.',
    );
  }
  return output;
}

/** Explains the error of a device that did not accept work with an app's buffer. Other errors stay as they are. */
function explained<E>(name: string, error: E): E | MlpError {
  if (!(error instanceof MlpError) || error.code !== 'validation') return error;
  const message = `${name}: the device refuses the buffer, which is of another device, or destroyed.`;
  return new MlpError('other-gpu', message, { cause: error });
}

/** Records the prediction of one batch of a source. */
function recordPrediction(
  model: Model,
  batch: number,
  output: Wanted,
  source: RowSource,
  fuse: Rewrite,
): { readonly builder: PlanBuilder; readonly result: Tensor } {
  const builder = new PlanBuilder(fuse);
  const X = builder.tensor('X', [batch, model.spec.inputs]);
  const unusedLabels = builder.tensor('labels', [batch, 1], 'u32');
  builder.add(gatherRows(source, X, unusedLabels, PER_STEP));
  const result = typeof output === 'string' ? recordOutput(builder, X, model, output) : output.record(builder, X);
  builder.keep(result);
  return { builder, result };
}

/** Records all layers, and the softmax or sigmoid behind them. @param X (batch, inputs) */
function recordOutput(builder: PlanBuilder, X: Tensor, model: Model, output: PredictionOutput): Tensor {
  const logits = recordChain(builder, X, model.placed('evaluate', undefined, true))?.output ?? X;
  if (output === 'logits' || (output === 'values' && model.ownLink === undefined)) return logits;
  const classes = output === 'classes';
  const result = builder.tensor('result', [X.shape[0] ?? 1, classes ? 1 : model.outputs]);
  builder.add(softmax(logits, result, { classes, logistic: model.spec.link === 'logistic' }));
  return result;
}
