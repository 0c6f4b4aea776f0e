import { assertList, assertMethod, assertOption, assertSignal, assertWord, checkBatchSize } from '../base/check.js';
import { DataError, MlpError } from '../base/errors.js';
import { checkOptions, type OptionNames } from '../base/options.js';
import type { Dataset } from '../data/dataset.js';
import type { Regularization } from '../kernels/update.js';
import type { Model } from '../model/model.js';
import { everyLayer } from '../model/placement.js';
import type { Loss } from '../nn/losses/loss.js';
import type { AnyMetric, Task } from '../nn/metrics/metric.js';
import type { Optimizer } from '../nn/optimizers/optimizer.js';
import { checkLink } from '../nn/output.js';
import type { Outcome } from '../nn/schedules/monitor.js';
import type { Schedule } from '../nn/schedules/schedule.js';
import type { Clip } from './clip.js';
import type { EarlyStoppingOptions } from './early-stopping.js';
import type { Ema } from './ema.js';
import { STEP_CAPACITY } from './submit-pace.js';

/**
 * Options of `Mlp.trainer`.
 * @example const trainer = await model.trainer({ loss: softmaxCrossEntropy(), optimizer: adam(), batchSize: 128 });
 */
export interface TrainerOptions<M extends AnyMetric = never> {
  /**
   * The loss to minimise, such as `softmaxCrossEntropy()` for classes or `meanSquaredError()` for values.
   * Example: `loss: softmaxCrossEntropy()`.
   */
  readonly loss: Loss;
  /**
   * The rule that updates the parameters, such as `sgd({ learningRate: 0.1 })` or `adam()`.
   * Example: `optimizer: adam()`.
   */
  readonly optimizer: Optimizer;
  /**
   * Samples in a training step, or with `accumulate` in each of its batches: a positive integer. The last batch of an epoch may have fewer samples; if the data set
   * has fewer, every step takes the whole set.
   * Example: `batchSize: 64`.
   */
  readonly batchSize: number;
  /** Numbers to report beside the loss, such as `[accuracy()]`. Default: none. Example: `metrics: [accuracy()]`. */
  readonly metrics?: readonly M[] | undefined;
  /**
   * Limit for the gradients: on the norm of all gradients together, or on the magnitude of each one. Clipping follows
   * the penalties. Default: no clipping.
   * Example: `clip: { norm: 1 }`.
   */
  readonly clip?: Clip | undefined;
  /**
   * Adds l1·Σ|w| + l2·Σw² to the loss that is minimised; the sums are over all entries of weight matrices. Reported
   * losses and the result of `gradients()` exclude the penalties. Default: no penalties.
   * Example: `penalties: { l2: 1e-4 }`.
   */
  readonly penalties?: Regularization | undefined;
  /**
   * Number of batches in a training step, a positive integer: the step updates once, by the gradient of all their
   * samples, so that a step may have more samples than memory or a dispatch has room for. Loss, gradient, clipping and
   * penalties are those of one batch of accumulate·batchSize samples, also with weights of classes; the last step of an
   * epoch may have fewer. `batchNorm` normalises each batch alone. Steps in a history, in schedules and in `onStep` are
   * updates; `stepsPerSubmit` counts batches. Default: 1.
   * Example: `accumulate: 4`.
   */
  readonly accumulate?: number | undefined;
  /**
   * Keeps an exponential moving average of the parameters, which begins with the parameters after the first step and is
   * updated after each step; `setWeights` and early stopping leave it alone. `averaged()` returns it, and
   * `evaluate(dataset, { weights: 'ema' })` measures it. Default: none.
   * Example: `ema: { decay: 0.999 }`.
   */
  readonly ema?: Ema | undefined;
  /**
   * Training steps that `fit` submits to the device at once: an integer from 1 to 64. `"auto"` measures the duration of
   * a step and chooses the number. Default: `"auto"`.
   * Example: `stepsPerSubmit: 16`.
   */
  readonly stepsPerSubmit?: number | 'auto' | undefined;
}

