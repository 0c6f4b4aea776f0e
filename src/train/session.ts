import { ShapeError } from '../base/errors.js';
import { Owner } from '../base/owner.js';
import type { Dataset } from '../data/dataset.js';
import { checkSamples } from '../data/samples.js';
import { loadFusions } from '../fusion/index.js';
import type { Regularization } from '../kernels/update.js';
import { layerOfBlock, type Model } from '../model/model.js';
import type { Purpose } from '../nn/layers/layer.js';
import type { Loss } from '../nn/losses/loss.js';
import type { AnyMetric } from '../nn/metrics/metric.js';
import type { Optimizer } from '../nn/optimizers/optimizer.js';
import type { Scheduled } from '../nn/schedules/schedule.js';
import type { Rewrite } from '../plan/builder.js';
import { type Guarded, verified } from '../plan/device.js';
import type { BufferCopy } from '../plan/memory.js';
import { type StepRecord, StepRecords } from '../plan/step-records.js';
import { type Tensor, type TensorStorage, upload } from '../plan/tensor.js';
import { Workspace } from '../plan/workspace.js';
import { type AccumulatorsByPurpose, allocateAccumulators } from './accumulators.js';
import {
  type BatchSource,
  BatchSources,
  checkLabels,
  type EpochIterator,
  residentEpochs,
  type Shard,
} from './batches.js';
import type { Clip, GradientRules } from './clip.js';
import { checkTrainerOptions, type TrainerOptions, taskOf } from './options.js';
import type { StepParts } from './step.js';
import { STEP_CAPACITY, SubmitPace } from './submit-pace.js';

const DISPOSED = 'This trainer has been disposed. Make a new one with model.trainer().';

/** Where training is. Plain data: a checkpoint has it, and brings it back as it is. */
export interface Progress {
  /** Steps and epochs so far: they number the batches, and the orders in which epochs take the samples. */
  readonly steps: number;
  readonly epochs: number;
  /** The learning rate of the steps to come; a schedule's starting point. */
  readonly learningRate: number;
  /** The memory of the schedule, if there is one that has any. */
  readonly scheduled?: Scheduled | undefined;
}

/** The modules that a session needs beside its own, loaded before it allocates anything. */
interface Loaded {
  readonly fuse: Rewrite;
  /** Penalties and clipping, which few trainers have. */
  readonly clip: typeof import('./clip.js') | undefined;
}

/**
 * One training session: it owns everything that training a model needs, brings batches to the device, replays what was
 * recorded for them, and counts. What it allocates is freed by `dispose`, or when the model is disposed.
 */
export class Session implements StepParts {
  readonly model: Model;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  readonly clip: Clip | undefined;
  readonly penalties: Regularization | undefined;
  readonly batch: number;
  readonly fuse: Rewrite;
  readonly gradientRules: GradientRules | undefined;
  readonly workspace: Workspace;
  readonly layerOfBlock: Tensor<'u32'>;
  readonly accumulators: AccumulatorsByPurpose;
  readonly pace: SubmitPace;
  /** Steps, epochs and learning rate so far; what a checkpoint has. */
  progress: { -readonly [Name in keyof Progress]: Progress[Name] };
  /** True from the beginning of an epoch to its end. */
  midEpoch = false;
  /** The source of the step that was compiled or replayed last. */
  latest: BatchSource | undefined;
  /** Rows of the last step; 0 before the first. */
  latestRows = 0;
  /** The learning rate of the last step. */
  latestRate: number;
  readonly #owner: Owner;
  readonly #sources: BatchSources;

