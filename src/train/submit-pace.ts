/** Maximum number of step records in one submit. A record is of one step, or of a run of steps. */
export const STEP_CAPACITY = 64;
/** Maximum number of steps in one submit of a plan that runs many steps in one dispatch. */
const RUN_CAPACITY = 4096;
/** Target duration of a submit in milliseconds: short on a visible page, which must draw, and long on a hidden one. */
const VISIBLE_MS = 8;
const HIDDEN_MS = 64;

/** The pace of `fit`: the number of steps in a submit, the wait between submits, and the pause. */
export class SubmitPace {
  /** Steps for the next submit. */
  steps = 1;
  /** Resolves at the end of the pause; undefined without a pause. */
  pause: Promise<void> | undefined;
  readonly #stepsPerSubmit: number | 'auto';
  #capacity = 1;
  #inFlight: { readonly done: Promise<unknown>; readonly steps: number } | undefined;
  #lastDone = 0;
  #resume: (() => void) | undefined;

  constructor(stepsPerSubmit: number | 'auto' = 'auto') {
    this.#stepsPerSubmit = stepsPerSubmit;
  }

  /** Begins an epoch. @param plan its `takesRuns` is true if one dispatch can run many steps */
  begin({ takesRuns }: { readonly takesRuns: boolean }): void {
    this.steps = this.#stepsPerSubmit === 'auto' ? 1 : this.#stepsPerSubmit;
    this.#capacity = takesRuns ? RUN_CAPACITY : STEP_CAPACITY;
    this.#inFlight = undefined;
    this.#lastDone = performance.now();
  }

  /** Registers a submit, and waits until the one before is done. With `auto`, chooses the steps of the next one. */
  async submitted(steps: number, done: Promise<unknown>): Promise<void> {
    const before = this.#inFlight;
    this.#inFlight = { done, steps };
    if (before === undefined) return;
    await before.done;
    const now = performance.now();
    if (this.#stepsPerSubmit === 'auto') {
      this.steps = nextPace(this.steps, (now - this.#lastDone) / before.steps, this.#capacity);
    }
    this.#lastDone = now;
  }

  /** Begins a pause, until `release()`. */
  hold(): void {
    this.pause ??= new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  /** Ends the pause. */
  release(): void {
    this.#resume?.();
    this.pause = undefined;
    // The duration of the pause must not count as the duration of steps.
    this.#lastDone = performance.now();
  }
}

/** Steps for the next submit, from the duration of a step. At most doubles, so that one outlier has little effect. */
export function nextPace(pace: number, millisecondsPerStep: number, maximum: number): number {
  const visible = typeof document !== 'undefined' && document.visibilityState === 'visible';
  const wanted = Math.floor((visible ? VISIBLE_MS : HIDDEN_MS) / Math.max(millisecondsPerStep, 1e-3));
  return Math.max(1, Math.min(wanted, 2 * pace, maximum));
}
