import { assertOption } from '../base/check.js';
import { Owner } from '../base/owner.js';
import type { Model } from '../model/model.js';
import { checkMode, type Monitor, monitored, type Outcome } from '../nn/schedules/monitor.js';
import { Tensor } from '../plan/tensor.js';

export interface EarlyStoppingOptions extends Monitor {
  /** Epochs in a row without an improvement after which training stops; 5 by default. */
  readonly patience?: number;
  /** What counts as an improvement: more than this. */
  readonly minimumDelta?: number;
  /** Whether the model has the parameters of its best epoch at the end, if no signal stopped `fit`; true by default. */
  readonly restoreBest?: boolean;
}

/**
 * Checks the options, and allocates the copies of the best parameters.
 * @throws {MlpError} `bad-option`, also if an outcome like that does not have what is monitored; `out-of-memory`
 */
export async function earlyStopping(
  model: Model,
  options: EarlyStoppingOptions,
  outcome: Outcome,
): Promise<EarlyStopping> {
  const { monitor = 'validation.loss', mode = 'min', patience = 5, minimumDelta = 0, restoreBest = true } = options;
  assertOption('earlyStopping:', { patience }, 'a positive integer');
  assertOption('earlyStopping:', { minimumDelta }, 'a finite number ≥ 0');
  checkMode('earlyStopping:', mode, 'bad-option');
  monitored('earlyStopping:', outcome, monitor, 'bad-option');
  const copies = new Owner();
  try {
    return await model.device.guarded(
      'earlyStopping',
      () => new EarlyStopping(model, copies, { monitor, mode, patience, minimumDelta, restoreBest }),
    );
  } catch (error) {
    copies.dispose();
    throw error;
  }
}

/** Ends `fit` when a number no longer improves, and keeps the best parameters in a copy on the GPU. */
export class EarlyStopping {
  readonly #options: Required<EarlyStoppingOptions>;
  readonly #copies: Owner;
  readonly #kept: readonly { readonly live: Tensor; readonly copy: Tensor }[];
  #best: number | undefined;
  #bad = 0;

  constructor(model: Model, copies: Owner, options: Required<EarlyStoppingOptions>) {
    this.#copies = copies;
    this.#options = options;
    const kept = options.restoreBest ? [model.flatParameters, model.flatBuffers] : [];
    this.#kept = kept.map((live) => ({
      live,
      copy: copies.own(Tensor.empty(model.device, live.shape, 'best parameters')),
    }));
  }

  /** Looks at an epoch. @returns whether it was one too many */
  observe(outcome: Outcome): boolean {
    const { monitor, mode, patience, minimumDelta } = this.#options;
    const value = monitored('earlyStopping:', outcome, monitor, 'bad-option');
    const best = this.#best ?? (mode === 'min' ? Infinity : -Infinity);
    // A NaN is never an improvement.
    if ((mode === 'min' ? best - value : value - best) > minimumDelta) {
      this.#best = value;
      this.#bad = 0;
      for (const { live, copy } of this.#kept) copy.copyFrom(live);
      return false;
    }
    this.#bad += 1;
    return this.#bad >= patience;
  }

  /** Gives the model the parameters of its best epoch. */
  restore(): void {
    if (this.#best === undefined || this.#bad === 0) return;
    for (const { live, copy } of this.#kept) live.copyFrom(copy);
  }

  dispose(): void {
    this.#copies.dispose();
  }
}
