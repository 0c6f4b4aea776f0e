import { assertOption } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import type { Dataset } from '../data/dataset.js';
import type { Model, Weight } from '../model/model.js';
import type { AnyMetric } from '../nn/metrics/metric.js';
import type { Plan } from '../plan/plan.js';
import { mean } from './accumulators.js';
import { checkDataset, type Part } from './batches.js';
import { type Evaluation, Evaluator } from './evaluate.js';
import { prepareFit } from './fit.js';
import type { FitOptions, History } from './fit-options.js';
import type { CheckGradientsOptions, GradientChecks } from './inspect/check-gradients.js';
import type { DiagnoseOptions, Diagnosis, LossSurface, LossSurfaceOptions } from './inspect/diagnose.js';
import { createTraining, keptBy, type TrainerOptions } from './options.js';
import { Stepper } from './session.js';
import type { Training } from './step.js';

/** A model, a loss and an optimizer, compiled for a batch size: a step replays what was recorded once. */
export class Trainer<M extends AnyMetric = never> {
  readonly batchSize: number;
  readonly #training: Training;
  readonly #stepper: Stepper;
  readonly #evaluator: Evaluator<M>;
  readonly #onDispose: (trainer: Trainer<M>) => void;
  /** What has the trainer for itself, if anything has. */
  #busy: string | undefined;

  private constructor(stepper: Stepper, metrics: readonly M[] | undefined, onDispose: (trainer: Trainer<M>) => void) {
    this.batchSize = stepper.training.batch;
    this.#training = stepper.training;
    this.#stepper = stepper;
    this.#evaluator = new Evaluator(stepper, metrics);
    this.#onDispose = onDispose;
  }

  /** @internal */
  static async create<M extends AnyMetric>(
    model: Model,
    options: TrainerOptions<M>,
    onDispose: (trainer: Trainer<M>) => void,
  ): Promise<Trainer<M>> {
    const stepper = new Stepper(await createTraining(model, options), options.stepsPerSubmit);
    const trainer = new Trainer(stepper, options.metrics, onDispose);
    try {
      await stepper.prepare();
      model.learnsWith(options.loss.link);
      return trainer;
    } catch (error) {
      trainer.dispose();
      throw error;
    }
  }

  /** The rate of the steps to come; a schedule's starting point. */
  get learningRate(): number {
    return this.#stepper.progress.learningRate;
  }

  set learningRate(learningRate: number) {
    assertOption('Trainer:', { learningRate }, 'a finite number ≥ 0');
    this.#stepper.progress.learningRate = learningRate;
  }

