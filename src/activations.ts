import { demand } from './check.js';
import { MlpError } from './errors.js';

/** A row of the table: what the library has to know of an activation while it runs. */
export interface ActivationRow {
  /** What the derivative is a function of: the output y = g(z), so that a layer keeps only that, or the pre-activation z. */
  readonly from: 'y' | 'z';
  /** The name and default of the one parameter, if there is one. */
  readonly parameter?: { readonly name: 'alpha' | 'beta'; readonly default: number };
}

/** What users call an activation. */
export type ActivationName =
  | 'linear'
  | 'relu'
  | 'leakyRelu'
  | 'sigmoid'
  | 'tanh'
  | 'elu'
  | 'selu'
  | 'softplus'
  | 'swish'
  | 'gelu';

/** A row's name; gelu's tanh form is a row of its own. */
export type ActivationRowName = ActivationName | 'geluTanh';

/** THE table: every activation, once. What each computes is in `activation-formulas.ts`, which no bundle contains. */
export const activationTable: Readonly<Record<ActivationRowName, ActivationRow>> = {
  linear: { from: 'y' },
  relu: { from: 'y' },
  leakyRelu: { from: 'y', parameter: { name: 'alpha', default: 0.01 } },
  sigmoid: { from: 'y' },
  tanh: { from: 'y' },
  elu: { from: 'y', parameter: { name: 'alpha', default: 1 } },
  selu: { from: 'y' },
  softplus: { from: 'y' },
  swish: { from: 'z', parameter: { name: 'beta', default: 1 } },
  gelu: { from: 'z' },
  geluTanh: { from: 'z' },
};

/** In the table's order: a name's place is the override ACTIVATION. */
export const activationNames = Object.keys(activationTable) as readonly ActivationRowName[];

/** An activation: its name, or an object where a parameter is not the default. */
export type Activation =
  | ActivationName
  | { readonly type: Exclude<ActivationName, 'leakyRelu' | 'elu' | 'swish' | 'gelu'> }
  | { readonly type: 'leakyRelu' | 'elu'; readonly alpha?: number }
  | { readonly type: 'swish'; readonly beta?: number }
  | { readonly type: 'gelu'; readonly approximate?: 'none' | 'tanh' };

/** An activation with every default filled in. */
export interface ResolvedActivation {
  readonly name: ActivationRowName;
  readonly from: ActivationRow['from'];
  /** The override ACTIVATION. */
  readonly index: number;
  /** The parameter, or 0 where there is none: the override ALPHA. */
  readonly alpha: number;
  /** Plain data that gives the same activation again. */
  readonly spec: Activation;
}

/**
 * Looks an activation up.
 * @throws {MlpError} `unknown-activation`, or `bad-activation` for a parameter outside of its range
 */
export function resolveActivation(activation: Activation): ResolvedActivation {
  const given: { readonly type: string; readonly [option: string]: unknown } =
    typeof activation === 'string' ? { type: activation } : activation;
  const { type, approximate = type === 'geluTanh' ? 'tanh' : 'none' } = given;
  const name = (type === 'gelu' && approximate === 'tanh' ? 'geluTanh' : type) as ActivationRowName;
  const index = activationNames.indexOf(name);
  if (index < 0) {
    const known = activationNames.slice(0, -1).join(', ');
    throw new MlpError('unknown-activation', `Activation "${name}" is not known. Known: ${known}.`);
  }
  const { from, parameter } = activationTable[name];
  if (name.startsWith('gelu')) {
    if (approximate !== (name === 'gelu' ? 'none' : 'tanh')) {
      throw new MlpError('bad-activation', `gelu has approximate = ${String(approximate)}; it is "none" or "tanh".`);
    }
    return { name, from, index, alpha: 0, spec: { type: 'gelu', approximate } as Activation };
  }
  if (parameter === undefined) return { name, from, index, alpha: 0, spec: name as ActivationName };
  const alpha = (given[parameter.name] ?? parameter.default) as number;
  // elu's and leakyRelu's derivatives are read off the sign of the output, which a negative α would turn around.
  const range = parameter.name === 'alpha' ? 'a finite number ≥ 0' : 'a finite number';
  demand(`${name} has`, { [parameter.name]: alpha }, range, 'bad-activation');
  return { name, from, index, alpha, spec: { type: name, [parameter.name]: alpha } as Activation };
}
