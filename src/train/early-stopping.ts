import { assertOption } from '../base/check.js';
import { type Complete, checkOptions, type OptionNames } from '../base/options.js';
import { Owner } from '../base/owner.js';
import type { Model } from '../model/model.js';
import { checkMode, type Monitor, monitored, type Outcome } from '../nn/schedules/monitor.js';
import { Tensor } from '../plan/tensor.js';

/**
 * Options of early stopping: training ends when `monitor` has not improved for `patience` epochs. By default `monitor`
 * is `"validation.loss"`, which needs the option `validation` of `fit`, and `mode` is `"min"`.
 * @example await trainer.fit(train, { epochs: 100, validation: test, earlyStopping: { patience: 3 } });
 */
export interface EarlyStoppingOptions extends Monitor {
  /**
   * Consecutive epochs without an improvement after which training stops: a positive integer. Default: 5.
   * Example: `patience: 5`.
   */
  readonly patience?: number | undefined;
  /**
   * A change counts as an improvement if it is larger than this number ≥ 0. Default: 0.
   * Example: `minimumDelta: 0.001`.
   */
  readonly minimumDelta?: number | undefined;
  /**
   * True if the model gets the parameters of its best epoch at the end of `fit`, unless `signal` stopped `fit`. If others
   * update the parameters during a pause, such as `setWeights`, epochs before do not count any more. Default: true.
   * Example: `restoreBest: false`.
   */
  readonly restoreBest?: boolean | undefined;
}

const NAMES: OptionNames<EarlyStoppingOptions> = {
  monitor: 1,
  mode: 1,
  patience: 1,
  minimumDelta: 1,
  restoreBest: 1,
};

/**
 * Checks the options, and allocates memory for a copy of the best parameters.
 * @param outcome an example of an epoch's result
 * @throws {MlpError} `bad-option` if an option is out of range, or `outcome` has no number `monitor`; `out-of-memory`
 */
export async function earlyStopping(
  model: Model,
  options: EarlyStoppingOptions,
  outcome: Outcome,
): Promise<EarlyStopping> {
  const known = checkOptions('earlyStopping', options, NAMES);
  const { monitor = 'validation.loss', mode = 'min', patience = 5, minimumDelta = 0, restoreBest = true } = known;
  assertOption('earlyStopping:', { patience }, 'a positive integer');
  assertOption('earlyStopping:', { minimumDelta }, 'a finite number >= 0');
  assertOption('earlyStopping:', { restoreBest }, 'true or false');
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

/** Tells `fit` when a number no longer improves, and keeps a copy of the best parameters on the device. */
export class EarlyStopping {
  readonly #options: Complete<EarlyStoppingOptions>;
  readonly #copies: Owner;
  readonly #kept: readonly { readonly live: Tensor; readonly copy: Tensor }[];
  #best: number | undefined;
  /** Consecutive epochs without an improvement. */
  #unimproved = 0;

  constructor(model: Model, copies: Owner, options: Complete<EarlyStoppingOptions>) {
    this.#copies = copies;
    this.#options = options;
    const kept = options.restoreBest ? [model.flatParameters, model.flatBuffers] : [];
    this.#kept = kept.map((live) => ({
      live,
      copy: copies.own(Tensor.empty(model.device, live.shape, 'best parameters')),
    }));
  }

  /** Compares the result of an epoch with the best so far. @returns true if training must stop */
  observe(outcome: Outcome): boolean {
    const { monitor, mode, patience, minimumDelta } = this.#options;
    const value = monitored('earlyStopping:', outcome, monitor, 'bad-option');
    const best = this.#best ?? (mode === 'min' ? Infinity : -Infinity);
    // NaN is never an improvement.
    if ((mode === 'min' ? best - value : value - best) > minimumDelta) {
      this.#best = value;
      this.#unimproved = 0;
      for (const { live, copy } of this.#kept) copy.copyFrom(live);
      return false;
    }
    this.#unimproved += 1;
    return this.#unimproved >= patience;
  }

  /** Forgets all epochs so far, whose parameters others have replaced. */
  forget(): void {
    this.#best = undefined;
    this.#unimproved = 0;
  }

  /** Gives the model the parameters of its best epoch. */
  restore(): void {
    if (this.#best === undefined || this.#unimproved === 0) return;
    for (const { live, copy } of this.#kept) live.copyFrom(copy);
  }

  dispose(): void {
    this.#copies.dispose();
  }
}