const TRAINER_NAMES: OptionNames<TrainerOptions> = {
  loss: 1,
  optimizer: 1,
  batchSize: 1,
  metrics: 1,
  clip: 1,
  penalties: 1,
  stepsPerSubmit: 1,
  accumulate: 1,
  ema: 1,
};

/**
 * Options of `Trainer.evaluate`.
 * @example const { loss } = await trainer.evaluate(test, { weights: 'ema' });
 */
export interface EvaluateOptions {
  /**
   * `"ema"` for the averaged parameters of a trainer with the option `ema`; before its first step, they are the model's
   * own. Default: `"model"`.
   * Example: `weights: 'ema'`.
   */
  readonly weights?: 'model' | 'ema' | undefined;
}

/**
 * The mean loss and the metrics over a number of samples. The value of each metric is under the metric's name.
 * @example const { loss, accuracy } = await trainer.evaluate(test);
 */
export type Evaluation<M extends AnyMetric = never> = {
  /** Mean loss of the samples, without penalties; of standardized targets, if the model standardizes them. */
  readonly loss: number;
} & {
  readonly [Each in M as Each['name']]: ReturnType<Each['value']>;
};

/**
 * The result of an epoch of `fit`. Loss and metrics are those of the training batches, each with the parameters that
 * the model had at that step.
 */
export type EpochResult<M extends AnyMetric = never> = Evaluation<M> & {
  /** Number of the epoch in this call of `fit`, from 1. */
  readonly epoch: number;
  /** Training steps in the epoch: ⌈samples / (batchSize·accumulate)⌉. */
  readonly steps: number;
  /** Learning rate of the epoch's last step. */
  readonly learningRate: number;
  /** Duration of the training in seconds, without validation and pauses. */
  readonly seconds: number;
  /** Loss and metrics over the data set `validation` after the epoch; undefined without that option. */
  readonly validation?: Evaluation<M> | undefined;
};

/** The result of `fit`: one entry for each completed epoch, in order. */
export type History<M extends AnyMetric = never> = EpochResult<M>[];

/** The progress of `fit`. Loss and metrics are those of the steps since the previous report. */
export type StepResult<M extends AnyMetric = never> = Evaluation<M> & {
  /** Number of the epoch in this call of `fit`, from 1. */
  readonly epoch: number;
  /** Steps of this epoch that are done. */
  readonly step: number;
  /** Steps in the epoch. */
  readonly steps: number;
  /** Samples trained per second since the previous report. */
  readonly samplesPerSecond: number;
};

/**
 * Options of `Trainer.fit`.
 * @example await trainer.fit(train, { epochs: 20, validation: test, earlyStopping: { patience: 3 } });
 */
