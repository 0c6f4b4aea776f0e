import type { Dataset } from '../data/dataset.js';
import type { AnyMetric } from '../nn/metrics/metric.js';
import type { Schedule } from '../nn/schedules/schedule.js';
import type { EarlyStoppingOptions } from './early-stopping.js';
import type { Evaluation } from './evaluate.js';

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