  /** What a step runs, in order. `toString()` is a table. */
  get plan(): Pick<Plan, 'dispatches' | 'memory' | 'toString'> {
    this.#stepper.check();
    // biome-ignore lint/style/noNonNullAssertion: `create` has compiled one
    return this.#stepper.latest!.plan;
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
    this.#replayMinibatch('step', inputs, targets, weights);
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
    const train = prepareFit(this.#stepper, this.#evaluator, dataset, options);
    try {
      return await this.#alone('fit', train);
    } finally {
      this.resume();
    }
  }

  /** Holds `fit` back after the submits in flight, until `resume()`. */
  pause(): void {
    this.#stepper.pace.hold();
  }

  resume(): void {
    this.#stepper.pace.release();
  }

  /**
   * Mean loss and metrics over every sample of a data set; the last partial batch counts as it is.
   * @throws {MlpError} `busy` while `lossSurface` or `checkGradients` has the parameters elsewhere
   */
  async evaluate(dataset: Dataset): Promise<Evaluation<M>> {
    if (this.moving !== undefined) this.#checkIdle('evaluate');
    return await this.#evaluator.evaluate(dataset);
  }

  /** The mean loss of the last step of `step` or `fit`. NaN before the first. */
  async loss(): Promise<number> {
    this.#stepper.check();
    const { latest, latestRows } = this.#stepper;
    return latest === undefined || latestRows === 0 ? Number.NaN : mean(await latest.results.losses.read(), latestRows);
  }

  /** Loss and gradients of a minibatch, in the order of `weights()`. Nothing is updated. */
  async gradients(
    inputs: Uint8Array | Float32Array | ArrayLike<number>,
    targets: ArrayLike<number>,
    weights?: ArrayLike<number>,
  ): Promise<{ loss: number; gradients: Weight[] }> {
    const { samples, feed } = this.#replayMinibatch('gradients', inputs, targets, weights);
    const [flat, perRow] = await Promise.all([feed.gradients.read(), feed.results.losses.read()]);
    return { loss: mean(perRow, samples), gradients: this.#training.model.cut(flat) };
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
    const part = this.#replayMinibatch('gradients', inputs, targets, options.weights);
    return await this.#alone('checkGradients', async () => {
      const { checkGradients } = await import('./inspect/check-gradients.js');
      return await checkGradients(this.#stepper, part, options);
    });
  }

  /**
   * Looks into the network: dead units, histograms of activations and gradients, the gradient's norm, the samples that it
   * gets most wrong. Computes loss and gradients of every batch as training would, and changes nothing.
   * @throws {DataError|ShapeError} if the data set does not fit the model, or is streamed
   */
  async diagnose(dataset: Dataset, options: DiagnoseOptions = {}): Promise<Diagnosis> {
    checkDataset('diagnose', dataset, this.#training.model, this.#training.loss);
    return await this.#alone('diagnose', async () => {
      const { diagnose } = await import('./inspect/diagnose.js');
      return await diagnose(this.#training, dataset, options);
    });
  }

  /**
   * The loss over a slice of the space of parameters, along two random directions that are normalised filter by filter.
   * It evaluates the data set at each of `points`² points, and leaves the parameters as they are; meanwhile they are elsewhere,
   * and reading or writing them is `busy`.
   */
  async lossSurface(dataset: Dataset, options: LossSurfaceOptions = {}): Promise<LossSurface> {
    checkDataset('lossSurface', dataset, this.#training.model, this.#training.loss);
    return await this.#alone('lossSurface', async () => {
      const { lossSurface } = await import('./inspect/diagnose.js');
      return await lossSurface(
        this.#training.model,
        async () => (await this.#evaluator.evaluate(dataset)).loss,
        options,
      );
    });
  }

  /**
   * Everything that training goes on from, bit for bit: parameters, the optimizer's state, the numbers of steps and epochs (which
   * with the model's seed decide the order of samples), and the learning rate. One blob, with its length and CRC-32.
   * Between epochs it may be taken while `fit` runs: in `onEpoch`.
   * @throws {MlpError} `busy` in the middle of an epoch, which could not be gone on with
   */
  async checkpoint(): Promise<Uint8Array<ArrayBuffer>> {
    const { midEpoch } = this.#stepper;
    const progress = { ...this.#stepper.progress };
    this.#stepper.check();
    if (midEpoch) {
      throw new MlpError('busy', 'checkpoint: fit is in the middle of an epoch. Call it in onEpoch, or await fit.');
    }
    if (this.#busy !== 'fit') this.#checkIdle('checkpoint');
    // Of the same moment as the progress: what is queued later, by an epoch that begins meanwhile, changes neither.
    const { device } = this.#training.model;
    const copies = [...keptBy(this.#training)].map(
      async ([name, { buffer, byteLength }]) =>
        [name, new Uint8Array(await device.read(buffer, 0, byteLength))] as const,
    );
    const [{ checkpoint }, ...state] = await Promise.all([import('./checkpoint.js'), ...copies]);
    return checkpoint(this.#training, progress, new Map(state));
  }

  /**
   * Goes back to a checkpoint of this trainer, or of one made in the same way, on this page or another.
   * @throws {FormatError} if it is truncated or has changed, and changes nothing
   * @throws {MlpError} `other-training` if model, loss, optimizer, batch size, clip or penalties were others; `busy` while `fit` runs
   */
  async restore(bytes: Uint8Array | ArrayBuffer): Promise<void> {
    this.#checkIdle('restore');
    const { restore } = await import('./checkpoint.js');
    this.#checkIdle('restore');
    this.#stepper.progress = restore(bytes, this.#training, keptBy(this.#training));
    this.#stepper.latestRows = 0;
  }

  /** Frees what training needs; the model keeps its weights. A second call does nothing. */
  dispose(): void {
    if (this.#stepper.disposed) return;
    this.resume();
    this.#stepper.dispose();
    this.#onDispose(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Checks a minibatch, uploads it and replays the plan for its kind. @returns its samples, and where they went */
  #replayMinibatch(
    what: 'step' | 'gradients',
    inputs: Uint8Array | Float32Array | ArrayLike<number>,
    targets: ArrayLike<number>,
    weights: ArrayLike<number> | undefined,
  ): Part {
    this.#checkIdle(what);
    const part = this.#stepper.upload(what, inputs, targets, weights);
    this.#stepper.replay(what, part, 0, 1);
    return part;
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

  #checkIdle(where: string): void {
    this.#stepper.check();
    if (this.#busy !== undefined) {
      throw new MlpError(
        'busy',
        `${where}: ${this.#busy} is running on this trainer. Await it${this.#busy === 'fit' ? ', or stop it through its signal' : ''}.`,
      );
    }
  }
}
