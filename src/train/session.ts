import { Owner } from '../base/owner.js';
import type { Numbers } from '../base/values.js';
import type { Dataset } from '../data/dataset.js';
import { checkMinibatch, type Inputs, type Targets } from '../data/minibatch.js';
import { loadFusions } from '../fusion/index.js';
import type { Regularization } from '../kernels/update.js';
import { layerOfBlock, type Model } from '../model/model.js';
import type { Purpose } from '../nn/layers/layer.js';
import type { Loss } from '../nn/losses/loss.js';
import type { AnyMetric } from '../nn/metrics/metric.js';
import type { Optimizer } from '../nn/optimizers/optimizer.js';
import type { Scheduled } from '../nn/schedules/schedule.js';
import type { Rewrite } from '../plan/builder.js';
import { type Verifiable, verified } from '../plan/device.js';
import type { BufferCopy } from '../plan/memory.js';
import { type StepRecord, StepRecords } from '../plan/step-records.js';
import { dtypeOf, type Tensor, type TensorStorage, upload } from '../plan/tensor.js';
import { Workspace } from '../plan/workspace.js';
import type { Accumulation } from './accumulate.js';
import { type AccumulatorsByPurpose, allocateAccumulators } from './accumulators.js';
import { Backlog } from './backlog.js';
import {
  type BatchSource,
  BatchSources,
  checkLabels,
  checkRows,
  type EpochIterator,
  type EpochUse,
  minibatchParts,
  overwrite,
  residentEpochs,
  type Shard,
} from './batches.js';
import type { Clip, GradientRules } from './clip.js';
import type { AveragedParameters } from './ema.js';
import { checkTrainerOptions, type TrainerOptions, taskOf } from './options.js';
import type { StepParts } from './step.js';
import { STEP_CAPACITY, SubmitPace } from './submit-pace.js';
import type { TargetScaling } from './targets.js';

const DISPOSED = 'This trainer has been disposed. Make a new one with model.trainer().';

/** The progress of training. Plain data: a checkpoint stores it unchanged. */
export interface Progress {
  /**
   * Steps and epochs so far. They number the batches and the epochs. The order of an epoch's samples depends on its
   * number and on the model's seed.
   */
  readonly steps: number;
  readonly epochs: number;
  /** The learning rate of the steps to come. A schedule starts from this rate. */
  readonly learningRate: number;
  /** The state of the latest schedule that has a state. */
  readonly scheduled?: Scheduled | undefined;
  /** Number of epochs before the latest restart of a schedule. Default: 0. */
  readonly scheduleStart?: number;
}

/** The arguments of `step`: inputs, targets, and weights of samples. */
export type Minibatch = readonly [inputs: Inputs, targets: Targets, weights?: Numbers | undefined];

/** The modules that a session loads before it allocates anything. */
interface Loaded {
  readonly fuse: Rewrite;
  /** The module for penalties, clipping and the mask of parameters, loaded only if the options need any. */
  readonly clip: typeof import('./clip.js') | undefined;
  /** The module for averages of parameters, if the options have `ema`. */
  readonly ema: typeof import('./ema.js') | undefined;
  /** The scaling of targets, loaded only if the model standardizes them. */
  readonly targets: TargetScaling | undefined;
}

/** Loads the modules that the options need. */
async function load(
  model: Model,
  { clip: limit, penalties, optimizer, accumulate: every = 1, ema: average, batchSize }: TrainerOptions<AnyMetric>,
): Promise<Loaded & { readonly every: number; readonly accumulate: typeof import('./accumulate.js') | undefined }> {
  const adjusts = limit !== undefined || penalties !== undefined || optimizer.needsMask === true;
  const [fuse, clip, ema, accumulate, scaling] = await Promise.all([
    loadFusions(model.parameterCount, batchSize, model.device.info, true),
    adjusts ? import('./clip.js') : undefined,
    average === undefined ? undefined : import('./ema.js'),
    every === 1 ? undefined : import('./accumulate.js'),
    model.spec.targets === undefined ? undefined : import('./targets.js'),
  ]);
  return { fuse, clip, ema, every, accumulate, targets: scaling && new scaling.TargetScaling(model) };
}

