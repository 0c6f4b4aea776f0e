import type { Clip } from './adjust.js';
import { checkBatchSize, demand } from './check.js';
import type { CheckGradientsOptions, GradientChecks } from './check-gradients.js';
import type { Checkpoint } from './checkpoint.js';
import { type Results, type Training, taskOf } from './compile.js';
import { checkSamples, type Dataset } from './dataset.js';
import type { DiagnoseOptions, Diagnosis, LossSurface, LossSurfaceOptions } from './diagnostics.js';
import type { EarlyStopping, EarlyStoppingOptions } from './early-stopping.js';
import { DataError, DisposedError, MlpError, NotFiniteError, ShapeError } from './errors.js';
import { type Course, checkDataset, checkLabels, type Feed, Feeds, type Part, residentCourse } from './feeds.js';
import { loadFusions } from './fusion.js';
import type { Pass } from './gpu/command.js';
import type { Gpu } from './gpu/gpu.js';
import { type Plan, type StepRecord, StepRecords } from './gpu/plan.js';
import { type Storage, Tensor, upload } from './gpu/tensor.js';
import { Workspace } from './gpu/workspace.js';
import type { Penalties } from './kernels/update.js';
import type { Purpose } from './layers/layer.js';
import type { Loss } from './losses/loss.js';
import type { Metric, Sums } from './metrics/metric.js';
import { everyLayer, type Model, type Weight } from './model.js';
import type { Outcome } from './monitor.js';
import type { Optimizer } from './optimizers/optimizer.js';
import { Random } from './random.js';
import { Reports } from './reports.js';
import type { Schedule, Scheduled, ScheduleState } from './schedules/schedule.js';
import { clear, counters, difference, NOTHING, sumsOf, tallyTensor } from './sums.js';

export interface TrainerOptions<M extends AnyMetric = never> {
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** Rows of a step. The last batch of an epoch may have fewer; it counts as it is. */
  readonly batchSize: number;
  readonly metrics?: readonly M[];
  /** Limits the gradients' norm, of all parameters together, or each gradient by itself; after the penalties. */
  readonly clip?: Clip;
  /** Adds l1·Σ|w| + l2·Σw² to what is learned, over weight matrices; reported losses and `gradients` are without it. */
  readonly penalties?: Penalties;
  /** Steps that go to the GPU at once; `auto` measures how long a step takes. */
  readonly stepsPerSubmit?: number | 'auto';
}

/** A metric of any name and value. */
export type AnyMetric = Metric<string, unknown>;

/** Mean loss and metrics over a data set, each metric's value under its name. */
export type Evaluation<M extends AnyMetric = never> = { readonly loss: number } & {
  readonly [Each in M as Each['name']]: ReturnType<Each['value']>;
};

/** An epoch of `fit`. */
export type EpochResult<M extends AnyMetric = never> = Evaluation<M> & {
  /** From 1 on. */
  readonly epoch: number;
  readonly steps: number;
  /** Of its last step. */
  readonly learningRate: number;
  /** Of training, without the validation. */
  readonly seconds: number;
  readonly validation?: Evaluation<M>;
};

/** What `fit` gives: one entry an epoch. */
export type History<M extends AnyMetric = never> = EpochResult<M>[];

/** Where `fit` is: mean loss and metrics of the steps since the report before. */
export type StepResult<M extends AnyMetric = never> = Evaluation<M> & {
  readonly epoch: number;
  /** Steps of this epoch that are done. */
  readonly step: number;
  /** Steps of an epoch. */
  readonly steps: number;
  readonly samplesPerSecond: number;
};

