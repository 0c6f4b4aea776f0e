import { assertOption, assertWord, describe } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import { checkOptions } from '../base/options.js';

/** A row of `activationTable`: the properties of an activation that the library needs at run time. */
export interface ActivationRow {
  /** The argument of the derivative: the output y = g(z), which a layer keeps anyway, or the pre-activation z. */
  readonly from: 'y' | 'z';
  /** The parameter of the activation, if there is one: its name, its default, and if training changes it. */
  readonly parameter?: {
    readonly name: 'alpha' | 'beta' | 'omega';
    readonly default: number;
    readonly learned?: 'always' | 'if asked';
  };
  /** True if the derivative is 0 wherever it is defined, so that the layers below would not learn. */
  readonly untrainable?: true;
}

/** Names of activations, for the options of layers and kernels. */
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

/** Names of the table's rows: gelu's tanh form has a row of its own. */
export type ActivationRowName = ActivationName | 'geluTanh';

/** The only table of activations. Their formulas are in `shaders/activations.ts`, which no bundle contains. */
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

/** Names in the order of the table: the index of a name is the override ACTIVATION. */
export const activationNames = Object.keys(activationTable) as readonly ActivationRowName[];

/** The scope of a learned parameter: one for each unit, or one for the whole layer. */
export type Sharing = 'unit' | 'layer';

/**
 * An activation f(z): its name, or an object that sets its parameter.
 *
 * - linear: z
 * - relu: max(0, z)
 * - leakyRelu, prelu: z if z > 0, else α·z
 * - sigmoid: 1 / (1 + e⁻ᶻ)
 * - tanh: tanh z
 * - elu: z if z > 0, else α·(eᶻ − 1)
 * - selu: λ·z if z > 0, else λ·α·(eᶻ − 1), where λ ≈ 1.0507 and α ≈ 1.6733
 * - softplus: ln(1 + eᶻ)
 * - swish: z·σ(βz), where σ is the sigmoid
 * - gelu: z·Φ(z), where Φ is the normal distribution function
 * - abs: |z|
 * - sine: sin ωz
 * - step: 0 if z < 0, else 1
 */
export type Activation =
  | ActivationName
  /** An activation without a parameter. */
  | { readonly type: Exclude<ActivationName, 'leakyRelu' | 'prelu' | 'elu' | 'swish' | 'gelu' | 'sine'> }
  | {
      readonly type: 'leakyRelu' | 'elu';
      /** α ≥ 0. Default: 0.01 for leakyRelu, 1 for elu. */
      readonly alpha?: number | undefined;
    }
  | {
      readonly type: 'prelu';
      /** The value of the learned α before training. Default: 0.25. */
      readonly alpha?: number | undefined;
      /** One α for each unit, or one for the layer. Default: `'layer'`. */
      readonly per?: Sharing | undefined;
    }
  | {
      readonly type: 'swish';
      /** β; if it is learned, its value before training. Default: 1. */
      readonly beta?: number | undefined;
      /** True if training changes β. Default: false. */
      readonly learned?: boolean | undefined;
      /** One learned β for each unit, or one for the layer. Default: `'layer'`. */
      readonly per?: Sharing | undefined;
    }
  | {
      readonly type: 'gelu';
      /** `'tanh'` for ½z·(1 + tanh(√(2/π)·(z + 0.044715z³))), `'none'` for z·Φ(z). Default: `'none'`. */
      readonly approximate?: 'none' | 'tanh' | undefined;
    }
  | {
      readonly type: 'sine';
      /** ω. Default: 1. */
      readonly omega?: number | undefined;
    };

/** An activation with every default filled in. */
export interface ResolvedActivation {
  readonly name: ActivationRowName;
  readonly from: ActivationRow['from'];
  /** The override ACTIVATION. */
  readonly index: number;
  /** The override ALPHA: the parameter, or its value before training if it is learned; 0 without a parameter. */
  readonly alpha: number;
  /** Name and scope of a learned parameter. Kernels for fixed parameters do not read it, and use `alpha`. */
  readonly learned?: { readonly name: string; readonly per: Sharing } | undefined;
  readonly untrainable?: true;
  /** Plain data from which `resolveActivation` makes the same activation. */
  readonly spec: Activation;
}

/**
 * Looks up an activation, and fills in its defaults.
 * @throws {MlpError} `unknown-activation` if there is no such name, `bad-activation` if the parameter is out of its
 * range
 */
export function resolveActivation(activation: Activation): ResolvedActivation {
  const given: { readonly type: string; readonly [option: string]: unknown } =
    typeof activation === 'string' ? { type: activation } : activation;
  if (typeof given?.type !== 'string') {
    throw new MlpError(
      'bad-activation',
      `The activation is ${describe(activation)}; it must be a name or have a type, as in dense(64, "relu") or dense(64, { type: "elu", alpha: 1 }).`,
    );
  }
  const { type, approximate = type === 'geluTanh' ? 'tanh' : 'none' } = given;
  const name = (type === 'gelu' && approximate === 'tanh' ? 'geluTanh' : type) as ActivationRowName;
  const index = activationNames.indexOf(name);
  if (index < 0) {
    const known = activationNames.filter((row) => row !== 'geluTanh').join(', ');
    throw new MlpError(
      'unknown-activation',
      `Activation "${name}" is not known. Known: ${known}; for dense also maxout and softmax.`,
    );
  }
  const { from, parameter, untrainable } = activationTable[name];
  checkOptions(name, given, optionNames(name), 'bad-activation');
  if (name.startsWith('gelu')) {
    assertWord('gelu has', { approximate }, ['none', 'tanh'], 'bad-activation');
    return { name, from, index, alpha: 0, spec: { type: 'gelu', approximate } as Activation };
  }
  if (parameter === undefined) {
    return { name, from, index, alpha: 0, spec: name as ActivationName, ...(untrainable && { untrainable }) };
  }
  const alpha = (given[parameter.name] ?? parameter.default) as number;
  // The derivatives of elu and leakyRelu depend on the sign of the output, which a negative α would invert.
  const range = from === 'y' ? 'a finite number >= 0' : 'a finite number';
  assertOption(`${name} has`, { [parameter.name]: alpha }, range, 'bad-activation');
  const spec = { type: name, [parameter.name]: alpha };
  const { learned = parameter.learned === 'always', per = 'layer' } = given;
  assertOption(`${name} has`, { learned }, 'true or false', 'bad-activation');
  assertWord(`${name} has`, { per }, ['unit', 'layer'], 'bad-activation');
  if (learned === false) return { name, from, index, alpha, spec: spec as Activation };
  const how = parameter.learned === 'always' ? { per } : { learned, per };
  const shared = { name: parameter.name, per: per as Sharing };
  return { name, from, index, alpha, learned: shared, spec: { ...spec, ...how } as Activation };
}

/** Names that the object of an activation may have, for `checkOptions`: those of its row. */
function optionNames(name: ActivationRowName): Readonly<Record<string, 1>> {
  const { parameter } = activationTable[name];
  return {
    type: 1,
    ...(name.startsWith('gelu') && { approximate: 1 }),
    ...(parameter && { [parameter.name]: 1 }),
    ...(parameter?.learned && { per: 1 }),
    ...(parameter?.learned === 'if asked' && { learned: 1 }),
  };
}
