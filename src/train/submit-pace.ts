/** Records that one submit can have: of steps, or of runs of steps. */
export const STEP_CAPACITY = 64;
/** Steps that a plan takes at once which runs them all in one dispatch; how long they take is measured. */
const RUN_CAPACITY = 4096;
/** Milliseconds that the steps of one submit should take: few on a page that draws, many where nobody looks. */
const VISIBLE_MS = 8;
const HIDDEN_MS = 64;

/** How fast `fit` goes: how many steps make a submit, when the next one may follow, and whether any may. */
export class SubmitPace {
  /** Steps for the next submit. */
  steps = 1;
  /** Until the pause is over, if there is one. */
  pause: Promise<void> | undefined;
  readonly #stepsPerSubmit: number | 'auto';
  #most = 1;
  #inFlight: { readonly done: Promise<unknown>; readonly steps: number } | undefined;
  #lastDone = 0;
  #resume: (() => void) | undefined;

  constructor(stepsPerSubmit: number | 'auto' = 'auto') {
    this.#stepsPerSubmit = stepsPerSubmit;
  }

  /** Begins an epoch. */
  begin({ takesRuns }: { readonly takesRuns: boolean }): void {
    this.steps = this.#stepsPerSubmit === 'auto' ? 1 : this.#stepsPerSubmit;
    this.#most = takesRuns ? RUN_CAPACITY : STEP_CAPACITY;
    this.#inFlight = undefined;
    this.#lastDone = performance.now();
  }

  /** Takes note of a submit, and waits for the one before it. */
  async submitted(steps: number, done: Promise<unknown>): Promise<void> {
    const before = this.#inFlight;
    this.#inFlight = { done, steps };
    if (before === undefined) return;
    await before.done;
    const now = performance.now();
    if (this.#stepsPerSubmit === 'auto') {
      this.steps = nextPace(this.steps, (now - this.#lastDone) / before.steps, this.#most);
    }
    this.#lastDone = now;
  }

  /** Begins a pause, until `release()`. */
  hold(): void {
    this.pause ??= new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  release(): void {
    this.#resume?.();
    this.pause = undefined;
    // How long it took says nothing of the steps.
    this.#lastDone = performance.now();
  }
}

/** Steps for the next submit, from how long one takes; at most doubled, so that one odd sample does little harm. */
function nextPace(pace: number, millisecondsPerStep: number, most: number): number {
  const visible = typeof document !== 'undefined' && document.visibilityState === 'visible';
  const wanted = Math.floor((visible ? VISIBLE_MS : HIDDEN_MS) / Math.max(millisecondsPerStep, 1e-3));
  return Math.max(1, Math.min(wanted, 2 * pace, most));
}
