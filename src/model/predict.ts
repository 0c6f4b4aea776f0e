import { checkBatchSize } from '../base/check.js';
import { MlpError, ShapeError } from '../base/errors.js';
import { checkInputs, type RawArray, type RawTensor } from '../data/dataset.js';
import { loadFusions, PREDICTED_AT_ONCE } from '../fusion/index.js';
import { gatherRows, type RowSource } from '../kernels/gather-rows.js';
import { softmax } from '../kernels/softmax.js';
import { recordChain } from '../nn/layers/chain.js';
import { PlanBuilder, type Rewrite } from '../plan/builder.js';
import { NO_STEP, PER_STEP } from '../plan/dispatch.js';
import type { DeviceBuffer } from '../plan/memory.js';
import type { Plan } from '../plan/plan.js';
import { StepRecords } from '../plan/step-records.js';
import { Tensor } from '../plan/tensor.js';
import type { Model } from './model.js';
import { rowSource } from './row-source.js';

export interface PredictOptions<Output extends PredictionOutput = PredictionOutput> {
  /** By default `values` where the model's link is the identity, as regression's, else `probabilities`. */
  readonly output?: Output;
  /** Samples that are computed at once. */
  readonly batchSize?: number;
}

/**
 * What a prediction gives for each sample: the probability of each class or output, what the last layer has before that, the
 * likeliest class, or the outputs as the last layer with its activation gives them.
 */
export type PredictionOutput = 'probabilities' | 'logits' | 'classes' | 'values';

/** Samples as numbers on the host, or as float32 on the GPU. */
export type PredictInputs = Uint8Array | Uint8ClampedArray | Float32Array | ArrayLike<number> | Tensor | DeviceBuffer;

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

/** The predictions of a model: plans by batch size, output and type of the inputs. */
export class Predictions {
  readonly #model: Model;
  readonly #check: () => void;
  /** What is disposed with the model. */
  readonly #parts: Set<{ dispose(): void }> = new Set<{ dispose(): void }>();
  readonly #predictors: Map<string, Promise<Predictor>> = new Map<string, Promise<Predictor>>();
  #records: StepRecords | undefined;
  #disposed = false;

  /** @param check throws if the model or its GPU is gone, or its parameters are elsewhere */
  constructor(model: Model, check: () => void) {
    this.#model = model;
    this.#check = check;
  }

