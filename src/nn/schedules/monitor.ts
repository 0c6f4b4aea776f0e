import { MlpError } from '../../base/errors.js';

/** The results of an epoch, as `fit` reports them. */
export type Outcome = Readonly<Record<string, unknown>>;

/** The number of an epoch that is looked at, and its better direction. */
export interface Monitor {
  /** `loss`, a metric's name, or one of these behind `validation.` */
  readonly monitor?: string;
  /** `min` if less is better, `max` if more is. */
  readonly mode?: 'min' | 'max';
}

/** @throws {MlpError} with the code that is given */
export function checkMode(where: string, mode: unknown, code: string): void {
  if (mode !== 'min' && mode !== 'max') {
    throw new MlpError(code, `${where} mode = "${String(mode)}"; mode must be "min" or "max".`);
  }
}

/** A number that an epoch gave, by its name. @throws {MlpError} with the code that is given, naming those that there are */
export function monitored(where: string, outcome: Outcome, monitor: string, code: string): number {
  const { validation = {} } = outcome;
  const inner = Object.entries(validation as object).map(([name, value]) => [`validation.${name}`, value] as const);
  const numbers = [...Object.entries(outcome), ...inner].filter(([, value]) => typeof value === 'number');
  for (const [name, value] of numbers) if (name === monitor) return value as number;
  throw new MlpError(
    code,
    `${where} monitor = "${monitor}", which an epoch does not give. It gives ${numbers.map(([name]) => name).join(', ')}.`,
  );
}