export interface FitOptions<M extends AnyMetric = never> {
  readonly epochs: number;
  /** Evaluated after each epoch. */
  readonly validation?: Dataset;
  /** Whether each epoch takes the samples in an order of its own, decided by the model's seed; true by default. */
  readonly shuffle?: boolean;
  /** How the learning rate moves from the trainer's `learningRate` on; by default it does not. */
  readonly schedule?: Schedule;
  /** Ends training when a number no longer improves; the model then has the parameters of its best epoch, unless `signal` stopped it. */
  readonly earlyStopping?: EarlyStoppingOptions;
  /** Stops within one submit; `fit` then resolves with the epochs that were completed. */
  readonly signal?: AbortSignal;
  /** Called as results come back, a little behind the GPU; not for every step when several share a submit. */
  readonly onStep?: (result: StepResult<M>) => void | Promise<void>;
  readonly onEpoch?: (result: EpochResult<M>) => void | Promise<void>;
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
export class Trainer<M extends AnyMetric = never> {
  readonly batchSize: number;
  readonly #gpu: Gpu;
  readonly #model: Model;
  readonly #options: TrainerOptions<M>;
  readonly #training: Training;
  readonly #records: StepRecords;
  readonly #feeds: Feeds;
  readonly #onDispose: (trainer: Trainer<M>) => void;
  /** Of the step that was compiled or replayed last. */
  #latest: Feed | undefined;
  #learningRate: number;
  /** Of the last step. */
  #latestRate: number;
  #scheduled: Scheduled | undefined;
  #steps = 0;
  #epochs = 0;
  #lastRows = 0;
  /** The last one that was asked for. */
  #evaluations: Promise<unknown> = Promise.resolve();
  /** What has the trainer for itself, if anything has. */
  #busy: string | undefined;
  #midEpoch = false;
  #disposed = false;
  #paused: { readonly promise: Promise<void>; readonly resume: () => void } | undefined;

  private constructor(
    model: Model,
    options: TrainerOptions<M>,
    training: Training,
    onDispose: (trainer: Trainer<M>) => void,
  ) {
    this.batchSize = options.batchSize;
    this.#gpu = model.gpu;
    this.#model = model;
    this.#options = options;
    this.#training = training;
    this.#records = new StepRecords(model.gpu, STEP_CAPACITY);
    this.#feeds = new Feeds(training, this.#records);
    this.#learningRate = options.optimizer.spec.learningRate;
    this.#latestRate = this.#learningRate;
    this.#onDispose = onDispose;
  }

  /** @internal */
  static async create<M extends AnyMetric>(
    model: Model,
    options: TrainerOptions<M>,
    onDispose: (trainer: Trainer<M>) => void,
  ): Promise<Trainer<M>> {
    const { batchSize: batch, stepsPerSubmit = 'auto', loss, optimizer, clip, penalties } = options;
    const { gpu } = model;
    checkBatchSize('trainer:', batch, gpu.info.limits);
    for (const { layer, name } of everyLayer(model.layers)) {
      if (layer.untrainable === undefined) continue;
      throw new MlpError('not-trainable', `trainer: layer ${name} (${layer.spec.type}) ${layer.untrainable}`);
    }
    if (stepsPerSubmit !== 'auto') {
      demand('trainer:', { stepsPerSubmit }, 'a positive integer');
      if (stepsPerSubmit > STEP_CAPACITY) {
        throw new MlpError(
          'bad-option',
          `trainer: stepsPerSubmit = ${stepsPerSubmit}; it is ${STEP_CAPACITY} at most.`,
        );
      }
    }
    checkTask(model, options);
    const { owners } = model;
    // Few trainers adjust gradients: what does is loaded where one does.
    const adjusts = clip !== undefined || penalties !== undefined;
    const [fuse, adjust] = await Promise.all([
      loadFusions(model.parameterCount, batch),
      adjusts ? import('./adjust.js') : undefined,
    ]);
    const adjusting = adjust?.adjusting(model, clip, penalties);
    const tallies = new Set(options.metrics?.flatMap(({ tally }) => tally ?? []));
    const task = taskOf(model, loss);
    const results = (): Results => ({
      losses: Tensor.empty(gpu, [batch, 1], 'losses'),
      totals: Tensor.empty(gpu, [loss.weighsClasses === true ? 3 : 2, batch], 'totals'),
      tallies: new Map([...tallies].map((tally) => [tally, tallyTensor(gpu, tally.shape(batch, task), tally)])),
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
        adjusting,
        batch,
        fuse,
        workspace: new Workspace(),
        owners: upload<'u32'>(gpu, owners, [owners.length], 'owners'),
        results: { training: results(), evaluation: results() },
      },
      onDispose,
    );
    try {
      trainer.#latest = await trainer.#feeds.prepare();
      model.learnsWith(loss.link);
      return trainer;
    } catch (error) {
      trainer.dispose();
      throw error;
    }
  }

  /** The rate of the steps to come; a schedule's starting point. */
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