export interface FitOptions<M extends AnyMetric = never> {
  /** Number of epochs: an integer ≥ 0. An epoch takes each sample of the data set once. Example: `epochs: 20`. */
  readonly epochs: number;
  /**
   * Data set to evaluate after each epoch; or the share of the samples, in (0, 1), to hold out of training and evaluate
   * on: the first part of `dataset.split(validation, { seed })` with the model's seed, the same in each call of `fit`.
   * Default: none. Example: `validation: 0.2`.
   */
  readonly validation?: Dataset | number | undefined;
  /**
   * True if each epoch takes the samples in a new random order, which depends on the model's seed, by default 0, and on the
   * epoch. Default: true.
   * Example: `shuffle: false`.
   */
  readonly shuffle?: boolean | undefined;
  /**
   * Changes the learning rate from step to step, starting from the trainer's `learningRate`. Default: none, the
   * learning rate stays constant.
   * Example: `schedule: cosine({ epochs: 20 })`.
   */
  readonly schedule?: Schedule | undefined;
  /**
   * True if the schedule begins anew with this call: its first epoch is 0, and its state is forgotten. False if it
   * counts the epochs since the trainer was made, or since the latest restart, so that training that continues, also
   * from a checkpoint, goes on along the schedule. Default: false.
   * Example: `restart: true`.
   */
  readonly restart?: boolean | undefined;
  /**
   * Ends training when a loss or metric no longer improves. The model then gets the parameters of its best epoch,
   * unless `signal` stopped `fit`. Default: none, all epochs run.
   * Example: `earlyStopping: { patience: 5 }`.
   */
  readonly earlyStopping?: EarlyStoppingOptions | undefined;
  /**
   * Stops training within one submit. `fit` then resolves with the epochs that were completed. Default: none.
   * Example: `signal: controller.signal`.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called with the progress inside an epoch, shortly after the device has run the steps. Steps that share a submit
   * share a report. `fit` awaits the function. Default: none.
   * Example: `onStep: ({ loss }) => console.log(loss)`.
   */
  readonly onStep?: ((result: StepResult<M>) => void | Promise<void>) | undefined;
  /**
   * Called after each epoch and its validation. `fit` awaits the function. Default: none.
   * Example: `onEpoch: ({ epoch, loss }) => console.log(epoch, loss)`.
   */
  readonly onEpoch?: ((result: EpochResult<M>) => void | Promise<void>) | undefined;
  /**
   * Reaction to a NaN or an infinity in the loss or in a parameter. Default: `"stop"`.
   * - `"stop"`: rejects with `NotFiniteError`. The parameters are those after the failure, and may not be finite.
   * - `"restore"`: puts back parameters, running statistics, optimizer state and the numbers of steps and epochs of the
   *   latest time when all were known to be finite, then rejects with `NotFiniteError`. That is the end of the latest
   *   epoch, the beginning of `fit`, or an update by others during a pause. Costs one copy of this state in the memory
   *   of the device, and the time to make it once an epoch.
   * - `"ignore"`: continues.
   * Example: `onNotFinite: 'restore'`.
   */
  readonly onNotFinite?: 'stop' | 'restore' | 'ignore' | undefined;
}

/** The most batches of a step: shaders count them in 32 bits. */
const MOST_BATCHES = 2 ** 31;

const FIT_NAMES: OptionNames<FitOptions> = {
  epochs: 1,
  validation: 1,
  shuffle: 1,
  schedule: 1,
  restart: 1,
  earlyStopping: 1,
  signal: 1,
  onStep: 1,
  onEpoch: 1,
  onNotFinite: 1,
};

/**
 * Checks that a model can be trained with these options.
 * @throws {ShapeError|LimitError} if `batchSize` is not a positive integer, or exceeds a limit of the device
 * @throws {MlpError} `bad-option`, `bad-loss`, `bad-metric` or `not-trainable`
 */