  private constructor(model: Model, options: TrainerOptions<AnyMetric>, { fuse, clip }: Loaded, owner: Owner) {
    const { loss, optimizer, batchSize: batch, penalties, metrics = [], stepsPerSubmit } = options;
    const { device } = model;
    this.model = model;
    this.loss = loss;
    this.optimizer = optimizer;
    this.clip = options.clip;
    this.penalties = penalties;
    this.batch = batch;
    this.fuse = fuse;
    this.#owner = owner;
    const rules = clip?.gradientRules(model, options.clip, penalties);
    this.gradientRules = rules && owner.own(rules);
    this.workspace = owner.own(new Workspace());
    const layers = layerOfBlock(model);
    this.layerOfBlock = owner.own(upload<'u32'>(device, layers, [layers.length], 'layerOfBlock'));
    const ofMetrics = new Set(metrics.flatMap(({ accumulator, tally }) => accumulator ?? tally ?? []));
    const rows = loss.weighsClasses === true ? 3 : 2;
    const accumulators = (counted: typeof ofMetrics): AccumulatorsByPurpose[Purpose] =>
      allocateAccumulators(device, owner, batch, model.layers.length, rows, counted, taskOf(model, loss));
    this.accumulators = {
      step: accumulators(ofMetrics),
      evaluate: accumulators(ofMetrics),
      gradients: accumulators(new Set()),
    };
    this.pace = new SubmitPace(stepsPerSubmit);
    // A fit that is held back ends, too.
    owner.own({ dispose: () => this.pace.release() });
    const { learningRate } = optimizer.spec;
    this.progress = { steps: 0, epochs: 0, learningRate };
    this.latestRate = learningRate;
    const records = owner.own(new StepRecords(device, STEP_CAPACITY));
    this.#sources = owner.own(new BatchSources(this, records, owner));
  }

  /**
   * Checks options, allocates what a session needs and compiles its likeliest step.
   * @throws {ShapeError|LimitError|MlpError|DisposedError} and leaves nothing behind
   */
  static async create(model: Model, options: TrainerOptions<AnyMetric>): Promise<Session> {
    checkTrainerOptions(model, options);
    const { device } = model;
    const adjusts = options.clip !== undefined || options.penalties !== undefined;
    const [fuse, clip] = await Promise.all([
      loadFusions(model.parameterCount, options.batchSize, device.info, true),
      adjusts ? import('./clip.js') : undefined,
    ]);
    model.check();
    const owner = model.parts.own(new Owner(DISPOSED));
    try {
      const made = device.guard('trainer', () => new Session(model, options, { fuse, clip }, owner));
      const session = await verified(made, async (unprepared) => {
        unprepared.latest = await unprepared.#sources.prepare();
        return unprepared;
      });
      session.check();
      model.learnsWith(options.loss.link);
      return session;
    } catch (error) {
      model.parts.free(owner);
      // A model that was disposed meanwhile explains whatever else went wrong.
      model.check();
      throw error;
    }
  }

  /** True while `fit` is held back. */
  get isPaused(): boolean {
    return this.pace.pause !== undefined;
  }

  /** True if there can be no further step. */
  get disposed(): boolean {
    return this.#owner.disposed;
  }

  /** @throws {DisposedError|DeviceLostError|MlpError} if there can be no further step, or an earlier one had no memory */
  check(): void {
    this.#owner.check();
    this.model.device.check();
    this.#sources.check();
  }

  /** The tensors' memory that the device keeps from step to step, by name: what a checkpoint has. */
  get state(): ReadonlyMap<string, TensorStorage> {
    const { flatParameters, flatBuffers } = this.model;
    return new Map([['parameters', flatParameters.storage], ['states', flatBuffers.storage], ...this.workspace.states]);
  }