  /** @internal What has the model's parameters elsewhere for the moment, if anything has. */
  get moving(): string | undefined {
    return this.#busy === 'fit' || this.#busy === 'diagnose' ? undefined : this.#busy;
  }

  /**
   * Queues one minibatch; there is nothing to wait for.
   * @param inputs at most `batchSize` samples
   * @param targets a class for each sample, or a row of probabilities or values
   * @param weights for each sample a number ≥ 0 that its loss is multiplied by; the mean is over the samples all the same
   * @throws {ShapeError|DataError} before anything is queued
   */
  step(
    inputs: Uint8Array | Float32Array | ArrayLike<number>,
    targets: ArrayLike<number>,
    weights?: ArrayLike<number>,
  ): void {
    this.#replayBatch('step', inputs, targets, weights);
  }

  /**
   * Trains for a number of epochs.
   * @returns one entry an epoch
   * @throws {DataError|ShapeError} if the data set does not fit the model, before anything is queued
   * @throws {NotFiniteError} that names the step and the layer
   * @throws {DeviceLostError} within one submit
   */
  async fit(dataset: Dataset, options: FitOptions<M>): Promise<History<M>> {
    this.#checkIdle('fit');
    const { epochs, validation, signal, onEpoch, schedule, earlyStopping } = options;
    demand('fit:', { epochs }, 'an integer ≥ 0');
    const outcome = this.#outcome(options);
    schedule?.check?.(outcome);
    checkDataset('fit', dataset, this.#model, this.#options.loss);
    if (validation !== undefined) checkDataset('fit: validation', validation, this.#model, this.#options.loss);
    if (dataset.length < this.batchSize) {
      throw new DataError(
        `fit: batchSize = ${this.batchSize}, but the data set has ${dataset.length} samples. Make a trainer with a batchSize of at most ${dataset.length}.`,
      );
    }
    this.#busy = 'fit';
    const history: History<M> = [];
    let course: Course | undefined;
    let stopping: EarlyStopping | undefined;
    try {
      if (earlyStopping !== undefined) {
        stopping = (await import('./early-stopping.js')).earlyStopping(this.#model, earlyStopping, outcome);
      }
      course = await this.#open(dataset, 'step');
      for (let epoch = 1; epoch <= epochs && signal?.aborted !== true; epoch++) {
        let entry = await this.#epoch(course, dataset.length, epoch, options);
        if (entry === undefined) break;
        if (validation !== undefined) entry = { ...entry, validation: await this.evaluate(validation) };
        if (schedule?.observe !== undefined) {
          const at = { epoch: this.#epochs, step: 0, steps: entry.steps };
          this.#scheduled = { spec: schedule.spec, state: schedule.observe(entry, at, this.#stateOf(schedule)) };
        }
        history.push(entry);
        const isOver = stopping?.observe(entry) ?? false;
        await onEpoch?.(entry);
        if (isOver) break;
      }
      if (signal?.aborted !== true) stopping?.restore();
    } finally {
      stopping?.dispose();
      course?.dispose();
      this.#busy = undefined;
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
  async evaluate(dataset: Dataset): Promise<Evaluation<M>> {
    this.#check();
    checkDataset('evaluate', dataset, this.#model, this.#options.loss);
    // One after the other: they add to the same sums.
    const turn = this.#evaluations.then(async () => await this.#evaluateNow(dataset));
    this.#evaluations = turn.catch(() => undefined);
    return await turn;
  }

  async #evaluateNow(dataset: Dataset): Promise<Evaluation<M>> {
    this.#check();
    const course = await this.#open(dataset, 'evaluate');
    const { results } = course.feed;
    const steps = Math.ceil(dataset.length / this.batchSize);
    this.#check();
    try {
      clear(results);
      course.begin();
      for (let step = 0; step < steps; ) {
        const part = await course.part(step);
        this.#check();
        for (let first = 0; first < part.steps; ) {
          first += this.#replay('evaluate', part, first, Math.min(STEP_CAPACITY, part.steps - first));
        }
        step += part.steps;
        // No chunk comes before the one before it has been used.
        if (step < steps) await this.#gpu.idle();
      }
      const read = await Promise.all(counters(results).map(async (tensor) => (await tensor.read()).buffer));
      return this.#evaluation(sumsOf(results, read, dataset.length));
    } finally {
      course.dispose();
    }
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
    weights?: ArrayLike<number>,
  ): Promise<{ loss: number; gradients: Weight[] }> {
    const { rows, feed } = this.#replayBatch('gradients', inputs, targets, weights);
    const [flat, perRow] = await Promise.all([feed.gradients.read(), feed.results.losses.read()]);
    return { loss: mean(perRow, rows), gradients: this.#model.cut(flat) };
  }

  /**
   * Compares gradients with centred differences of the loss, to see whether a kernel or a layer of one's own is right.
   * @returns a row for each parameter tensor; `toString()` is a table. The parameters are what they were; meanwhile they are
   * elsewhere, and reading or writing them is `busy`
   */
  async checkGradients(
    inputs: Uint8Array | Float32Array | ArrayLike<number>,
    targets: ArrayLike<number>,
    options: CheckGradientsOptions = {},
  ): Promise<GradientChecks> {
    const { rows, feed } = this.#replayBatch('gradients', inputs, targets, options.weights);
    return await this.#alone('checkGradients', async () => {
      const { checkGradients } = await import('./check-gradients.js');
      const [values, gradients] = await Promise.all([this.#model.values.read(), feed.gradients.read()]);
      const loss = async (): Promise<number> => {
        this.#replay('gradients', minibatch(feed, rows), 0, 1);
        return mean(await feed.results.losses.read(), rows);
      };
      return await checkGradients({ model: this.#model, values, gradients, loss }, options);
    });
  }

  /**
   * Looks into the network: dead units, histograms of activations and gradients, the gradient's norm, the samples that it
   * gets most wrong. Computes loss and gradients of every batch as training would, and changes nothing.
   * @throws {DataError|ShapeError} if the data set does not fit the model, or is streamed
   */
  async diagnose(dataset: Dataset, options: DiagnoseOptions = {}): Promise<Diagnosis> {
    checkDataset('diagnose', dataset, this.#model, this.#options.loss);
    return await this.#alone('diagnose', async () => {
      const { diagnose } = await import('./diagnostics.js');
      return await diagnose(this.#training, dataset, options);
    });
  }

  /**
   * The loss over a slice of the space of parameters, along two random directions that are normalised filter by filter.
   * It evaluates the data set at each of `points`² points, and leaves the parameters as they are; meanwhile they are elsewhere,
   * and reading or writing them is `busy`.
   */
  async lossSurface(dataset: Dataset, options: LossSurfaceOptions = {}): Promise<LossSurface> {
    checkDataset('lossSurface', dataset, this.#model, this.#options.loss);
    return await this.#alone('lossSurface', async () => {
      const { lossSurface } = await import('./diagnostics.js');
      return await lossSurface(this.#model, async () => (await this.evaluate(dataset)).loss, options);
    });
  }

  /**
   * Everything that training goes on from, bit for bit: parameters, the optimizer's state, the numbers of steps and epochs (which
   * with the model's seed decide the order of samples), and the learning rate. One blob, with its length and CRC-32.
   * Between epochs it may be taken while `fit` runs: in `onEpoch`.
   * @throws {MlpError} `busy` in the middle of an epoch, which could not be gone on with
   */
  async checkpoint(): Promise<Uint8Array<ArrayBuffer>> {
    this.#check();
    if (this.#midEpoch) {
      throw new MlpError('busy', 'checkpoint: fit is in the middle of an epoch. Call it in onEpoch, or await fit.');
    }
    if (this.#busy !== 'fit') this.#checkIdle('checkpoint');
    // Of the same moment: what is queued later, by an epoch that begins meanwhile, changes neither.
    const progress = {
      steps: this.#steps,
      epochs: this.#epochs,
      learningRate: this.#learningRate,
      scheduled: this.#scheduled,
    };
    const copies = [...this.#kept].map(
      async ([name, { buffer, byteLength }]) =>
        [name, new Uint8Array(await this.#gpu.read(buffer, 0, byteLength))] as const,
    );
    const [{ writeCheckpoint }, ...state] = await Promise.all([import('./checkpoint.js'), ...copies]);
    return writeCheckpoint({ training: this.#specs, progress, state: new Map(state) });
  }

  /**
   * Goes back to a checkpoint of this trainer, or of one made in the same way, on this page or another.
   * @throws {FormatError} if it is truncated or has changed, and changes nothing
   * @throws {MlpError} `other-training` if model, loss, optimizer, batch size, clip or penalties were others; `busy` while `fit` runs
   */
  async restore(bytes: Uint8Array | ArrayBuffer): Promise<void> {
    this.#checkIdle('restore');
    const { readCheckpoint } = await import('./checkpoint.js');
    this.#checkIdle('restore');
    const kept = this.#kept;
    const sizes = new Map([...kept].map(([name, { byteLength }]) => [name, byteLength]));
    const { progress, state } = readCheckpoint(bytes, this.#specs, sizes);
    for (const [name, values] of state) {
      const storage = kept.get(name);
      if (storage !== undefined) this.#gpu.write(storage.buffer, 0, values);
    }
    this.#steps = progress.steps;
    this.#epochs = progress.epochs;
    this.#learningRate = progress.learningRate;
    this.#scheduled = progress.scheduled;
    this.#lastRows = 0;
  }

  /** Frees what training needs; the model keeps its weights. A second call does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.resume();
    const { workspace, owners, results, adjusting } = this.#training;
    const tensors = [results.training, results.evaluation].flatMap(({ tallies, ...others }) => [
      ...Object.values(others),
      ...tallies.values(),
    ]);
    for (const part of [this.#feeds, this.#records, workspace, owners, adjusting, ...tensors]) part?.dispose();
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
    options: FitOptions<M>,
  ): Promise<EpochResult<M> | undefined> {
    const { signal, shuffle = true, onNotFinite = 'stop', onStep, schedule } = options;
    const { stepsPerSubmit = 'auto' } = this.#options;
    const { feed } = course;
    const { status } = feed.results;
    const steps = Math.ceil(samples / this.batchSize);
    const firstStep = this.#steps;
    const random = new Random(this.#model.spec.seed, ++this.#epochs);
    feed.dataset?.check('fit');
    course.begin(shuffle ? random : undefined);
    clear(feed.results);
    status.write(new Uint32Array(status.length).fill(NONE));
    const aborted = new Promise((resolve) => signal?.addEventListener('abort', resolve, { once: true }));
    const ended = Promise.race([aborted, this.#gpu.lost]).then(() => undefined);
    const reports = new Reports(this.#gpu, [status, ...counters(feed.results)]);
    const at = { epoch: this.#epochs - 1, steps };
    const state = this.#stateOf(schedule);
    const rateOf = (step: number): number =>
      schedule?.rate(this.#learningRate, { ...at, step }, state) ?? this.#learningRate;
    const started = performance.now();
    let frozen = 0;
    let reported = { sums: NOTHING, time: started };
    let queued = 0;
    let pace = stepsPerSubmit === 'auto' ? 1 : stepsPerSubmit;
    let inFlight: { readonly done: Promise<unknown>; readonly steps: number } | undefined;
    let lastDone = started;
    this.#midEpoch = true;

    const deliver = async (): Promise<void> => {
      // Of several reports that came together the last one says it all: sums and status only grow.
      const report = reports.take().at(-1);
      if (report === undefined) return;
      const { tag: step, time, values } = report;
      const [statusRead, ...sumsRead] = values as [ArrayBuffer, ...ArrayBuffer[]];
      const before = reported;
      const now = sumsOf(feed.results, sumsRead, Math.min(step * this.batchSize, samples));
      if (onNotFinite === 'stop') this.#refuseNotFinite(new Uint32Array(statusRead), firstStep, epoch, before.sums);
      reported = { sums: now, time };
      const since = difference(now, before.sums);
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
        const copy = (encoder: GPUCommandEncoder, done: number): void =>
          reports.copy(encoder, part.first + done, part.first + done === steps);
        const count = this.#replay('fit', part, first, Math.min(pace, part.steps - first), copy, rateOf);
        reports.map();
        queued += count;
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
      this.#midEpoch = false;
      reports.dispose();
    }
    if (queued < steps) return undefined;
    const seconds = (performance.now() - started - frozen) / 1000;
    return { ...this.#evaluation(reported.sums), epoch, steps, learningRate: this.#latestRate, seconds };
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

  /**
   * Replays a feed's plan for batches of a part from number `first` on, in one submit.
   * @param wanted how many; a plan that takes runs gets fewer where there are more rates among them than records
   * @param after encodes what comes behind `done` batches of the part
   * @param rateOf the learning rate of a step of the epoch
   * @returns how many there were
   */
  #replay(
    what: Purpose | 'fit',
    part: Part,
    first: number,
    wanted: number,
    after?: (encoder: GPUCommandEncoder, done: number) => void,
    rateOf: (step: number) => number = () => this.#learningRate,
  ): number {
    const { feed, samples } = part;
    this.#check();
    feed.dataset?.check(what);
    const { records, count } = this.#stepRecords(part, first, wanted, rateOf);
    this.#records.write(records);
    const encode = (pass: Pass): void => {
      for (let slot = 0; slot < records.length; slot++) feed.plan.encode(pass, this.#records.offset(slot));
    };
    this.#gpu.submit(what, encode, after && ((encoder) => after(encoder, first + count)));
    if (what === 'fit' || what === 'step') {
      this.#latest = feed;
      this.#steps += count;
      this.#lastRows = Math.min(this.batchSize, samples - (first + count - 1) * this.batchSize);
      this.#latestRate = records.at(-1)?.learning_rate ?? this.#latestRate;
    }
    return count;
  }

  /** A record for each replay: of one step, or where the plan takes runs, of as many as have the same rate. */
  #stepRecords(
    { feed: { plan }, samples, first: before }: Part,
    first: number,
    wanted: number,
    rateOf: (step: number) => number,
  ): { readonly records: readonly StepRecord[]; readonly count: number } {
    const records: StepRecord[] = [];
    let count = 0;
    for (; count < wanted; count++) {
      const step = first + count;
      const begin = step * this.batchSize;
      const rows = Math.min(this.batchSize, samples - begin);
      const learning_rate = rateOf(before + step);
      const last = records.at(-1);
      if (plan.takesRuns && last?.learning_rate === learning_rate) {
        records[records.length - 1] = { ...last, rows: last.rows + rows };
      } else if (records.length < STEP_CAPACITY) {
        const index = this.#steps + count;
        const own = this.#options.optimizer.perStep?.(index);
        records.push({ first: begin, rows, index, learning_rate, own });
      } else break;
    }
    return { records, count };
  }

  /** What a schedule remembers, if it is the one that went before. */
  #stateOf(schedule: Schedule | undefined): ScheduleState | undefined {
    const isSame = JSON.stringify(schedule?.spec) === JSON.stringify(this.#scheduled?.spec);
    return isSame ? this.#scheduled?.state : undefined;
  }

  /** What an epoch will give, for those who want to know before. */
  #outcome({ validation }: FitOptions<M>): Outcome {
    const numbers = this.#evaluation(NOTHING);
    return validation === undefined ? numbers : { ...numbers, validation: numbers };
  }

  /** Checks a minibatch, uploads it and replays the plan for its kind. @returns its samples, and where they went */
  #replayBatch(
    what: 'step' | 'gradients',
    inputs: Uint8Array | Float32Array | ArrayLike<number>,
    targets: ArrayLike<number>,
    weights: ArrayLike<number> | undefined,
  ): { readonly rows: number; readonly feed: Feed } {
    this.#checkIdle(what);
    const features = this.#model.spec.inputs;
    const rows = inputs.length / features;
    const { loss } = this.#options;
    const labelled = loss.link === 'softmax' && targets.length === rows ? { classes: targets } : { targets };
    const samples = checkSamples(what, { inputs, features, ...labelled, ...(weights && { weights }) });
    if (rows > this.batchSize) {
      throw new ShapeError(`${what}: ${rows} samples came, but batchSize = ${this.batchSize}. Pass at most that many.`);
    }
    const indices = samples.labels instanceof Uint32Array;
    checkLabels(what, { ...samples, indices }, this.#model, loss);
    const dtype = samples.inputs instanceof Uint8Array ? 'u8' : 'f32';
    const feed = this.#feeds.ofBatch(dtype, [indices ? 'u32' : 'f32', samples.words], what);
    this.#gpu.write(feed.source.data.buffer, 0, samples.inputs);
    this.#gpu.write(feed.source.labels.buffer, 0, samples.labels);
    this.#replay(what, minibatch(feed, rows), 0, 1);
    return { rows, feed };
  }

  /** What the GPU keeps from step to step, by name. */
  get #kept(): ReadonlyMap<string, Storage> {
    const { values, states } = this.#model;
    return new Map([['parameters', values.storage], ['states', states.storage], ...this.#training.workspace.states]);
  }

  /** What decides the bits of training, apart from the data: plain data. */
  get #specs(): Checkpoint['training'] {
    const { loss, optimizer, batchSize, clip, penalties } = this.#options;
    const all = penalties && { l1: 0, l2: 0, ...penalties };
    return { ...this.#model.spec, loss: loss.spec, optimizer: optimizer.spec, batchSize, clip, penalties: all };
  }

  #evaluation(total: Sums): Evaluation<M> {
    const values: Record<string, unknown> = { loss: total.loss / total.weight };
    const task = taskOf(this.#model, this.#options.loss);
    for (const metric of this.#options.metrics ?? []) values[metric.name] = metric.value(total, task);
    return values as Evaluation<M>;
  }

  #refuseNotFinite(status: Uint32Array, firstStep: number, epoch: number, before: Sums): void {
    const step = Math.min(...status);
    if (step === NONE) return;
    const layer = status.indexOf(step) - 1;
    const what =
      layer < 0 ? 'the loss' : `a parameter of layer ${layer} (${this.#model.layers[layer]?.layer.spec.type ?? ''})`;
    const last = before.rows > 0 ? ` The mean loss before was ${before.loss / before.weight}.` : '';
    throw new NotFiniteError(
      `fit: ${what} is not finite after step ${step} (epoch ${epoch}, its step ${step - firstStep}) at learning rate ${this.#latestRate}.${last} Use a smaller learning rate, normalise the inputs, or look for extreme values in the data.`,
      step,
      layer < 0 ? 'loss' : `${layer}`,
    );
  }

  /** Has the trainer for itself while it works. What few apps need is loaded in `work`. */
  async #alone<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.#checkIdle(what);
    this.#busy = what;
    try {
      return await work();
    } finally {
      this.#busy = undefined;
    }
  }

  #check(): void {
    if (this.#disposed) throw new DisposedError('This trainer has been disposed. Make a new one with model.trainer().');
    this.#gpu.check();
  }

  #checkIdle(where: string): void {
    this.#check();
    if (this.#busy !== undefined) {
      throw new MlpError(
        'busy',
        `${where}: ${this.#busy} is running on this trainer. Await it${this.#busy === 'fit' ? ', or stop it through its signal' : ''}.`,
      );
    }
  }
}

/** Whether a model can learn with a loss, and metrics say anything of that. @throws {MlpError} `bad-loss`, `bad-metric` */
function checkTask(model: Model, { loss, metrics = [] }: TrainerOptions<AnyMetric>): void {
  const { ownLink } = model;
  // A sigmoid may be trained on values, such as 0 and 1; nothing but its own loss goes with a softmax.
  const isOdd = ownLink !== undefined && ownLink !== loss.link && (ownLink === 'softmax' || loss.link === 'softmax');
  if (isOdd) {
    const [activation, remedy] =
      ownLink === 'softmax' ? ['softmax', 'softmaxCrossEntropy()'] : ['sigmoid', 'binaryCrossEntropy()'];
    throw new MlpError(
      'bad-loss',
      `trainer: the last layer has activation "${activation}", but the loss is ${loss.spec.type}. Use ${remedy}, or a last layer without it.`,
    );
  }
  for (const metric of metrics) {
    const why = metric.unfit(taskOf(model, loss));
    if (why !== undefined) throw new MlpError('bad-metric', `trainer: ${metric.name} ${why}.`);
  }
}

/** The mean of the first rows, in float64. */
function mean(losses: Float32Array, rows: number): number {
  return losses.subarray(0, rows).reduce((sum, loss) => sum + loss, 0) / rows;
}

/** A part of one step. */
const minibatch = (feed: Feed, samples: number): Part => ({ feed, samples, first: 0, steps: 1 });

const mostAtOnce = ({ plan }: Feed): number => (plan.takesRuns ? RUN_CAPACITY : STEP_CAPACITY);

/** Steps for the next submit, from how long one takes; at most doubled, so that one odd sample does little harm. */
function nextPace(pace: number, millisecondsPerStep: number, most: number): number {
  const visible = typeof document !== 'undefined' && document.visibilityState === 'visible';
  const wanted = Math.floor((visible ? SUBMIT_MS.visible : SUBMIT_MS.hidden) / Math.max(millisecondsPerStep, 1e-3));
  return Math.max(1, Math.min(wanted, 2 * pace, most));
}
