import { assertOption } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import type { Dataset } from '../data/dataset.js';
import type { Use } from '../model/access.js';
import type { Model, Weight } from '../model/model.js';
import type { AnyMetric } from '../nn/metrics/metric.js';
import { verified } from '../plan/device.js';
import type { Plan } from '../plan/plan.js';
import { mean } from './accumulators.js';
import { checkDataset } from './batches.js';
import { Evaluator } from './evaluate.js';
import { prepareFit } from './fit.js';
import type { CheckGradientsOptions, GradientChecks } from './inspect/check-gradients.js';
import type { DiagnoseOptions, Diagnosis } from './inspect/diagnose.js';
import type { LossSurface, LossSurfaceOptions } from './inspect/loss-surface.js';
import type { Evaluation, FitOptions, History, TrainerOptions } from './options.js';
import { Session } from './session.js';

/** Samples of a minibatch on the host, row by row; bytes stay bytes. */
type Inputs = Uint8Array | Float32Array | ArrayLike<number>;

/** A model, a loss and an optimizer, compiled for a batch size: a step replays what was recorded once. */
export class Trainer<M extends AnyMetric = never> {
  readonly batchSize: number;
  readonly #session: Session;
  readonly #evaluator: Evaluator<M>;

  private constructor(session: Session, metrics: readonly M[] | undefined) {
    this.batchSize = session.batch;
    this.#session = session;
    this.#evaluator = new Evaluator(session, metrics);
  }

  /** @internal */
  static async create<M extends AnyMetric>(model: Model, options: TrainerOptions<M>): Promise<Trainer<M>> {
    return new Trainer(await Session.create(model, options), options.metrics);
  }

  /** The rate of the steps to come; a schedule's starting point. */
  get learningRate(): number {
    return this.#session.progress.learningRate;
  }

  set learningRate(learningRate: number) {
    assertOption('Trainer:', { learningRate }, 'a finite number ≥ 0');
    this.#session.progress.learningRate = learningRate;
  }

  /** The dispatches of a step, in order. `toString()` is a table. */
  get plan(): Pick<Plan, 'dispatches' | 'memory' | 'toString'> {
    this.#session.check();
    // biome-ignore lint/style/noNonNullAssertion: `create` has compiled one
    return this.#session.latest!.plan;
  }

  /**
   * Queues one minibatch; there is nothing to wait for.
   * @param inputs at most `batchSize` samples
   * @param targets a class for each sample, or a row of probabilities or values
   * @param weights for each sample a number ≥ 0 that its loss is multiplied by; the mean is over the samples all the same
   * @throws {ShapeError|DataError} before anything is queued
   * @throws {MlpError} `busy` while `fit`, `lossSurface` or `checkGradients` runs on the model
   */
  step(inputs: Inputs, targets: ArrayLike<number>, weights?: ArrayLike<number>): void {
    this.#allow('update', 'step');
    this.#session.minibatch('step', inputs, targets, weights, () => undefined);
  }

  /**
   * Trains for a number of epochs.
   * @returns one entry an epoch
   * @throws {DataError|ShapeError} if the data set does not fit the model, before anything is queued
   * @throws {NotFiniteError} that names the step and the layer
   * @throws {DeviceLostError} within one submit
   */
  async fit(dataset: Dataset, options: FitOptions<M>): Promise<History<M>> {
    this.#allow('update', 'fit');
    const train = prepareFit(this.#session, this.#evaluator, dataset, options);
    try {
      return await this.#during('update', 'fit', train);
    } finally {
      this.resume();
    }
  }

  /**
   * Holds `fit` back after the submits in flight, until `resume()`. Meanwhile other trainers, and the model itself, may do what is
   * `busy` while `fit` runs; what they have begun is awaited before `fit` goes on.
   */
  pause(): void {
    this.#session.pace.hold();
  }

  resume(): void {
    this.#session.pace.release();
  }

  /**
   * Mean loss and metrics over every sample of a data set; the last partial batch counts as it is. May run beside `fit` and `step`.
   * @throws {MlpError} `busy` while `lossSurface` or `checkGradients` has the parameters elsewhere
   */
  async evaluate(dataset: Dataset): Promise<Evaluation<M>> {
    return await this.#during('read', 'evaluate', () => this.#evaluator.evaluate(dataset));
  }

  /** The mean loss of the last step of `step` or `fit`. NaN before the first. */
  async loss(): Promise<number> {
    this.#session.check();
    const { latest, latestRows } = this.#session;
    if (latest === undefined || latestRows === 0) return Number.NaN;
    return mean(await latest.accumulators.losses.read(), latestRows);
  }

  /** Loss and gradients of a minibatch, in the order of `weights()`. Nothing is updated. */
  async gradients(
    inputs: Inputs,
    targets: ArrayLike<number>,
    weights?: ArrayLike<number>,
  ): Promise<{ loss: number; gradients: Weight[] }> {
    this.#allow('read', 'gradients');
    const session = this.#session;
    const reading = session.minibatch('gradients', inputs, targets, weights, async ({ samples, source }) => {
      const [flat, perRow] = await Promise.all([source.gradients.read(), source.accumulators.losses.read()]);
      return { loss: mean(perRow, samples), gradients: session.model.cut(flat) };
    });
    return await verified(reading, (read) => read);
  }

  /**
   * Compares gradients with centred differences of the loss, to see whether a kernel or a layer of one's own is right.
   * @returns a row for each parameter tensor; `toString()` is a table. The parameters are what they were; meanwhile they are
   * elsewhere, and everything else that uses them is `busy`
   */
  async checkGradients(
    inputs: Inputs,
    targets: ArrayLike<number>,
    options: CheckGradientsOptions = {},
  ): Promise<GradientChecks> {
    this.#allow('borrow', 'checkGradients');
    const queued = this.#session.minibatch('gradients', inputs, targets, options.weights, (shard) => shard);
    return await this.#during('borrow', 'checkGradients', async () => {
      const { checkGradients } = await import('./inspect/check-gradients.js');
      const fault = await queued.fault;
      if (fault !== undefined) throw fault;
      return await checkGradients(this.#session, queued.value, options);
    });
  }

