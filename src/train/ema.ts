import { assertOption } from '../base/check.js';
import { checkOptions, type OptionNames } from '../base/options.js';
import { runningAverage } from '../kernels/running-average.js';
import type { Model } from '../model/model.js';
import type { PlanBuilder } from '../plan/builder.js';
import { PER_STEP } from '../plan/dispatch.js';
import { Tensor } from '../plan/tensor.js';

/**
 * An exponential moving average (EMA) of the parameters.
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 128, ema: { decay: 0.999 } });
 */
export interface Ema {
  /** Weight of the average before a step, in [0, 1): average ← decay·average + (1 − decay)·parameter. Default: 0.999. */
  readonly decay?: number | undefined;
}

const NAMES: OptionNames<Ema> = { decay: 1 };

/** The averaged parameters of a session. */
export class AveragedParameters {
  readonly decay: number;
  /** The averages, laid out as the model's parameters. They begin with the parameters after the first step. */
  readonly values: Tensor;
  readonly #parameters: Tensor;

  /** @throws {MlpError} `bad-option`; nothing is allocated */
  constructor({ device, flatParameters }: Model, ema: Ema | undefined) {
    const { decay = 0.999 } = checkOptions('trainer: ema', ema, NAMES);
    assertOption('trainer: ema with', { decay }, 'a number in [0, 1)');
    this.decay = decay;
    this.#parameters = flatParameters;
    this.values = Tensor.empty(device, flatParameters.shape, 'ema');
  }

  /** Records the dispatch that follows the update of the parameters. */
  record(plan: PlanBuilder): void {
    plan.add(runningAverage(this.#parameters, this.values, 1 - this.decay, PER_STEP));
  }

  dispose(): void {
    this.values.dispose();
  }
}
