import { checkBatchSize, demand } from './check.js';
import type { Purpose, Results, Training } from './compile.js';
import { checkSamples, type Dataset } from './dataset.js';
import { DataError, DisposedError, MlpError, NotFiniteError, ShapeError } from './errors.js';
import { type Course, checkDataset, checkLabels, type Feed, Feeds, residentCourse } from './feeds.js';
import type { Pass } from './gpu/command.js';
import type { Gpu } from './gpu/gpu.js';
import { type Plan, StepRecords } from './gpu/plan.js';
import { Tensor, upload } from './gpu/tensor.js';
import { Workspace } from './gpu/workspace.js';
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
/** Steps of `fit` that a plan takes at once which runs them all in one dispatch; how long they take is measured. */
const RUN_CAPACITY = 4096;
/** How long the steps of one submit should take: short on a page that draws, long where nobody looks. */
const SUBMIT_MS = { visible: 8, hidden: 64 };
const NONE = 0xffffffff;

/** A model, a loss and an optimizer, compiled for a batch size: a step replays what was recorded once. */
export class Trainer<Names extends string = never> {
  readonly batchSize: number;
  readonly #gpu: Gpu;
  readonly #model: Model;
  readonly #options: TrainerOptions<Names>;
  readonly #training: Training;
  readonly #records: StepRecords;
  readonly #feeds: Feeds;
  readonly #onDispose: (trainer: Trainer<Names>) => void;
  /** Of the step that was compiled or replayed last. */
  #latest: Feed | undefined;
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
    training: Training,
    onDispose: (trainer: Trainer<Names>) => void,
  ) {
    this.batchSize = options.batchSize;
    this.#gpu = model.gpu;
    this.#model = model;
    this.#options = options;
    this.#training = training;
    this.#records = new StepRecords(model.gpu, STEP_CAPACITY);
    this.#feeds = new Feeds(training, this.#records);
    this.#learningRate = options.optimizer.spec.learningRate;
    this.#onDispose = onDispose;
  }

  /** @internal */
  static async create<Names extends string>(
    model: Model,
    options: TrainerOptions<Names>,
    onDispose: (trainer: Trainer<Names>) => void,
  ): Promise<Trainer<Names>> {
    const { batchSize: batch, stepsPerSubmit = 'auto', loss, optimizer } = options;
    const { gpu } = model;
    checkBatchSize('trainer:', batch, gpu.info.limits);
    if (stepsPerSubmit !== 'auto') {
      demand('trainer:', { stepsPerSubmit }, 'a positive integer');
      if (stepsPerSubmit > STEP_CAPACITY) {
        throw new MlpError(
          'bad-option',
          `trainer: stepsPerSubmit = ${stepsPerSubmit}; it is ${STEP_CAPACITY} at most.`,
        );
      }
    }
    const { owners } = model;
    const results = (): Results => ({
      losses: Tensor.empty(gpu, [batch, 1], 'losses'),
      totals: Tensor.empty(gpu, [2, batch], 'totals'),
      together: Tensor.empty(gpu, [3, batch], 'totals and losses'),
      status: Tensor.empty(gpu, [1 + model.layers.length], 'status', 'u32'),
    });
    const trainer = new Trainer(
      model,
      options,
      {
        model,
        loss,
        optimizer,
        batch,
        workspace: new Workspace(),
        owners: upload<'u32'>(gpu, owners, [owners.length], 'owners'),
        results: { training: results(), evaluation: results() },
      },
      onDispose,
    );
    try {
      trainer.#latest = await trainer.#feeds.prepare();
      return trainer;
    } catch (error) {
      trainer.dispose();
      throw error;
    }
  }

  /** The rate of the steps to come. */
  get learningRate(): number {
    return this.#learningRate;
  }

  set learningRate(learningRate: number) {
    demand('Trainer:', { learningRate }, 'a finite number ≥ 0');
    this.#learningRate = learningRate;
  }

  /** What a step runs, in order. `toString()` is a table. */
  get plan(): Pick<Plan, 'dispatches' | 'memory' | 'toString'> {
    this.#check();
    // biome-ignore lint/style/noNonNullAssertion: `create` has compiled one
    return this.#latest!.plan;
  }

  /**
   * Queues one minibatch; there is nothing to wait for.
   * @param inputs at most `batchSize` samples
   * @param targets a class for each sample, or a row of probabilities
   * @throws {ShapeError|DataError} before anything is queued
   */
  step(inputs: Uint8Array | Float32Array | ArrayLike<number>, targets: ArrayLike<number>): void {
    this.#replayBatch('step', inputs, targets);
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
    const { epochs, validation, signal, onEpoch } = options;
    demand('fit:', { epochs }, 'an integer ≥ 0');
    checkDataset('fit', dataset, this.#model, this.#options.loss);
    if (validation !== undefined) checkDataset('fit: validation', validation, this.#model, this.#options.loss);
    if (dataset.length < this.batchSize) {
      throw new DataError(
        `fit: batchSize = ${this.batchSize}, but the data set has ${dataset.length} samples. Make a trainer with a batchSize of at most ${dataset.length}.`,
      );
    }
    this.#fitting = true;
    const history: EpochResult<Names>[] = [];
    let course: Course | undefined;
    try {
      course = await this.#open(dataset, 'step');
      for (let epoch = 1; epoch <= epochs && signal?.aborted !== true; epoch++) {
        let entry = await this.#epoch(course, dataset.length, epoch, options);
        if (entry === undefined) break;
        if (validation !== undefined) entry = { ...entry, validation: await this.evaluate(validation) };
        history.push(entry);
        await onEpoch?.(entry);
      }
    } finally {
      course?.dispose();
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
    checkDataset('evaluate', dataset, this.#model, this.#options.loss);
    const course = await this.#open(dataset, 'evaluate');
    const { totals } = course.feed.results;
    const steps = Math.ceil(dataset.length / this.batchSize);
    const all = new Float64Array(totals.length);
    try {
      course.begin();
      for (let step = 0; step < steps; ) {
        const part = await course.part(step);
        this.#check();
        totals.write(new Float32Array(totals.length));
        for (let first = 0; first < part.steps; first += STEP_CAPACITY) {
          const count = Math.min(STEP_CAPACITY, part.steps - first);
          this.#replay('evaluate', part.feed, part.samples, first, count);
        }
        for (const [i, value] of (await totals.read()).entries()) all[i] = (all[i] ?? 0) + value;
        step += part.steps;
      }
    } finally {
      course.dispose();
    }
    return this.#evaluation(sums(all, dataset.length));
  }

  /** The mean loss of the last step of `step` or `fit`. NaN before the first. */
  async loss(): Promise<number> {
    this.#check();
    const rows = this.#lastRows;
    return rows === 0 || this.#latest === undefined ? Number.NaN : mean(await this.#latest.results.losses.read(), rows);
  }

  /** Loss and gradients of a minibatch, in the order of `weights()`. Nothing is updated. */
  async gradients(
    inputs: Uint8Array | Float32Array | ArrayLike<number>,
    targets: ArrayLike<number>,
  ): Promise<{ loss: number; gradients: Weight[] }> {
    const { rows, feed } = this.#replayBatch('gradients', inputs, targets);
    const [flat, perRow] = await Promise.all([feed.gradients.read(), feed.results.losses.read()]);
    return { loss: mean(perRow, rows), gradients: this.#model.cut(flat) };
  }

  /** Frees what training needs; the model keeps its weights. A second call does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.resume();
    const { workspace, owners, results } = this.#training;
    const tensors = [results.training, results.evaluation].flatMap((sums) => Object.values(sums));
    for (const part of [this.#feeds, this.#records, workspace, owners, ...tensors]) part.dispose();
    this.#onDispose(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** One epoch, or `undefined` if it was aborted. */
  async #epoch(
    course: Course,
    samples: number,
    epoch: number,
    options: FitOptions<Names>,
  ): Promise<EpochResult<Names> | undefined> {
    const { signal, shuffle = true, onNotFinite = 'stop', onStep } = options;
    const { stepsPerSubmit = 'auto' } = this.#options;
    const { feed } = course;
    const { totals, status } = feed.results;
    const steps = Math.ceil(samples / this.batchSize);
    const firstStep = this.#steps;
    const random = new Random(this.#model.spec.seed, ++this.#epochs);
    feed.dataset?.check('fit');
    course.begin(shuffle ? random : undefined);
    totals.write(new Float32Array(totals.length));
    status.write(new Uint32Array(status.length).fill(NONE));
    const aborted = new Promise((resolve) => signal?.addEventListener('abort', resolve, { once: true }));
    const ended = Promise.race([aborted, this.#gpu.lost]).then(() => undefined);
    const reports = new Reports(this.#gpu, [totals, status]);
    const started = performance.now();
    let frozen = 0;
    let reported = { sums: { loss: 0, correct: 0, rows: 0 } as Sums, time: started };
    let queued = 0;
    let pace = stepsPerSubmit === 'auto' ? 1 : stepsPerSubmit;
    let inFlight: { readonly done: Promise<unknown>; readonly steps: number } | undefined;
    let lastDone = started;

    const deliver = async (): Promise<void> => {
      // Of several reports that came together the last one says it all: sums and status only grow.
      const report = reports.take().at(-1);
      if (report === undefined) return;
      const { tag: step, time, values } = report;
      const [sumsRead, statusRead] = values as [ArrayBuffer, ArrayBuffer];
      const before = reported;
      const now = sums(Float64Array.from(new Float32Array(sumsRead)), Math.min(step * this.batchSize, samples));
      if (onNotFinite === 'stop') this.#refuseNotFinite(new Uint32Array(statusRead), firstStep, epoch, before.sums);
      reported = { sums: now, time };
      const since = {
        loss: now.loss - before.sums.loss,
        correct: now.correct - before.sums.correct,
        rows: now.rows - before.sums.rows,
      };
      if (since.rows === 0) return;
      const samplesPerSecond = (1000 * since.rows) / Math.max(time - before.time, 1e-3);
      await onStep?.({ ...this.#evaluation(since), epoch, step, steps, samplesPerSecond });
    };

    try {
      while (queued < steps && signal?.aborted !== true) {
        const next = course.part(queued);
        const part = next instanceof Promise ? await Promise.race([next, ended]) : next;
        this.#check();
        if (part === undefined) continue;
        if (this.#paused !== undefined) {
          await reports.settled();
          await deliver();
          const from = performance.now();
          // Whatever else ends fit ends the pause too.
          if (!signal?.aborted) await Promise.race([this.#paused?.promise, ended]);
          this.#check();
          const until = performance.now();
          frozen += until - from;
          reported = { ...reported, time: until };
          continue;
        }
        const first = queued - part.first;
        const count = Math.min(pace, part.steps - first);
        const done = queued + count;
        this.#replay('fit', part.feed, part.samples, first, count, (encoder) =>
          reports.copy(encoder, done, done === steps),
        );
        reports.map();
        queued = done;
        const before = inFlight;
        inFlight = { done: this.#gpu.idle(), steps: count };
        if (before !== undefined) {
          await before.done;
          const now = performance.now();
          if (stepsPerSubmit === 'auto') pace = nextPace(pace, (now - lastDone) / before.steps, mostAtOnce(feed));
          lastDone = now;
        }
        this.#check();
        await deliver();
      }
      await reports.settled();
      this.#check();
      await deliver();
    } finally {
      reports.dispose();
    }
    if (queued < steps) return undefined;
    const seconds = (performance.now() - started - frozen) / 1000;
    return { ...this.#evaluation(reported.sums), epoch, steps, seconds };
  }

  /** Few data sets are streamed: what brings their chunks is loaded where one is. */
  async #open(dataset: Dataset, purpose: 'step' | 'evaluate'): Promise<Course> {
    const { resident } = dataset;
    if (resident !== undefined) {
      return residentCourse(await this.#feeds.of(dataset, resident, purpose), dataset, this.batchSize);
    }
    const { StreamedCourse } = await import('./streams.js');
    return await StreamedCourse.open(this.#training, this.#feeds, dataset, purpose);
  }

  /** Replays a feed's plan for `count` batches from number `first` on, in one submit. */
  #replay(
    what: Purpose | 'fit',
    feed: Feed,
    samples: number,
    first: number,
    count: number,
    after?: (encoder: GPUCommandEncoder) => void,
  ): void {
    this.#check();
    feed.dataset?.check(what);
    // A record for each replay: of one step, or of them all.
    const replays = feed.plan.takesRuns ? 1 : count;
    const steps = Array.from({ length: replays }, (_, slot) => {
      const begin = (first + slot) * this.batchSize;
      const rows = Math.min((count / replays) * this.batchSize, samples - begin);
      return { first: begin, rows, index: this.#steps + slot, learning_rate: this.#learningRate };
    });
    this.#records.write(steps);
    const encode = (pass: Pass): void => {
      for (let slot = 0; slot < replays; slot++) feed.plan.encode(pass, this.#records.offset(slot));
    };
    this.#gpu.submit(what, encode, after);
    if (what === 'fit' || what === 'step') {
      this.#latest = feed;
      this.#steps += count;
      this.#lastRows = Math.min(this.batchSize, samples - (first + count - 1) * this.batchSize);
    }
  }

  /** Checks a minibatch, uploads it and replays the plan for its kind. @returns its samples, and where they went */
  #replayBatch(
    what: 'step' | 'gradients',
    inputs: Uint8Array | Float32Array | ArrayLike<number>,
    targets: ArrayLike<number>,
  ): { readonly rows: number; readonly feed: Feed } {
    this.#checkIdle(what);
    const features = this.#model.spec.inputs;
    const rows = inputs.length / features;
    const labelled = targets.length === rows ? { classes: targets } : { targets };
    const samples = checkSamples(what, { inputs, features, ...labelled });
    if (rows > this.batchSize) {
      throw new ShapeError(`${what}: ${rows} samples came, but batchSize = ${this.batchSize}. Pass at most that many.`);
    }
    checkLabels(what, samples, this.#model, this.#options.loss);
    const dtype = samples.inputs instanceof Uint8Array ? 'u8' : 'f32';
    const feed = this.#feeds.ofBatch(dtype, samples.words, what);
    this.#gpu.write(feed.source.data.buffer, 0, samples.inputs);
    this.#gpu.write(feed.source.labels.buffer, 0, samples.labels);
    this.#replay(what, feed, rows, 0, 1);
    return { rows, feed };
  }

  #evaluation(total: Sums): Evaluation<Names> {
    const values: Record<string, number> = { loss: total.loss / total.rows };
    for (const metric of this.#options.metrics ?? []) values[metric.spec.type] = metric.value(total);
    return values as Evaluation<Names>;
  }

  #refuseNotFinite(status: Uint32Array, firstStep: number, epoch: number, before: Sums): void {
    const step = Math.min(...status);
    if (step === NONE) return;
    const layer = status.indexOf(step) - 1;
    const what =
      layer < 0 ? 'the loss' : `a parameter of layer ${layer} (${this.#model.layers[layer]?.layer.spec.type ?? ''})`;
    const last = before.rows > 0 ? ` The mean loss before was ${before.loss / before.rows}.` : '';
    throw new NotFiniteError(
      `fit: ${what} is not finite after step ${step} (epoch ${epoch}, its step ${step - firstStep}) at learning rate ${this.#learningRate}.${last} Use a smaller learning rate, normalise the inputs, or look for extreme values in the data.`,
      step,
      layer < 0 ? 'loss' : `${layer}`,
    );
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

/** Sums over the rows of a batch, in float64, of sums over steps. */
function sums(totals: Float64Array, rows: number): Sums {
  const half = totals.length / 2;
  const add = (sum: number, value: number): number => sum + value;
  const loss = totals.subarray(0, half).reduce(add, 0);
  const correct = totals.subarray(half).reduce(add, 0);
  return { loss, correct, rows };
}

/** The mean of the first rows, in float64. */
function mean(losses: Float32Array, rows: number): number {
  return losses.subarray(0, rows).reduce((sum, loss) => sum + loss, 0) / rows;
}

const mostAtOnce = ({ plan }: Feed): number => (plan.takesRuns ? RUN_CAPACITY : STEP_CAPACITY);

/** Steps for the next submit, from how long one takes; at most doubled, so that one odd sample does little harm. */
function nextPace(pace: number, millisecondsPerStep: number, most: number): number {
  const visible = typeof document !== 'undefined' && document.visibilityState === 'visible';
  const wanted = Math.floor((visible ? SUBMIT_MS.visible : SUBMIT_MS.hidden) / Math.max(millisecondsPerStep, 1e-3));
  return Math.max(1, Math.min(wanted, 2 * pace, most));
}