  /** What `Mlp.predict` says. */
  async predict(inputs: PredictInputs, options: PredictOptions): Promise<Float32Array | Uint32Array> {
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
    checkBatchSize('predict:', batchSize, this.#model.device.info.limits);
    const values =
      inputs instanceof Tensor || this.#isBuffer(inputs)
        ? await this.#predictTensor(this.#asTensor(inputs), output, batchSize)
        : await this.#predictArray(checkInputs('predict', inputs, this.#model.spec.inputs), output, batchSize);
    return output === 'classes' ? Uint32Array.from(values) : values;
  }

  dispose(): void {
    this.#disposed = true;
    for (const part of [...this.#parts]) part.dispose();
    this.#records?.dispose();
  }

  async #predictArray(inputs: RawArray, output: PredictionOutput, batchSize: number): Promise<Float32Array> {
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

  /** Predicts from data that are on the GPU already; the plan is made for this call. */
  async #predictTensor(data: Tensor, output: PredictionOutput, batchSize: number): Promise<Float32Array> {
    const [count = 0] = data.shape;
    const predictor = await this.#makePredictor(() => data, Math.min(batchSize, count), output);
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
    const { device } = this.#model;
    const [batch = 1, perRow = 1] = result.shape;
    const bytes = 4 * perRow;
    const staging = device.allocate(count * bytes, 'predictions', 'staging');
    try {
      for (let first = 0; first < count; first += batch) {
        const rows = Math.min(batch, count - first);
        const step = { ...NO_STEP, first: load(first, rows), rows };
        const [from, fromOffset] = [result.buffer, result.byteOffset];
        plan.run(
          'predict',
          [step],
          [{ from, fromOffset, to: staging, toOffset: first * bytes, byteLength: rows * bytes }],
        );
      }
      return new Float32Array(await device.readStaging(staging, count * bytes, true));
    } finally {
      device.free(staging);
    }
  }

  /** The plan for batches of a size, with a buffer that inputs are written into. The plans that were used last are kept. */
  #predictor(batch: number, output: PredictionOutput, dtype: 'u8' | 'f32'): Promise<Predictor> {
    const { device, spec } = this.#model;
    const key = `${batch}/${output}/${dtype}/${spec.link}`;
    const kept = this.#predictors.get(key);
    const predictor =
      kept ??
      this.#makePredictor(
        (own) => own(Tensor.empty(device, [batch, spec.inputs], 'inputs', dtype) as RawTensor),
        batch,
        output,
      );
    // Behind all others: a map keeps the order in which its entries came.
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
      // Whoever waits for it comes first, and has queued its work by then.
      oldest[1].then(
        (unneeded) => unneeded.dispose(),
        () => undefined,
      );
    }
    return predictor;
  }

  /** @param inputs gives the tensor of the inputs, and hands to `own` what is disposed with the plan */
  async #makePredictor(
    inputs: (own: <T extends { dispose(): void }>(part: T) => T) => RawTensor,
    batch: number,
    output: PredictionOutput,
  ): Promise<Predictor> {
    const { device, parameterCount } = this.#model;
    const { value, fault } = device.guard('predict', () => {
      const owned: { dispose(): void }[] = [];
      const data = inputs((part) => {
        owned.push(part);
        return part;
      });
      const source = rowSource(this.#model, data);
      return { data, source, parts: [...owned, source.order] };
    });
    const { data, source, parts } = value;
    const dispose = (): void => {
      this.#parts.delete(predictor);
      for (const part of parts) part.dispose();
    };
    const predictor = { dispose };
    try {
      const fuse = await loadFusions(parameterCount, Math.min(batch, PREDICTED_AT_ONCE), device.info, false);
      this.#check();
      const { builder, result } = recordPrediction(this.#model, batch, output, source, fuse);
      const plan = await builder.compile(device, 'predict', this.#stepRecords);
      parts.push(plan);
      const error = await fault;
      if (error !== undefined) throw error;
      this.#parts.add(predictor);
      if (this.#disposed) dispose();
      return { plan, data, result, dispose };
    } catch (error) {
      dispose();
      // Whatever is wrong with a plan over buffers that did not fit, that they did not is the cause.
      throw (await fault) ?? error;
    }
  }

  #asTensor(inputs: Tensor | DeviceBuffer): Tensor {
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

  #isBuffer(inputs: PredictInputs): inputs is DeviceBuffer {
    return this.#model.device.isBuffer(inputs);
  }

  get #stepRecords(): StepRecords {
    this.#records ??= new StepRecords(this.#model.device, STEPS_AT_ONCE);
    return this.#records;
  }
}

/** Records the prediction of a batch from a source. */
function recordPrediction(
  model: Model,
  batch: number,
  output: PredictionOutput,
  source: RowSource,
  fuse: Rewrite,
): { readonly builder: PlanBuilder; readonly result: Tensor } {
  const builder = new PlanBuilder(fuse);
  const X = builder.tensor('X', [batch, model.spec.inputs]);
  const unusedLabels = builder.tensor('labels', [batch, 1], 'u32');
  builder.add(gatherRows(source, X, unusedLabels, PER_STEP));
  let result = recordChain(builder, X, model.placed('evaluate', undefined, true))?.output ?? X;
  if (output !== 'logits' && (output !== 'values' || model.ownLink !== undefined)) {
    const logits = result;
    const classes = output === 'classes';
    result = builder.tensor('result', [batch, classes ? 1 : model.outputs]);
    builder.add(softmax(logits, result, { classes, logistic: model.spec.link === 'logistic' }));
  }
  builder.keep(result);
  return { builder, result };
}
