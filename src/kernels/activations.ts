import { assertOption } from '../base/check.js';
import { MlpError } from '../base/errors.js';

/** A row of the table: what the library has to know of an activation while it runs. */
export interface ActivationRow {
  /** The argument of the derivative: the output y = g(z), so that a layer keeps only that, or the pre-activation z. */
  readonly from: 'y' | 'z';
  /** The one parameter, if there is one: its name, its default, and whether training changes it. */
  readonly parameter?: {
    readonly name: 'alpha' | 'beta' | 'omega';
    readonly default: number;
    readonly learned?: 'always' | 'if asked';
  };
  /** Its derivative is 0 wherever there is one, so that nothing below it would learn. */
  readonly untrainable?: true;
}

/** The name of an activation in options. */
export type ActivationName =
  | 'linear'
  | 'relu'
  | 'leakyRelu'
  | 'prelu'
  | 'sigmoid'
  | 'tanh'
  | 'elu'
  | 'selu'
  | 'softplus'
  | 'swish'
  | 'gelu'
  | 'abs'
  | 'sine'
  | 'step'
  | 'softsign';

/** A row's name; gelu's tanh form is a row of its own. */
export type ActivationRowName = ActivationName | 'geluTanh';

/** THE table: every activation, once. What each computes is in `shaders/activations.ts`, which no bundle contains. */
export const activationTable: Readonly<Record<ActivationRowName, ActivationRow>> = {
  linear: { from: 'y' },
  relu: { from: 'y' },
  leakyRelu: { from: 'y', parameter: { name: 'alpha', default: 0.01 } },
  prelu: { from: 'z', parameter: { name: 'alpha', default: 0.25, learned: 'always' } },
  sigmoid: { from: 'y' },
  tanh: { from: 'y' },
  elu: { from: 'y', parameter: { name: 'alpha', default: 1 } },
  selu: { from: 'y' },
  softplus: { from: 'y' },
  swish: { from: 'z', parameter: { name: 'beta', default: 1, learned: 'if asked' } },
  gelu: { from: 'z' },
  geluTanh: { from: 'z' },
  abs: { from: 'z' },
  sine: { from: 'z', parameter: { name: 'omega', default: 1 } },
  step: { from: 'y', untrainable: true },
  softsign: { from: 'y' },
};

/** In the table's order: a name's place is the override ACTIVATION. */
export const activationNames = Object.keys(activationTable) as readonly ActivationRowName[];

/** The units that have a learned parameter in common. */
export type Sharing = 'unit' | 'layer';

/** An activation: its name, or an object where a parameter is not the default. A learned parameter begins as it says. */
export type Activation =
  | ActivationName
  | { readonly type: Exclude<ActivationName, 'leakyRelu' | 'prelu' | 'elu' | 'swish' | 'gelu' | 'sine'> }
  | { readonly type: 'leakyRelu' | 'elu'; readonly alpha?: number }
  | { readonly type: 'prelu'; readonly alpha?: number; readonly per?: Sharing }
  | { readonly type: 'swish'; readonly beta?: number; readonly learned?: boolean; readonly per?: Sharing }
  | { readonly type: 'gelu'; readonly approximate?: 'none' | 'tanh' }
  | { readonly type: 'sine'; readonly omega?: number };

/** An activation with every default filled in. */
export interface ResolvedActivation {
  readonly name: ActivationRowName;
  readonly from: ActivationRow['from'];
  /** The override ACTIVATION. */
  readonly index: number;
  /** The parameter, or 0 where there is none: the override ALPHA. Where it is learned, what it begins with. */
  readonly alpha: number;
  /** A learned parameter: its name, and which units have it in common. Kernels with a fixed one leave it at `alpha`. */
  readonly learned?: { readonly name: string; readonly per: Sharing };
  readonly untrainable?: true;
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
    const known = activationNames.filter((row) => row !== 'geluTanh').join(', ');
    throw new MlpError(
      'unknown-activation',
      `Activation "${name}" is not known. Known: ${known}; of dense also maxout and softmax.`,
    );
  }
  const { from, parameter, untrainable } = activationTable[name];
  if (name.startsWith('gelu')) {
    if (approximate !== (name === 'gelu' ? 'none' : 'tanh')) {
      throw new MlpError('bad-activation', `gelu has approximate = ${String(approximate)}; it is "none" or "tanh".`);
    }
    return { name, from, index, alpha: 0, spec: { type: 'gelu', approximate } as Activation };
  }
  if (parameter === undefined) {
    return { name, from, index, alpha: 0, spec: name as ActivationName, ...(untrainable && { untrainable }) };
  }
  const alpha = (given[parameter.name] ?? parameter.default) as number;
  // elu's and leakyRelu's derivatives are read off the sign of the output, which a negative α would turn around.
  const range = from === 'y' ? 'a finite number ≥ 0' : 'a finite number';
  assertOption(`${name} has`, { [parameter.name]: alpha }, range, 'bad-activation');
  const spec = { type: name, [parameter.name]: alpha };
  const { learned = parameter.learned === 'always', per = 'layer' } = given;
  if (parameter.learned === undefined || learned === false) {
    return { name, from, index, alpha, spec: spec as Activation };
  }
  if (learned !== true || (per !== 'unit' && per !== 'layer')) {
    throw new MlpError(
      'bad-activation',
      `${name} has learned = ${String(learned)} and per = ${String(per)}; learned is true or false, per is "unit" or "layer".`,
    );
  }
  const how = parameter.learned === 'always' ? { per } : { learned, per };
  return { name, from, index, alpha, learned: { name: parameter.name, per }, spec: { ...spec, ...how } as Activation };
}
