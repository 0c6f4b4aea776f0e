import type { Gpu } from 'webgpu-mlp';

/** Progress of a training: the parts of the arguments of `onStep` and `onEpoch` that a progress bar needs. */
export interface Progress {
  readonly epoch: number;
  /** Number of completed steps of this epoch. Default: all of them. */
  readonly step?: number;
  readonly steps: number;
  readonly loss: number;
}

/** Function that is called during training. `what` is the name of the training if an example has several. */
export type Report = (progress: Progress, what?: string) => void;

/** A report that does nothing. */
export const silent: Report = () => {};

/** Options of every example. */
export interface RunOptions {
  readonly gpu: Gpu;
  /** Number of epochs. Default: the example's own number. */
  readonly epochs?: number;
  /** Seed of initial values, the order of samples, and generated data. */
  readonly seed?: number;
  readonly report?: Report;
}
