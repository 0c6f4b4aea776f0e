import { assertWord, describe } from '../../base/check.js';
import { MlpError } from '../../base/errors.js';

/** The results of an epoch, as `fit` reports them in `EpochResult`. */
export type Outcome = Readonly<Record<string, unknown>>;

/** The result of an epoch that a schedule or early stopping monitors, and its better direction. */
export interface Monitor {
  /**
   * Name of the result: `loss` or a metric's name, with the prefix `validation.` for the validation set.
   * Default: `validation.loss`.
   */
  readonly monitor?: string | undefined;
  /** `min` if a smaller result is better, `max` if a larger one is. Default: `min`. */
  readonly mode?: 'min' | 'max' | undefined;
}

/** Checks the mode of a monitor. @throws {MlpError} with the given code, if the mode is not known */
export function checkMode(where: string, mode: unknown, code: string): void {
  assertWord(where, { mode }, ['min', 'max'], code);
}

/**
 * Looks up the result of an epoch by its name.
 * @throws {MlpError} with the given code, if there is no such number; the message names those that there are
 */
export function monitored(where: string, outcome: Outcome, monitor: string, code: string): number {
  const { validation = {} } = outcome;
  const inner = Object.entries(validation as object).map(([name, value]) => [`validation.${name}`, value] as const);
  const numbers = [...Object.entries(outcome), ...inner].filter(([, value]) => typeof value === 'number');
  for (const [name, value] of numbers) if (name === monitor) return value as number;
  throw new MlpError(
    code,
    `${where} monitor = ${typeof monitor === 'string' ? `"${monitor}"` : describe(monitor)}, which an epoch does not give. It gives ${numbers.map(([name]) => name).join(', ')}.`,
  );
}