  /** The epochs of a data set. Few are streamed: what brings their chunks is loaded where one is. */
  async open(dataset: Dataset, purpose: 'step' | 'evaluate'): Promise<EpochIterator> {
    await dataset.ready();
    const { resident } = dataset;
    if (resident !== undefined) {
      return residentEpochs(await this.#sources.of(dataset, resident, purpose), dataset, this.batch);
    }
    const { StreamedEpochs } = await import('./stream.js');
    return await StreamedEpochs.open(this, this.#sources, dataset, purpose);
  }

  /** Compiles a plan of the session's workspace when no other is being compiled. @throws as `check`; and what `work` throws */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#sources.inTurn(work);
  }

  /**
   * Checks a minibatch, queues its upload and replays the plan for its kind.
   * @param behind queues what comes behind the replay
   * @returns what `behind` does, and the device's verdict on memory that the first minibatch of a kind needs
   * @throws {ShapeError|DataError} before anything is queued
   */
  minibatch<T>(
    what: 'step' | 'gradients',
    inputs: Uint8Array | Float32Array | ArrayLike<number>,
    targets: ArrayLike<number>,
    weights: ArrayLike<number> | undefined,
    behind: (shard: Shard) => T,
  ): Guarded<T> {
    const { model, loss, batch } = this;
    const features = model.spec.inputs;
    const rows = inputs.length / features;
    const labelled = loss.link === 'softmax' && targets.length === rows ? { classes: targets } : { targets };
    const samples = checkSamples(what, { inputs, features, ...labelled, ...(weights && { weights }) });
    if (rows > batch) {
      throw new ShapeError(`${what}: ${rows} samples came, but batchSize = ${batch}. Pass at most that many.`);
    }
    const indices = samples.labels instanceof Uint32Array;
    checkLabels(what, { ...samples, indices }, model, loss);
    const dtype = samples.inputs instanceof Uint8Array ? 'u8' : 'f32';
    const source = this.#sources.ofMinibatch(dtype, [indices ? 'u32' : 'f32', samples.words], what);
    const shard = { source, samples: rows, first: 0, steps: 1 };
    const fault = this.#sources.verdict(source);
    const value = this.#sources.queue(what, () => {
      model.device.write(source.rows.data.buffer, 0, samples.inputs);
      model.device.write(source.rows.labels.buffer, 0, samples.labels);
      this.replay(what, shard, 0, 1);
      return behind(shard);
    });
    return { value, fault };
  }

  /**
   * Replays a source's plan for batches of a shard from number `first` on, in one submit.
   * @param wanted how many; a plan that takes runs gets fewer where there are more rates among them than records
   * @param copies to be made behind `done` batches of the shard
   * @param rateOf the learning rate of a step of the epoch
   * @returns how many there were
   */
  replay(
    what: Purpose | 'fit',
    shard: Shard,
    first: number,
    wanted: number,
    copies?: (done: number) => readonly BufferCopy[],
    rateOf: (step: number) => number = () => this.progress.learningRate,
  ): number {
    const { source, samples } = shard;
    this.check();
    source.dataset?.check(what);
    const { records, count } = this.#stepRecords(shard, first, wanted, rateOf);
    source.plan.run(what, records, copies?.(first + count));
    if (what === 'fit' || what === 'step') {
      this.progress.steps += count;
      this.latest = source;
      this.latestRows = Math.min(this.batch, samples - (first + count - 1) * this.batch);
      this.latestRate = records.at(-1)?.learning_rate ?? this.latestRate;
    }
    return count;
  }

  /** Frees what training needs; the model keeps its weights. A second call does nothing. */
  dispose(): void {
    this.model.parts.free(this.#owner);
  }

  /** A record for each replay: of one step, or where the plan takes runs, of as many as have the same rate. */
  #stepRecords(
    { source: { plan }, samples, first: before }: Shard,
    first: number,
    wanted: number,
    rateOf: (step: number) => number,
  ): { readonly records: readonly StepRecord[]; readonly count: number } {
    const { batch, optimizer } = this;
    const records: StepRecord[] = [];
    let count = 0;
    for (; count < wanted; count++) {
      const step = first + count;
      const begin = step * batch;
      const rows = Math.min(batch, samples - begin);
      const learning_rate = rateOf(before + step);
      const last = records.at(-1);
      if (plan.takesRuns && last?.learning_rate === learning_rate) {
        records[records.length - 1] = { ...last, rows: last.rows + rows };
      } else if (records.length < STEP_CAPACITY) {
        const index = this.progress.steps + count;
        records.push({ first: begin, rows, index, learning_rate, own: optimizer.perStep?.(index) });
      } else break;
    }
    return { records, count };
  }
}
