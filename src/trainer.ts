import { type FeedTarget, recordTraining } from './compile.js';
import { checkSamples, type Dataset } from './dataset.js';
import { DataError, DisposedError, LimitError, MlpError, NotFiniteError, ShapeError } from './errors.js';
import { checkDataset, checkLabels, counting, type Feed, Feeds } from './feeds.js';
import type { StepValues } from './gpu/dispatch.js';
import type { Gpu } from './gpu/gpu.js';
import { type Plan, type PlannedDispatch, planTable, StepRecords } from './gpu/plan.js';
import type { Tensor } from './gpu/tensor.js';
import type { LossOutputs } from './kernels/softmax-cross-entropy.js';
import type { Loss } from './losses/loss.js';
import type { Metric, Sums } from './metrics/metric.js';
import type { Model, Weight } from './model.js';
import type { Optimizer } from './optimizers/optimizer.js';
import { Random } from './random.js';
import { Reports } from './reports.js';

export interface TrainerOptions<Names extends string = never> {
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** Rows of a step. The last batch of an epoch may have fewer; it counts as it is. */
  readonly batchSize: number;
  readonly metrics?: readonly Metric<Names>[];
  /** Steps that go to the GPU at once; `auto` measures how long a step takes. */
  readonly stepsPerSubmit?: number | 'auto';
}

/** Mean loss and metrics over a data set. */
export type Evaluation<Names extends string = never> = { readonly loss: number } & { readonly [Name in Names]: number };

/** An epoch of `fit`. */
export type EpochResult<Names extends string = never> = Evaluation<Names> & {
  /** From 1 on. */
  readonly epoch: number;
  readonly steps: number;
  /** Of training, without the validation. */
  readonly seconds: number;
  readonly validation?: Evaluation<Names>;
};

/** Where `fit` is: mean loss and metrics of the steps since the report before. */
export type StepResult<Names extends string = never> = Evaluation<Names> & {
  readonly epoch: number;
  /** Steps of this epoch that are done. */
  readonly step: number;
  /** Steps of an epoch. */
  readonly steps: number;
  readonly samplesPerSecond: number;
};

export interface FitOptions<Names extends string = never> {
  readonly epochs: number;
  /** Evaluated after each epoch. */
  readonly validation?: Dataset;
  /** Whether each epoch takes the samples in an order of its own, decided by the model's seed; true by default. */
  readonly shuffle?: boolean;
  /** Stops within one submit; `fit` then resolves with the epochs that were completed. */
  readonly signal?: AbortSignal;
  /** Called as results come back, a little behind the GPU; not for every step when several share a submit. */
  readonly onStep?: (result: StepResult<Names>) => void | Promise<void>;
  readonly onEpoch?: (result: EpochResult<Names>) => void | Promise<void>;
  /** What a NaN or an infinity in the loss or a parameter does: reject with `NotFiniteError`, or nothing. */
  readonly onNotFinite?: 'stop' | 'ignore';
}

const STEP_CAPACITY = 64;
const MOST_SUBMITS_IN_FLIGHT = 2;
/** How long the steps of one submit should take: short on a page that draws, long where nobody looks. */
const SUBMIT_MS = { visible: 8, hidden: 64 };
const NONE = 0xffffffff;

/** A model, a loss and an optimizer, compiled for a batch size: a step replays what was recorded once. */
export class Trainer<Names extends string = never> {
  readonly batchSize: number;
  readonly #gpu: Gpu;
  readonly #model: Model;
  readonly #loss: Loss;
  readonly #metrics: readonly Metric<Names>[];
  readonly #stepsPerSubmit: number | 'auto';
  readonly #main: Plan;
  readonly #target: FeedTarget;
  readonly #gradients: Tensor;
  readonly #records: StepRecords;
  readonly #feeds: Feeds;
  readonly #onDispose: (trainer: Trainer<Names>) => void;
  #learningRate: number;
  #steps = 0;
  #epochs = 0;
  #lastRows = 0;
  #fitting = false;
  #disposed = false;
  #paused: { readonly promise: Promise<void>; readonly resume: () => void } | undefined;

