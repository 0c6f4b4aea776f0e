import type { Outcome } from './monitor.js';

/** Position of training at the beginning of a step. */
export interface Position {
  /** Number of epochs that the trainer has completed, in all calls of `fit` since the latest with `restart: true`. */
  readonly epoch: number;
  /** Number of completed steps of the current epoch. */
  readonly step: number;
  /** Number of steps of the current epoch. */
  readonly steps: number;
}

/** State of a schedule, derived from previous epochs: plain data that a checkpoint stores. */
export type ScheduleState = Readonly<Record<string, number>>;

/** A learning-rate schedule: an immutable value of pure functions. */
export interface Schedule {
  /** Type and options of the schedule, with every default filled in: plain data that can be saved as JSON. */
  readonly spec: { readonly type: string } & Readonly<Record<string, unknown>>;
  /**
   * Computes the learning rate of a step.
   * @param base the trainer's learning rate
   * @param at position of the step
   * @param state result of the last call of `observe`; undefined before the first
   */
  rate(base: number, at: Position, state: ScheduleState | undefined): number;
  /**
   * Checks, before training starts, that the results of an epoch include those that `observe` needs. Default: no check.
   * @param outcome results with the names that every epoch will report
   * @throws {MlpError} `bad-schedule` if a result is missing
   */
  check?(outcome: Outcome): void;
  /**
   * Computes the next state after each epoch. Default: no state.
   * @param outcome results of the epoch
   * @param at position of the first step of the next epoch
   * @param state result of the previous call; undefined before the first
   */
  observe?(outcome: Outcome, at: Position, state: ScheduleState | undefined): ScheduleState | undefined;
}

/** State of a schedule, with its spec: plain data. */
export interface Scheduled {
  readonly spec: Schedule['spec'];
  readonly state: ScheduleState | undefined;
}
