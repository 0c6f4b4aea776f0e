import type { Gpu } from 'webgpu-mlp';

/** Where a training is: what `fit` tells `onStep` and `onEpoch`, as far as a progress bar needs it. */
export interface Progress {
  readonly epoch: number;
  /** Steps of this epoch that are done; all of them unless it says otherwise. */
  readonly step?: number;
  readonly steps: number;
  readonly loss: number;
}

/** Told now and then while an example trains; `what` names the training where there are several. */
export type Report = (progress: Progress, what?: string) => void;

/** For whoever does not want to be told. */
export const silent: Report = () => {};

/** What every example can be told. */
export interface RunOptions {
  readonly gpu: Gpu;
  /** How often to go through the samples; else as often as the example says. */
  readonly epochs?: number;
  /** Decides initial values, the order of the samples, and data that are made up. */
  readonly seed?: number;
  readonly report?: Report;
}