  private constructor(
    model: Model,
    options: TrainerOptions<Names>,
    parts: { main: Plan; target: FeedTarget; gradients: Tensor; records: StepRecords },
    onDispose: (trainer: Trainer<Names>) => void,
  ) {
    this.batchSize = options.batchSize;
    this.#gpu = model.gpu;
    this.#model = model;
    this.#loss = options.loss;
    this.#metrics = options.metrics ?? [];
    this.#stepsPerSubmit = options.stepsPerSubmit ?? 'auto';
    this.#main = parts.main;
    this.#target = parts.target;
    this.#gradients = parts.gradients;
    this.#records = parts.records;
    this.#feeds = new Feeds(model, options.loss, parts.target, parts.records);
    this.#learningRate = options.optimizer.spec.learningRate;
    this.#onDispose = onDispose;
  }

  /** @internal */
  static async create<Names extends string>(
    model: Model,
    options: TrainerOptions<Names>,
    onDispose: (trainer: Trainer<Names>) => void,
  ): Promise<Trainer<Names>> {
    const { batchSize, stepsPerSubmit = 'auto' } = options;
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      throw new ShapeError(`trainer: batchSize = ${batchSize}; batchSize must be a positive integer.`);
    }
    if (
      stepsPerSubmit !== 'auto' &&
      !(Number.isInteger(stepsPerSubmit) && stepsPerSubmit >= 1 && stepsPerSubmit <= STEP_CAPACITY)
    ) {
      throw new MlpError(
        'bad-option',
        `trainer: stepsPerSubmit = ${stepsPerSubmit}; it must be "auto" or an integer from 1 to ${STEP_CAPACITY}.`,
      );
    }
    const { gpu } = model;
    const most = gpu.info.limits.maxComputeWorkgroupsPerDimension;
    if (batchSize > most) {
      throw new LimitError(
        `trainer: batchSize = ${batchSize}, but this GPU allows ${most} workgroups in a dimension (maxComputeWorkgroupsPerDimension), one for each row. Use a smaller batch.`,
      );
    }
    const step = recordTraining(model, options.optimizer, batchSize);
    const { builder, X, outputs, gradient, parameters } = step;
    const results = (): LossOutputs => ({
      losses: builder.state('losses', [batchSize, 1]),
      gradient,
      totals: builder.state('totals', [2, batchSize]),
      status: parameters.status,
    });
    const training = results();
    const evaluation = { ...results(), status: builder.state('status of evaluation', [1], 'u32') };
    gpu.check();
    const records = new StepRecords(gpu, STEP_CAPACITY);
    try {
      const main = await builder.compile(gpu, 'trainer', records);
      parameters.owners.write(model.owners);
      const target = { X, outputs, training, evaluation };
      const parts = { main, target, gradients: parameters.gradients, records };
      return new Trainer(model, options, parts, onDispose);
    } catch (error) {
      records.dispose();
      throw error;
    }
  }

  /** The rate of the steps to come. */
  get learningRate(): number {
    return this.#learningRate;
  }

  set learningRate(rate: number) {
    if (!Number.isFinite(rate) || rate < 0) {
      throw new MlpError('bad-option', `learningRate = ${rate}; it must be a finite number ≥ 0.`);
    }
    this.#learningRate = rate;
  }

  /** What a step runs, in order. `toString()` is a table. */
  get plan(): { readonly dispatches: readonly PlannedDispatch[]; toString(): string } {
    this.#check();
    const all = [...this.#feeds.any.plan.dispatches, ...this.#main.dispatches];
    const dispatches = ['gather', 'forward', 'loss', 'backward', 'update'].flatMap((wanted) =>
      all.filter(({ phase }) => phase === wanted),
    );
    return { dispatches, toString: () => planTable(dispatches) };
  }

  /**
   * Queues one minibatch; there is nothing to wait for.
   * @param inputs at most `batchSize` samples
   * @param targets a class for each sample, or a row of probabilities
   * @throws {ShapeError|DataError} before anything is queued
   */
  step(inputs: Uint8Array | Float32Array | ArrayLike<number>, targets: ArrayLike<number>): void {
    this.#checkIdle('step');
    const { feed, rows } = this.#load('step', inputs, targets);
    this.#records.write([this.#record(0, rows)]);
    this.#gpu.submit('step', (pass) => this.#encodeStep(pass, feed, 0));
    this.#afterSteps(1, rows);
  }

  /**
   * Trains for a number of epochs.
   * @returns one entry an epoch
   * @throws {DataError|ShapeError} if the data set does not fit the model, before anything is queued
   * @throws {NotFiniteError} that names the step and the layer
   * @throws {DeviceLostError} within one submit
   */
  async fit(dataset: Dataset, options: FitOptions<Names>): Promise<EpochResult<Names>[]> {
    this.#checkIdle('fit');
    const { epochs, validation, signal } = options;
    if (!Number.isInteger(epochs) || epochs < 0) {
      throw new MlpError('bad-option', `fit: epochs = ${epochs}; epochs must be an integer ≥ 0.`);
    }
    checkDataset('fit', dataset, this.#model, this.#loss);
    if (validation !== undefined) checkDataset('fit: validation', validation, this.#model, this.#loss);
    if (dataset.length < this.batchSize) {
      throw new DataError(
        `fit: batchSize = ${this.batchSize}, but the data set has ${dataset.length} samples. Make a trainer with a batchSize of at most ${dataset.length}.`,
      );
    }
    this.#fitting = true;
    const history: EpochResult<Names>[] = [];
    try {
      const feed = await this.#feeds.of(dataset, 'train');
      for (let epoch = 1; epoch <= epochs && signal?.aborted !== true; epoch++) {
        const result = await this.#epoch(feed, dataset.length, epoch, options);
        if (result === undefined) break;
        const entry = validation === undefined ? result : { ...result, validation: await this.evaluate(validation) };
        history.push(entry);
        await options.onEpoch?.(entry);
      }
    } finally {
      this.#fitting = false;
      this.resume();
    }
    return history;
  }

  /** Holds `fit` back after the submits in flight, until `resume()`. */
  pause(): void {
    if (this.#paused !== undefined) return;
    let resume = (): void => {};
    const promise = new Promise<void>((resolve) => {
      resume = resolve;
    });
    this.#paused = { promise, resume };
  }

  resume(): void {
    this.#paused?.resume();
    this.#paused = undefined;
  }

  /** Mean loss and metrics over every sample of a data set; the last partial batch counts as it is. */
  async evaluate(dataset: Dataset): Promise<Evaluation<Names>> {
    this.#check();
    checkDataset('evaluate', dataset, this.#model, this.#loss);
    const feed = await this.#feeds.of(dataset, 'evaluate');
    const { totals } = this.#target.evaluation;
    const steps = Math.ceil(dataset.length / this.batchSize);
    for (let done = 0; done < steps; ) {
      const count = Math.min(STEP_CAPACITY, steps - done);
      const records = Array.from({ length: count }, (_, slot) => this.#batch(done + slot, dataset.length));
      this.#check();
      this.#records.write(records);
      const first = done === 0;
      this.#gpu.submit(
        'evaluate',
        (pass) => {
          for (let slot = 0; slot < count; slot++) {
            const offset = this.#records.offset(slot);
            feed.plan.encode(pass, ['gather'], offset);
            this.#main.encode(pass, ['forward'], offset);
            feed.plan.encode(pass, ['evaluate'], offset);
          }
        },
        undefined,
        (encoder) => {
          if (first) encoder.clearBuffer(totals.buffer);
        },
      );
      done += count;
    }
    return this.#evaluation(sums(await totals.read(), dataset.length));
  }

  /** The mean loss of the last step of `step` or `fit`. NaN before the first. */
  async loss(): Promise<number> {
    this.#check();
    const rows = this.#lastRows;
    return mean(await this.#target.training.losses.read(), rows);
  }

  /** Loss and gradients of a minibatch, in the order of `weights()`. Nothing is updated. */
  async gradients(
    inputs: Uint8Array | Float32Array | ArrayLike<number>,
    targets: ArrayLike<number>,
  ): Promise<{ loss: number; gradients: Weight[] }> {
    this.#checkIdle('gradients');
    const { feed, rows } = this.#load('gradients', inputs, targets);
    this.#records.write([this.#record(0, rows)]);
    this.#gpu.submit('gradients', (pass) => {
      feed.plan.encode(pass, ['gather'], 0);
      this.#main.encode(pass, ['forward'], 0);
      feed.plan.encode(pass, ['evaluate'], 0);
      this.#main.encode(pass, ['backward'], 0);
    });
    const [flat, losses] = await Promise.all([this.#gradients.read(), this.#target.evaluation.losses.read()]);
    return { loss: mean(losses, rows), gradients: this.#model.cut(flat) };
  }

  /** Frees what training needs; the model keeps its weights. A second call does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.resume();
    this.#feeds.dispose();
    this.#main.dispose();
    this.#records.dispose();
    this.#onDispose(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** One epoch, or `undefined` if it was aborted. */
  async #epoch(
    feed: Feed,
    samples: number,
    epoch: number,
    options: FitOptions<Names>,
  ): Promise<EpochResult<Names> | undefined> {
    const { signal, shuffle = true, onNotFinite = 'stop' } = options;
    const { totals, status } = this.#target.training;
    const steps = Math.ceil(samples / this.batchSize);
    const firstStep = this.#steps;
    feed.source.order.write(
      shuffle ? new Random(this.#model.spec.seed, 1 + this.#epochs).shuffled(samples) : counting(samples),
    );
    this.#epochs += 1;
    totals.write(new Float32Array(totals.length));
    status.write(new Uint32Array(status.length).fill(NONE));
    const reports = new Reports(this.#gpu, [totals, status]);
    const started = performance.now();
    let frozen = 0;
    let reported: { sums: Sums; time: number } = { sums: { loss: 0, correct: 0, rows: 0 }, time: started };
    let queued = 0;
    let pace = this.#stepsPerSubmit === 'auto' ? 1 : this.#stepsPerSubmit;
    const inFlight: { readonly done: Promise<unknown>; readonly steps: number }[] = [];
    let lastDone = started;

    const deliver = async (): Promise<void> => {
      // Of several reports that came together the last one says it all: sums and status only grow.
      const report = reports.take().at(-1);
      if (report === undefined) return;
      const { tag, time, values } = report;
      const [sumsRead = new ArrayBuffer(0), statusRead = new ArrayBuffer(0)] = values;
      const rows = Math.min(tag * this.batchSize, samples);
      const now = sums(new Float32Array(sumsRead), rows);
      if (onNotFinite === 'stop') this.#refuseNotFinite(new Uint32Array(statusRead), firstStep, epoch, reported.sums);
      const { loss, correct } = reported.sums;
      const since = { loss: now.loss - loss, correct: now.correct - correct, rows: rows - reported.sums.rows };
      const samplesPerSecond = (1000 * since.rows) / Math.max(time - reported.time, 1e-3);
      reported = { sums: now, time };
      if (since.rows > 0) {
        await options.onStep?.({ ...this.#evaluation(since), epoch, step: tag, steps, samplesPerSecond });
      }
    };

    try {
      while (queued < steps) {
        if (signal?.aborted === true) break;
        if (this.#paused !== undefined) {
          await reports.settled();
          await deliver();
          const from = performance.now();
          // Whatever else ends fit ends the pause too.
          await Promise.race([this.#paused?.promise, aborted(signal), this.#gpu.lost]);
          this.#check();
          frozen += performance.now() - from;
          reported = { ...reported, time: performance.now() };
          continue;
        }
        this.#check();
        const count = Math.min(pace, steps - queued);
        this.#records.write(Array.from({ length: count }, (_, slot) => this.#batch(queued + slot, samples, slot)));
        this.#gpu.submit(
          'fit',
          (pass) => {
            for (let slot = 0; slot < count; slot++) this.#encodeStep(pass, feed, this.#records.offset(slot));
          },
          (encoder) => reports.copy(encoder, queued + count, queued + count === steps),
        );
        reports.map();
        queued += count;
        const last = this.#batch(queued - 1, samples);
        this.#afterSteps(count, last.rows);
        inFlight.push({ done: this.#gpu.idle(), steps: count });
        if (inFlight.length >= MOST_SUBMITS_IN_FLIGHT) {
          const oldest = inFlight.shift();
          await oldest?.done;
          const now = performance.now();
          if (oldest !== undefined && this.#stepsPerSubmit === 'auto') {
            pace = nextPace(pace, (now - lastDone) / oldest.steps);
          }
          lastDone = now;
          this.#check();
        }
        await deliver();
      }
      await reports.settled();
      this.#check();
      await deliver();
    } finally {
      reports.dispose();
    }
    if (signal?.aborted === true && queued < steps) return undefined;
    const seconds = (performance.now() - started - frozen) / 1000;
    return { ...this.#evaluation(reported.sums), epoch, steps, seconds };
  }

  /** The record of an epoch's batch. */
  #batch(number: number, samples: number, ahead = 0): StepValues {
    const first = number * this.batchSize;
    return this.#record(first, Math.min(this.batchSize, samples - first), ahead);
  }

  #record(first: number, rows: number, ahead = 0): StepValues {
    return { first, rows, index: this.#steps + ahead, learning_rate: this.#learningRate };
  }

  #encodeStep(pass: GPUComputePassEncoder, feed: Feed, offset: number): void {
    feed.plan.encode(pass, GATHER, offset);
    this.#main.encode(pass, FORWARD, offset);
    feed.plan.encode(pass, LOSS, offset);
    this.#main.encode(pass, BACKWARD, offset);
  }

  #afterSteps(count: number, rows: number): void {
    this.#steps += count;
    this.#lastRows = rows;
  }

  #evaluation(total: Sums): Evaluation<Names> {
    const values: Record<string, number> = { loss: total.loss / total.rows };
    for (const metric of this.#metrics) values[metric.spec.type] = metric.value(total);
    return values as Evaluation<Names>;
  }

  #refuseNotFinite(status: Uint32Array, firstStep: number, epoch: number, before: Sums): void {
    let where = 0;
    for (let i = 1; i < status.length; i++) if ((status[i] ?? NONE) < (status[where] ?? NONE)) where = i;
    const step = status[where] ?? NONE;
    if (step === NONE) return;
    const name =
      where === 0
        ? 'the loss'
        : `a parameter of layer ${where - 1} (${this.#model.layers[where - 1]?.layer.spec.type ?? ''})`;
    const lastLoss =
      before.rows > 0 ? ` The mean loss of this epoch was ${before.loss / before.rows} when it was last read.` : '';
    throw new NotFiniteError(
      `fit: ${name} is not finite after step ${step} (epoch ${epoch}, its step ${step - firstStep}) at learning rate ${this.#learningRate}.${lastLoss} Use a smaller learning rate, normalise the inputs, or look for extreme values in the data.`,
      step,
      where === 0 ? 'loss' : `${where - 1}`,
    );
  }

  /** Checks a minibatch and uploads it. */
  #load(
    where: string,
    inputs: Uint8Array | Float32Array | ArrayLike<number>,
    targets: ArrayLike<number>,
  ): { feed: Feed; rows: number } {
    const features = this.#model.spec.inputs;
    const rows = inputs.length / features;
    const labelled = targets.length === rows ? { classes: targets } : { targets };
    const samples = checkSamples(where, { inputs, features, ...labelled });
    if (rows > this.batchSize) {
      throw new ShapeError(
        `${where}: ${rows} samples came, but batchSize = ${this.batchSize}. Pass at most that many.`,
      );
    }
    checkLabels(where, samples, this.#model, this.#loss);
    const feed = this.#feeds.ofBatch(samples.inputs, samples.words);
    this.#gpu.write(feed.source.data.buffer, 0, samples.inputs);
    this.#gpu.write(feed.source.labels.buffer, 0, samples.labels);
    return { feed, rows };
  }

  #check(): void {
    if (this.#disposed) throw new DisposedError('This trainer has been disposed. Make a new one with model.trainer().');
    this.#gpu.check();
  }

  #checkIdle(where: string): void {
    this.#check();
    if (this.#fitting) {
      throw new MlpError('busy', `${where}: fit is running on this trainer. Await it, or stop it through its signal.`);
    }
  }
}

const GATHER = ['gather'];
const FORWARD = ['forward'];
const LOSS = ['loss'];
const BACKWARD = ['backward', 'update'];

/** Sums over the rows of a batch, in float64, of sums over steps. */
function sums(totals: Float32Array, rows: number): Sums {
  const half = totals.length / 2;
  let loss = 0;
  let correct = 0;
  for (let row = 0; row < half; row++) {
    loss += totals[row] ?? 0;
    correct += totals[half + row] ?? 0;
  }
  return { loss, correct, rows };
}

/** The mean of the first rows, in float64. */
function mean(losses: Float32Array, rows: number): number {
  return losses.subarray(0, rows).reduce((sum, loss) => sum + loss, 0) / rows;
}

/** Resolves when the signal is aborted; never without one. */
function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) resolve();
    signal?.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Steps for the next submit, from how long one takes; at most doubled, so that one odd sample does little harm. */
function nextPace(pace: number, millisecondsPerStep: number): number {
  const visible = typeof document !== 'undefined' && document.visibilityState === 'visible';
  const wanted = Math.floor((visible ? SUBMIT_MS.visible : SUBMIT_MS.hidden) / Math.max(millisecondsPerStep, 1e-3));
  return Math.max(1, Math.min(wanted, 2 * pace, STEP_CAPACITY));
}