/**
 * One training session. It owns all memory that training allocates, uploads batches, replays the recorded plans, and
 * counts steps. `dispose`, or disposing of the model, frees the memory.
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
  readonly average: AveragedParameters | undefined;
  /** Means over the batches of a step, if a step has several. */
  accumulation: Accumulation | undefined;
  readonly workspace: Workspace;
  readonly layerOfBlock: Tensor<'u32'>;
  readonly accumulators: AccumulatorsByPurpose;
  readonly targets: TargetScaling | undefined;
  readonly pace: SubmitPace;
  /** Steps, epochs and learning rate so far. A checkpoint stores them. */
  progress: { -readonly [Name in keyof Progress]: Progress[Name] };
  /** True from the beginning of an epoch to its end. */
  midEpoch = false;
  /** True after the warning about a schedule that has come to its end. */
  toldOfEnd = false;
  /** The batch source of the training step that was compiled or replayed last. */
  latest: BatchSource | undefined;
  /** Rows of the last training step. 0 before the first step, and after a restore. */
  latestRows = 0;
  /** The learning rate of the last training step. */
  latestRate: number;
  readonly #owner: Owner;
  readonly #sources: BatchSources;
  readonly #records: StepRecords;
  /** The steps of `step` that the device has not run. */
  readonly #backlog: Backlog;

  private constructor(
    model: Model,
    options: TrainerOptions<AnyMetric>,
    { fuse, clip, ema, targets }: Loaded,
    owner: Owner,
  ) {
    const { loss, optimizer, batchSize: batch, penalties, metrics = [], stepsPerSubmit } = options;
    const { device } = model;
    this.model = model;
    this.loss = loss;
    this.optimizer = optimizer;
    this.clip = options.clip;
    this.penalties = penalties;
    this.batch = batch;
    this.fuse = fuse;
    this.targets = targets;
    this.#owner = owner;
    const rules = clip?.gradientRules(model, options.clip, penalties);
    this.gradientRules = rules && owner.own(rules);
    const average = ema && new ema.AveragedParameters(model, options.ema);
    this.average = average && owner.own(average);
    this.workspace = owner.own(new Workspace());
    const layers = layerOfBlock(model);
    this.layerOfBlock = owner.own(upload<'u32'>(device, layers, [layers.length], 'layerOfBlock'));
    const metricAccumulators = new Set(metrics.flatMap(({ accumulator, tally }) => accumulator ?? tally ?? []));
    const sums = loss.weighsClasses === true ? 3 : 2;
    const accumulators = (counted: typeof metricAccumulators): AccumulatorsByPurpose[Purpose] =>
      allocateAccumulators(device, owner, batch, model.layers.length, sums, counted, taskOf(model, loss));
    this.accumulators = {
      step: accumulators(metricAccumulators),
      evaluate: accumulators(metricAccumulators),
      gradients: accumulators(new Set()),
    };
    this.pace = new SubmitPace(stepsPerSubmit);
    // Disposing of the session ends a pause, so that a paused `fit` ends too.
    owner.own({ dispose: () => this.pace.release() });
    const { learningRate } = optimizer.spec;
    this.progress = { steps: 0, epochs: 0, learningRate };
    this.latestRate = learningRate;
    this.#records = owner.own(new StepRecords(device, STEP_CAPACITY));
    this.#sources = owner.own(new BatchSources(this, this.#records, owner));
    this.#backlog = owner.own(new Backlog(device, () => this.check()));
  }

  /**
   * Checks the options, allocates the session's memory, and compiles the step for the likeliest kind of data.
   * @throws {ShapeError|LimitError|MlpError|DisposedError} and frees what was allocated
   */
  static async create(model: Model, options: TrainerOptions<AnyMetric>): Promise<Session> {
    checkTrainerOptions(model, options);
    const { device } = model;
    const { accumulate, every, ...loaded } = await load(model, options);
    model.check();
    const owner = model.parts.own(new Owner(DISPOSED));
    try {
      const made = device.guard('trainer', () => new Session(model, options, loaded, owner));
      const session = await verified(made, async (unprepared) => {
        unprepared.accumulation = await accumulate?.Accumulation.create(unprepared, every, unprepared.#records, owner);
        unprepared.latest = await unprepared.#sources.prepare();
        return unprepared;
      });
      session.check();
      model.outputLink.learn(options.loss.link);
      return session;
    } catch (error) {
      model.parts.free(owner);
      // If the model was disposed meanwhile, that is the cause of any other error.
      model.check();
      throw error;
    }
  }

  /** Batches of a step. */
  get every(): number {
    return this.accumulation?.every ?? 1;
  }

  /** True while `fit` is paused. */
  get isPaused(): boolean {
    return this.pace.pause !== undefined;
  }

  /** True after `dispose`, or after the model was disposed. */
  get disposed(): boolean {
    return this.#owner.disposed;
  }

  /**
   * Checks that a step can follow.
   * @throws {DisposedError|DeviceLostError} if the session is disposed, or the device is lost
   */
  check(): void {
    // Disposing of a model disposes of its trainers too: the model is the cause, so its error takes precedence.
    this.model.parts.check();
    this.#owner.check();
    this.model.device.check();
  }

  /** The memory that a checkpoint stores, by name: parameters, buffers and optimizer state. */
  get state(): ReadonlyMap<string, TensorStorage> {
    const { flatParameters, flatFrozen, flatBuffers, parameterCount, trainableCount } = this.model;
    // Without frozen layers, a checkpoint is that of earlier versions.
    const frozen = parameterCount > trainableCount ? [['frozen', flatFrozen.storage] as const] : [];
    return new Map([
      ['parameters', flatParameters.storage],
      ...frozen,
      ...(this.average === undefined ? [] : [['ema', this.average.values.storage] as const]),
      ['states', flatBuffers.storage],
      ...this.workspace.states,
    ]);
  }

  /** Opens a data set for epochs of batches. The module for streams is loaded only if the data set is streamed. */
  async open(dataset: Dataset, purpose: EpochUse): Promise<EpochIterator> {
    await dataset.ready();
    this.targets?.check(purpose === 'step' ? 'fit' : purpose);
    const { resident } = dataset;
    if (resident !== undefined) {
      return residentEpochs(await this.#sources.of(dataset, resident, purpose), dataset, this.batch);
    }
    const { StreamedEpochs } = await import('./stream.js');
    return await StreamedEpochs.open(this, this.#sources, dataset, purpose);
  }

  /**
   * Runs `work`, which compiles a plan of the session's workspace, after the compilations before.
   * @throws as `check`, and as `work`
   */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#sources.inTurn(work);
  }

  /**
   * Queues a training step on a minibatch.
   * @returns a promise that resolves when there is room for another step, and the device has accepted the step if it is
   * the first of its kind
   * @throws {ShapeError|DataError} before anything is queued
   */
  step(...minibatch: Minibatch): Promise<void> {
    const { value: bytes, fault } = this.minibatch('step', minibatch, (_, uploaded) => uploaded);
    this.#backlog.add(bytes);
    if (fault === undefined) return this.#backlog.room;
    return fault.then((error) => {
      if (error !== undefined) throw error;
      return this.#backlog.room;
    });
  }

  /**
   * Checks a minibatch, queues its upload, and replays the plan for its kind of data.
   * @param afterReplay called after the replay is queued, to queue work that follows it; gets the bytes of the upload
   * @returns the result of `afterReplay`; and the device's verdict, if this is the first minibatch of its kind
   * @throws {ShapeError|DataError} before anything is queued
   */
  minibatch<T>(
    what: 'step' | 'gradients',
    [inputs, targets, weights]: Minibatch,
    afterReplay: (shard: Shard, uploaded: number) => T,
  ): Verifiable<T> {
    const { model, loss, batch } = this;
    const { device } = model;
    const task = { device, features: model.spec.inputs, link: loss.link };
    const { rows, ...samples } = checkMinibatch(what, inputs, targets, weights, task);
    checkRows(what, rows, batch, what === 'gradients' ? 1 : this.every);
    const indices = dtypeOf(samples.labels) === 'u32';
    checkLabels(what, { ...samples, indices }, model, loss);
    const labels = this.targets?.onHost(what, samples.labels, samples.words) ?? samples.labels;
    const dtype = dtypeOf(samples.inputs) === 'u8' ? 'u8' : 'f32';
    const source = this.#sources.ofMinibatch(dtype, [indices ? 'u32' : 'f32', samples.words], what);
    const batches = minibatchParts(what, source, { ...samples, labels, rows }, batch);
    const fault = this.#sources.verdict(source);
    const value = this.#sources.queue(what, () => {
      for (const { shard, inputs: X, labels: Y } of batches) {
        overwrite(device, source.rows.data, X);
        overwrite(device, source.rows.labels, Y);
        this.replay(what, shard, 0, 1);
      }
      return afterReplay(batches[0].shard, samples.inputs.byteLength + samples.labels.byteLength);
    });
    return { value, fault };
  }

  /**
   * Replays the plan of a shard's source for consecutive batches of the shard, in one submit.
   * @param first number of the first batch, within the shard
   * @param wanted number of batches; fewer are replayed if a submit has too few records for their learning rates
   * @param copies returns the copies that follow when `done` batches of the shard are done
   * @param rateOf returns the learning rate of a step of the epoch
   * @returns number of batches replayed
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
    if (this.accumulation !== undefined && (what === 'fit' || what === 'step')) {
      this.accumulation.replay(what, shard, first, wanted, copies?.(first + wanted) ?? [], rateOf);
      return wanted;
    }
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

  /** Frees the memory of the session. The model keeps its parameters. A second call does nothing. */
  dispose(): void {
    this.model.parts.free(this.#owner);
  }

  /**
   * The records of a submit, one for each replay. A replay is one step; of a plan that takes runs, all consecutive
   * steps with the same learning rate.
   */
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