  /**
   * Looks into the network: dead units, histograms of activations and gradients, the gradient's norm, the samples that it
   * gets most wrong. Computes loss and gradients of every batch as training would, and changes nothing.
   * @throws {DataError|ShapeError} if the data set does not fit the model, or is streamed
   */
  async diagnose(dataset: Dataset, options: DiagnoseOptions = {}): Promise<Diagnosis> {
    checkDataset('diagnose', dataset, this.#session.model, this.#session.loss);
    return await this.#during('read', 'diagnose', async () => {
      const { diagnose } = await import('./inspect/diagnose.js');
      return await diagnose(this.#session, dataset, options);
    });
  }

  /**
   * The loss over a slice of the space of parameters, along two random directions that are normalised filter by filter.
   * It evaluates the data set at each of `points`² points, and leaves the parameters as they are; meanwhile they are elsewhere,
   * and everything else that uses them is `busy`.
   */
  async lossSurface(dataset: Dataset, options: LossSurfaceOptions = {}): Promise<LossSurface> {
    checkDataset('lossSurface', dataset, this.#session.model, this.#session.loss);
    return await this.#during('borrow', 'lossSurface', async () => {
      const { lossSurface } = await import('./inspect/loss-surface.js');
      const lossOf = async (): Promise<number> => (await this.#evaluator.evaluate(dataset)).loss;
      return await lossSurface(this.#session.model, lossOf, options);
    });
  }

  /**
   * Everything that training goes on from, bit for bit: parameters, the optimizer's state, the numbers of steps and epochs (which
   * with the model's seed decide the order of samples), and the learning rate. One blob, with its length and CRC-32.
   * Between epochs it may be taken while `fit` runs: in `onEpoch`.
   * @throws {MlpError} `busy` in the middle of an epoch, which could not be gone on with
   */
  async checkpoint(): Promise<Uint8Array<ArrayBuffer>> {
    const session = this.#session;
    const progress = { ...session.progress };
    session.check();
    if (session.midEpoch) {
      throw new MlpError('busy', 'checkpoint: fit is in the middle of an epoch. Call it in onEpoch, or await fit.');
    }
    this.#allow('read', 'checkpoint');
    // Of the same moment as the progress: what is queued later, by an epoch that begins meanwhile, changes neither.
    const { device } = session.model;
    const copies = [...session.state].map(
      async ([name, { buffer, byteLength }]) =>
        [name, new Uint8Array(await device.read(buffer, 0, byteLength))] as const,
    );
    const [{ checkpoint }, ...state] = await Promise.all([import('./checkpoint.js'), ...copies]);
    return checkpoint(session, progress, new Map(state));
  }

  /**
   * Goes back to a checkpoint of this trainer, or of one made in the same way, on this page or another.
   * @throws {FormatError} if it is truncated or has changed, and changes nothing
   * @throws {MlpError} `other-training` if model, loss, optimizer, batch size, clip or penalties were others; `busy` while `fit` runs
   */
  async restore(bytes: Uint8Array | ArrayBuffer): Promise<void> {
    this.#allow('update', 'restore');
    const { restore } = await import('./checkpoint.js');
    this.#allow('update', 'restore');
    this.#session.progress = restore(bytes, this.#session);
    this.#session.latestRows = 0;
  }

  /** Frees what training needs; the model keeps its weights. A second call does nothing. */
  dispose(): void {
    this.#session.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @throws {DisposedError|DeviceLostError|MlpError} if the session is over, or the model is `busy` */
  #allow(use: Use, what: string): void {
    this.#session.check();
    this.#session.model.access.check(use, what, this.#session);
  }

  /** Uses the model while `work` runs. What few apps need is loaded in `work`. */
  async #during<T>(use: Use, what: string, work: () => Promise<T>): Promise<T> {
    this.#session.check();
    return await this.#session.model.access.during(use, what, work, this.#session);
  }
}
