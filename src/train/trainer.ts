import type { ByteSource } from '../base/bytes.js';
import { assertMade, assertOption, describe } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import { checkOptions, type OptionNames } from '../base/options.js';
import type { Numbers } from '../base/values.js';
import type { Dataset } from '../data/dataset.js';
import type { Inputs, Targets } from '../data/minibatch.js';
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
import type { EvaluateOptions, Evaluation, FitOptions, History, TrainerOptions } from './options.js';
import { Session } from './session.js';

const EVALUATE_NAMES: OptionNames<EvaluateOptions> = { weights: 1 };

/**
 * Trains a model with a loss and an optimizer. The training step is compiled once for a batch size; each step replays
 * the compiled plan. `Mlp.trainer` makes a trainer.
 * @example
 * const trainer = await model.trainer({ loss: softmaxCrossEntropy(), optimizer: adam(), batchSize: 128 });
 * const history = await trainer.fit(train, { epochs: 5, validation: test });
 */
export class Trainer<M extends AnyMetric = never> {
  /** Samples in a training step. Minibatches may have fewer. */
  readonly batchSize: number;
  readonly #session: Session;
  readonly #evaluator: Evaluator<M>;

  private constructor(session: Session, metrics: readonly M[] | undefined) {
    assertMade('Trainer', session, 'inTurn', 'await model.trainer({ loss, optimizer, batchSize })');
    this.batchSize = session.batch;
    this.#session = session;
    this.#evaluator = new Evaluator(session, metrics);
  }

  /** @internal */
  static async create<M extends AnyMetric>(model: Model, options: TrainerOptions<M>): Promise<Trainer<M>> {
    return new Trainer(await Session.create(model, options), options.metrics);
  }

  /**
   * Learning rate of the steps to come: a finite number ≥ 0, at first the optimizer's. A schedule of `fit` starts from
   * this rate.
   * @example trainer.learningRate = 0.01;
   */
  get learningRate(): number {
    return this.#session.progress.learningRate;
  }

  /** Changes the learning rate of the steps to come. @throws {MlpError} `bad-option` if it is negative or not finite */
  set learningRate(learningRate: number) {
    assertOption('Trainer:', { learningRate }, 'a finite number >= 0');
    this.#session.progress.learningRate = learningRate;
  }

  /**
   * The plan of the latest training step: its dispatches in order, and its memory. `toString()` gives a table.
   * @throws {DisposedError} after `dispose()`
   * @example console.log(`${trainer.plan}`);
   */
  get plan(): Pick<Plan, 'dispatches' | 'memory' | 'toString'> {
    this.#session.check();
    const { latest, accumulation } = this.#session;
    // biome-ignore lint/style/noNonNullAssertion: `create` has compiled one
    const { plan } = latest!;
    return accumulation?.planOf(plan) ?? plan;
  }