export function checkTrainerOptions(model: Model, options: TrainerOptions<AnyMetric>): void {
  const known: TrainerOptions<AnyMetric> = checkOptions('trainer', options, TRAINER_NAMES);
  const { batchSize, loss, optimizer, metrics = [], stepsPerSubmit = 'auto', accumulate = 1 } = known;
  const { ownLink, layers, device } = model;
  assertMethod('trainer: loss', loss, 'record', 'softmaxCrossEntropy()');
  checkLink('trainer: the loss has', loss.link);
  assertMethod('trainer: optimizer', optimizer, 'record', 'sgd({ learningRate: 0.1 })');
  const { learningRate } = optimizer.spec;
  assertOption('trainer: the optimizer has', { learningRate }, 'a finite number >= 0');
  assertList('trainer:', 'metrics', metrics, '[accuracy()]', 'bad-metric');
  for (const metric of metrics) assertMethod('trainer: a metric', metric, 'unfit', 'accuracy()');
  checkBatchSize('trainer:', batchSize, device.info.limits);
  assertOption('trainer:', { accumulate }, 'a positive integer');
  if (accumulate > MOST_BATCHES) {
    throw new MlpError('bad-option', `trainer: accumulate = ${accumulate}; it is ${MOST_BATCHES} at most.`);
  }
  for (const { layer, name } of everyLayer(layers)) {
    if (layer.untrainable === undefined) continue;
    throw new MlpError('not-trainable', `trainer: layer ${name} (${layer.spec.type}) ${layer.untrainable}`);
  }
  if (stepsPerSubmit !== 'auto') {
    assertOption('trainer:', { stepsPerSubmit }, 'a positive integer');
    if (stepsPerSubmit > STEP_CAPACITY) {
      throw new MlpError('bad-option', `trainer: stepsPerSubmit = ${stepsPerSubmit}; it is ${STEP_CAPACITY} at most.`);
    }
  }
  if (model.spec.targets !== undefined && loss.link !== 'identity') {
    throw new MlpError(
      'bad-loss',
      `trainer: the model standardizes its targets, but the loss is ${loss.spec.type}. Use meanSquaredError(), or a model without targets.`,
    );
  }
  // A last activation "sigmoid" goes with any loss except softmax's; "softmax" only with its own loss.
  const isMismatch =
    ownLink !== undefined && ownLink !== loss.link && (ownLink === 'softmax' || loss.link === 'softmax');
  if (isMismatch) {
    const [activation, remedy] =
      ownLink === 'softmax' ? ['softmax', 'softmaxCrossEntropy()'] : ['sigmoid', 'binaryCrossEntropy()'];
    throw new MlpError(
      'bad-loss',
      `trainer: the last layer has activation "${activation}", but the loss is ${loss.spec.type}. Use ${remedy}, or a last layer without it.`,
    );
  }
  const named = new Set<string>();
  for (const metric of metrics) {
    const { name } = metric;
    if (named.has(name)) {
      throw new MlpError(
        'bad-metric',
        `trainer: two metrics are named "${name}". Rename one: { ...metric, name: "other" }.`,
      );
    }
    named.add(name);
    const why = metric.unfit(taskOf(model, loss));
    if (why !== undefined) throw new MlpError('bad-metric', `trainer: ${name} ${why}.`);
  }
}

/**
 * Checks the options of `fit` except its data sets.
 * @param outcome an example of an epoch's result, as schedules observe it
 */
export function checkFitOptions<M extends AnyMetric>(options: FitOptions<M>, outcome: Outcome): void {
  const known: FitOptions<M> = checkOptions('fit', options, FIT_NAMES);
  const { epochs, schedule, shuffle = true, restart = false, onNotFinite = 'stop', ...other } = known;
  const { onStep = noReport, onEpoch = noReport, signal } = other;
  assertOption('fit:', { epochs }, 'an integer >= 0');
  assertOption('fit:', { shuffle, restart }, 'true or false');
  assertOption('fit:', { onStep, onEpoch }, 'a function');
  assertWord('fit:', { onNotFinite }, ['stop', 'restore', 'ignore']);
  assertSignal('fit:', signal);
  if (schedule !== undefined) assertMethod('fit: schedule', schedule, 'rate', `cosine({ epochs: ${epochs} })`);
  else if (restart) throw new MlpError('bad-option', 'fit: restart = true, but there is no schedule. Pass one.');
  schedule?.check?.(outcome);
}

/** Reports to nobody. */
const noReport = (): void => {};

/**
 * Checks the option `validation`, if it is the share of a data set's samples.
 * @throws {MlpError} `bad-option` if it is out of range, or the data set is a stream; `DataError` if a part would be
 * empty
 */
export function checkShare(validation: number, dataset: Dataset): void {
  const { length, source } = dataset;
  const where = `fit: validation = ${validation}`;
  if (!(validation > 0 && validation < 1)) {
    throw new MlpError('bad-option', `${where}; validation must be a Dataset, or a share of the samples in (0, 1).`);
  }
  if (source.read !== undefined) {
    throw new MlpError('bad-option', `${where}, but a stream cannot be split. Pass another Dataset.`);
  }
  const held = Math.round(validation * length);
  if (held === 0 || held === length) {
    throw new DataError(`${where} of ${length} samples leaves a part empty. Pass a share nearer to 1/2.`);
  }
}

/** The task that metrics measure: a model's outputs with the link of its loss. */
export function taskOf({ outputs, spec: { targets } }: Model, { link }: Loss): Task {
  return typeof targets === 'object' ? { outputs, link, targetScale: targets.std } : { outputs, link };
}
