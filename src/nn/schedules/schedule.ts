import type { Outcome } from './monitor.js';

/** Where training is, when a step begins. */
export interface Position {
  /** Epochs that the trainer has done before, in this `fit` and in others. */
  readonly epoch: number;
  /** Steps of this epoch that are done. */
  readonly step: number;
  /** Steps of this epoch. */
  readonly steps: number;
}

/** Memory of a schedule of the epochs before: plain data. */
export type ScheduleState = Readonly<Record<string, number>>;

/** The course of the learning rate. A value: its spec, plain data, and pure functions. */
export interface Schedule {
  readonly spec: { readonly type: string } & Readonly<Record<string, unknown>>;
  /** The rate of a step. @param base the trainer's learning rate @param state what `observe` returned last */
  rate(base: number, at: Position, state: ScheduleState | undefined): number;
  /** @throws {MlpError} `bad-schedule` if what `observe` looks at is not in an outcome like that */
  check?(outcome: Outcome): void;
  /** After each epoch, what to remember. @param at the first step of the next one */
  observe?(outcome: Outcome, at: Position, state: ScheduleState | undefined): ScheduleState | undefined;
}

/** Memory of a schedule, with its spec: plain data. */
export interface Scheduled {
  readonly spec: Schedule['spec'];
  readonly state: ScheduleState | undefined;
}