  /**
   * Queues one training step on a minibatch. `loss()` reads the result. The step is queued when `step` returns: calls
   * that follow come after it, awaited or not. Await the promise before the next step, so that the memory for minibatches
   * that the GPU has not used stays bounded. It costs no round trip: the promise resolves at once, unless the GPU is some
   * dozen steps behind. A trainer whose steps pile up because nobody awaits them warns once.
   * @param inputs (samples, inputs), flat or nested: at most `batchSize` samples, or
   * accumulate·batchSize, raw; the model normalises them
   * @param targets (samples): the class of each sample, an index or a boolean; or (samples, outputs), flat or nested:
   * probabilities or values
   * @param weights (samples): factors ≥ 0 for the loss of each sample; the sum is still divided by the number of
   * samples. Default: 1 for each sample
   * @returns resolves when there is room for another step
   * @throws {ShapeError|DataError} if the arrays do not fit the model or each other; nothing is queued
   * @throws {MlpError} `busy` while `fit`, `lossSurface` or `checkGradients` runs on the model; `out-of-memory` if the
   * device has no memory for the first step on this kind of data
   * @throws {DisposedError|DeviceLostError} if the trainer is or becomes disposed, or the device is or becomes lost
   * @example for (const { images, labels } of batches) await trainer.step(images, labels);
   */
  step(inputs: Inputs, targets: Targets, weights?: Numbers): Promise<void> {
    // Not `async`: steps that wait for room share one promise, so that disposal rejects it once, or, unawaited, silently.
    try {
      this.#allow('update', 'step');
      return this.#session.step(inputs, targets, weights);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Trains for a number of epochs. Learning continues from the current parameters and optimizer state.
   * @returns one entry for each completed epoch
   * @throws {DataError|ShapeError} if a data set does not fit the model; nothing is queued
   * @throws {MlpError} `bad-option` or `bad-schedule` for an option out of range; `busy` while another `fit`,
   * `lossSurface` or `checkGradients` runs on the model; `out-of-memory`
   * @throws {NotFiniteError} if the loss or a parameter becomes NaN or infinite; names the step and the layer
   * @throws {DisposedError|DeviceLostError} if the trainer is disposed or the device is lost, within one submit
   * @example const history = await trainer.fit(train, { epochs: 5, onEpoch: ({ loss }) => console.log(loss) });
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
   * Pauses `fit` after the submits in flight, until `resume()`. During the pause the model and its other trainers
   * accept calls that are `busy` while `fit` runs. After the pause `fit` waits for such calls to finish.
   * @example trainer.pause();
   */
  pause(): void {
    this.#session.pace.hold();
  }

  /**
   * Ends a pause. Without a pause, does nothing.
   * @example trainer.resume();
   */
  resume(): void {
    this.#session.pace.release();
  }

  /**
   * Computes the mean loss and the metrics over all samples of a data set. Dropout is off. May run while `fit` runs.
   * @returns `loss`, and the value of each metric under the metric's name
   * @throws {DataError|ShapeError} if the data set does not fit the model
   * @throws {MlpError} `bad-option` if `weights` is not known, or is "ema" without that option; `busy` while `lossSurface` or `checkGradients` runs on the model; `out-of-memory`
   * @throws {DisposedError|DeviceLostError} if the trainer or the data set is disposed, or the device is lost
   * @example const { loss, accuracy } = await trainer.evaluate(test);
   */
  async evaluate(dataset: Dataset, options: EvaluateOptions = {}): Promise<Evaluation<M>> {
    const { weights = 'model' } = checkOptions('evaluate', options, EVALUATE_NAMES);
    const isKnown = weights === 'model' || (weights === 'ema' && this.#session.average !== undefined);
    if (!isKnown) {
      const why =
        weights === 'ema'
          ? 'this trainer has no averages; make it with { ema: { decay: 0.999 } }'
          : 'it must be "model" or "ema"';
      throw new MlpError('bad-option', `evaluate: weights = ${describe(weights)}; ${why}.`);
    }
    return await this.#during('read', 'evaluate', () => this.#evaluator.evaluate(dataset, weights === 'ema'));
  }

  /**
   * Copies the averaged parameters of a trainer with the option `ema` to the host, in the form of `Mlp.weights()`. Frozen
   * parameters and running statistics are those of the model, and so is everything before the first step.
   * @throws {MlpError} `bad-option` if the trainer has no averages; `busy` while `lossSurface` or `checkGradients` runs on
   * the model
   * @throws {DisposedError|DeviceLostError} if the trainer is disposed, or the device is lost
   * @example model.setWeights(await trainer.averaged());
   */
  async averaged(): Promise<Weight[]> {
    this.#allow('read', 'averaged');
    const { average, model, progress } = this.#session;
    if (average === undefined) {
      throw new MlpError(
        'bad-option',
        'averaged: this trainer has no averages. Make it with { ema: { decay: 0.999 } }.',
      );
    }
    return await model.weights(progress.steps > 0 ? average.values : undefined);
  }

  /**
   * Reads the mean loss of the latest training step, of `step` or `fit`. The loss excludes penalties.
   * @returns NaN if no step has run since the trainer was made or restored
   * @throws {DisposedError|DeviceLostError} if the trainer is disposed, or the device is lost
   * @example const loss = await trainer.loss();
   */
  async loss(): Promise<number> {
    this.#session.check();
    const { latest, latestRows } = this.#session;
    if (latest === undefined || latestRows === 0) return Number.NaN;
    const { losses } = this.#session.accumulation ?? latest.accumulators;
    return mean(await losses.read(), latestRows);
  }

  /**
   * Computes the mean loss of a minibatch and ∂loss/∂parameter for each parameter, without penalties and clipping.
   * Dropout and batch normalisation act as in training. Changes nothing. Takes the same arguments as `step`.
   * @throws {ShapeError|DataError} if the arrays do not fit the model or each other; nothing is queued
   * @throws {MlpError} `busy` while `lossSurface` or `checkGradients` runs on the model; `out-of-memory`
   * @throws {DisposedError|DeviceLostError} if the trainer is disposed, or the device is lost
   * @example const { loss, gradients } = await trainer.gradients(images, labels);
   */
  async gradients(
    inputs: Inputs,
    targets: Targets,
    weights?: Numbers,
  ): Promise<{
    /** Mean loss of the minibatch. */
    loss: number;
    /** ∂loss/∂parameter, with the names, shapes and order of `Mlp.weights()`; running statistics are left out. */
    gradients: Weight[];
  }> {
    this.#allow('read', 'gradients');
    const session = this.#session;
    const reading = session.minibatch('gradients', [inputs, targets, weights], async ({ samples, source }) => {
      const [flat, perRow] = await Promise.all([source.gradients.read(), source.accumulators.losses.read()]);
      return { loss: mean(perRow, samples), gradients: session.model.cut(flat) };
    });
    return await verified(reading, (read) => read);
  }

  /**
   * Compares the gradients of a minibatch with centred differences of the loss. Use it to test a kernel or a layer of
   * your own. The check moves the parameters and puts them back at the end; other calls that use the model are `busy`
   * until then.
   * @param inputs (samples, inputs), as `step` takes them
   * @param targets as `step` takes them
   * @returns one row for each parameter tensor; `toString()` gives a table
   * @throws {ShapeError|DataError} if the arrays do not fit the model or each other
   * @throws {MlpError} `bad-option` or `bad-seed` for an option out of range; `busy` while anything else uses the
   * model; `out-of-memory`
   * @throws {DisposedError|DeviceLostError} if the trainer is disposed, or the device is lost
   * @example console.log(`${await trainer.checkGradients(images, labels)}`);
   */
  async checkGradients(inputs: Inputs, targets: Targets, options: CheckGradientsOptions = {}): Promise<GradientChecks> {
    this.#allow('borrow', 'checkGradients');
    const queued = this.#session.minibatch('gradients', [inputs, targets, options?.weights], (shard) => shard);
    return await this.#during('borrow', 'checkGradients', async () => {
      const { checkGradients } = await import('./inspect/check-gradients.js');
      const fault = await queued.fault;
      if (fault !== undefined) throw fault;
      return await checkGradients(this.#session, queued.value, options);
    });
  }

  /**
   * Examines the network on a data set: dead units, histograms of activations and gradients, the norm of the gradient,
   * and the samples with the largest losses. Computes loss and gradients of each batch as training does, and changes
   * nothing.
   * @returns `toString()` gives a table
   * @throws {DataError|ShapeError} if the data set does not fit the model, or is streamed
   * @throws {MlpError} `bad-option` for an option out of range; `busy` while `lossSurface` or `checkGradients` runs on
   * the model; `out-of-memory`
   * @throws {DisposedError|DeviceLostError} if the trainer or the data set is disposed, or the device is lost
   * @example console.log(`${await trainer.diagnose(test)}`);
   */
  async diagnose(dataset: Dataset, options: DiagnoseOptions = {}): Promise<Diagnosis> {
    checkDataset('diagnose', dataset, this.#session.model, this.#session.loss);
    return await this.#during('read', 'diagnose', async () => {
      const { diagnose } = await import('./inspect/diagnose.js');
      return await diagnose(this.#session, dataset, options);
    });
  }

  /**
   * Computes the loss on a plane through the parameters, along two random directions. In each direction, the incoming
   * weights of each unit move in proportion to their norm (filter normalisation). Evaluates the data set at `points`²
   * points. The parameters are put back at the end; other calls that use the model are `busy` until then.
   * @throws {DataError|ShapeError} if the data set does not fit the model
   * @throws {MlpError} `bad-option` or `bad-seed` for an option out of range; `busy` while anything else uses the
   * model; `out-of-memory`
   * @throws {DisposedError|DeviceLostError} if the trainer or the data set is disposed, or the device is lost
   * @throws the reason of `signal`, if that is aborted
   * @example const { x, y, loss } = await trainer.lossSurface(test, { points: 11 });
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
   * Saves the state of the training: parameters, optimizer state, numbers of steps and epochs, learning rate, and the
   * state of the schedule. Training that continues from a checkpoint computes the same bits as training that never
   * stopped: the seed of the model and the number of the epoch decide the order of the samples. While `fit` runs, call
   * it in `onEpoch`.
   * @returns one block of bytes, with its length and its CRC-32
   * @throws {MlpError} `busy` in the middle of an epoch, and while `lossSurface` or `checkGradients` runs on the model
   * @throws {DisposedError|DeviceLostError} if the trainer is disposed, or the device is lost
   * @example const bytes = await trainer.checkpoint();
   */
  async checkpoint(): Promise<Uint8Array<ArrayBuffer>> {
    const session = this.#session;
    const progress = { ...session.progress };
    session.check();
    if (session.midEpoch) {
      throw new MlpError('busy', 'checkpoint: fit is in the middle of an epoch. Call it in onEpoch, or await fit.');
    }
    this.#allow('read', 'checkpoint');
    // The copies are of the same moment as `progress`: steps that are queued from now on do not change them.
    const { device } = session.model;
    const copies = [...session.state].map(
      async ([name, { buffer, byteLength }]) =>
        [name, new Uint8Array(await device.read(buffer, 0, byteLength))] as const,
    );
    const [{ checkpoint }, ...state] = await Promise.all([import('./checkpoint.js'), ...copies]);
    return checkpoint(session, progress, new Map(state));
  }

  /**
   * Restores a checkpoint of this trainer, or of a trainer that was made with the same options, also on another page.
   * If it throws, nothing has changed.
   * @param source the bytes of the checkpoint, or their URL
   * @throws {FormatError} if the bytes are not a checkpoint, are truncated, or have been changed
   * @throws {MlpError} `other-training` if the model, loss, optimizer, batch size, clip or penalties differ; `busy`
   * while `fit`, `lossSurface` or `checkGradients` runs on the model
   * @throws {DisposedError|DeviceLostError} if the trainer is disposed, or the device is lost
   * @example await trainer.restore(bytes);
   */
  async restore(source: ByteSource): Promise<void> {
    this.#allow('update', 'restore');
    const { restore, bytesOf } = await import('./checkpoint.js');
    const bytes = await bytesOf('restore: the checkpoint', source);
    this.#allow('update', 'restore');
    this.#session.progress = restore(bytes, this.#session);
    this.#session.latestRows = 0;
  }

  /**
   * Frees the memory of the trainer. The model keeps its parameters. A second call does nothing.
   * @example trainer.dispose();
   */
  dispose(): void {
    this.#session.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal Vue reads it: `ref()` and `reactive()` then make no proxy, which could not reach the private members. */
  get __v_skip(): true {
    return true;
  }

  /**
   * @throws {DisposedError|DeviceLostError|MlpError} if the trainer is disposed, the device is lost, or the model is
   * `busy`
   */
  #allow(use: Use, what: string): void {
    this.#session.check();
    this.#session.model.access.check(use, what, this.#session);
  }

  /** Registers a use of the model for as long as `work` runs. `work` may load modules that few apps need. */
  async #during<T>(use: Use, what: string, work: () => Promise<T>): Promise<T> {
    this.#session.check();
    return await this.#session.model.access.during(use, what, work, this.#session);
  }
}
