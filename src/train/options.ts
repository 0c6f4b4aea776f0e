import { assertMethod, assertOption, checkBatchSize } from '../base/check.js';
import { DataError, MlpError } from '../base/errors.js';
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
import { STEP_CAPACITY } from './submit-pace.js';

/** Options of `Mlp.trainer`. */
export interface TrainerOptions<M extends AnyMetric = never> {
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** Rows of a step. The last batch of an epoch may have fewer; it counts as it is. */
  readonly batchSize: number;
  readonly metrics?: readonly M[];
  /** Limits the gradients' norm, of all parameters together, or each gradient by itself; after the penalties. */
  readonly clip?: Clip;
  /** Adds l1·Σ|w| + l2·Σw² to what is learned, over weight matrices; reported losses and `gradients` are without it. */
  readonly penalties?: Regularization;
  /** Steps that go to the device at once; `auto` measures how long a step takes. */
  readonly stepsPerSubmit?: number | 'auto';
}

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

/** The result of `fit`: one entry an epoch. */
export type History<M extends AnyMetric = never> = EpochResult<M>[];

/** The progress of `fit`: mean loss and metrics of the steps since the report before. */
export type StepResult<M extends AnyMetric = never> = Evaluation<M> & {
  readonly epoch: number;
  /** Steps of this epoch that are done. */
  readonly step: number;
  /** Steps of an epoch. */
  readonly steps: number;
  readonly samplesPerSecond: number;
};

/** Options of `Trainer.fit`. */
export interface FitOptions<M extends AnyMetric = never> {
  readonly epochs: number;
  /** Evaluated after each epoch. */
  readonly validation?: Dataset;
  /** True (by default) if each epoch takes the samples in an order of its own, decided by the model's seed. */
  readonly shuffle?: boolean;
  /** Moves the learning rate, from the trainer's `learningRate` on; without one it stays. */
  readonly schedule?: Schedule;
  /** Ends training when a number no longer improves; the model then has the parameters of its best epoch, unless `signal` stopped it. */
  readonly earlyStopping?: EarlyStoppingOptions;
  /** Stops within one submit; `fit` then resolves with the epochs that were completed. */
  readonly signal?: AbortSignal;
  /** Called as results come back, a little behind the device; not for every step when several share a submit. */
  readonly onStep?: (result: StepResult<M>) => void | Promise<void>;
  readonly onEpoch?: (result: EpochResult<M>) => void | Promise<void>;
  /** The answer to a NaN or an infinity in the loss or a parameter: reject with `NotFiniteError`, or nothing. */
  readonly onNotFinite?: 'stop' | 'ignore';
}

/** Checks that a model can be trained like that. @throws {ShapeError|LimitError|MlpError} also `bad-loss` and `bad-metric` */
export function checkTrainerOptions(
  model: Model,
  { batchSize, loss, optimizer, metrics = [], stepsPerSubmit = 'auto' }: TrainerOptions<AnyMetric>,
): void {
  const { ownLink, layers, device } = model;
  assertMethod('trainer: loss', loss, 'record', 'softmaxCrossEntropy()');
  checkLink('trainer: the loss has', loss.link);
  assertMethod('trainer: optimizer', optimizer, 'record', 'sgd({ learningRate: 0.1 })');
  const { learningRate } = optimizer.spec;
  assertOption('trainer: the optimizer has', { learningRate }, 'a finite number ≥ 0');
  for (const metric of metrics) assertMethod('trainer: a metric', metric, 'unfit', 'accuracy()');
  checkBatchSize('trainer:', batchSize, device.info.limits);
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

/** Checks the options of `fit`, but for its data sets. @param outcome an epoch's numbers, as a schedule will see them */
export function checkFitOptions<M extends AnyMetric>({ epochs, schedule }: FitOptions<M>, outcome: Outcome): void {
  assertOption('fit:', { epochs }, 'an integer ≥ 0');
  if (schedule !== undefined) assertMethod('fit: schedule', schedule, 'rate', `cosine({ epochs: ${epochs} })`);
  schedule?.check?.(outcome);
}

/** Checks that an epoch has a whole batch. @throws {DataError} */
export function checkEpochLength(samples: number, batch: number): void {
  if (samples >= batch) return;
  throw new DataError(
    `fit: batchSize = ${batch}, but the data set has ${samples} samples. Make a trainer with a batchSize of at most ${samples}.`,
  );
}

/** The task that metrics measure. */
export function taskOf({ outputs }: Model, { link }: Loss): Task {
  return { outputs, link };
}
