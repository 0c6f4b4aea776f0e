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
