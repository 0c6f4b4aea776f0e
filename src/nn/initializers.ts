import { assertOption, type Kind } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import { checkOptions } from '../base/options.js';

/**
 * The rule that draws the initial values of a parameter: a name, or an object with options. `zeros`, `constant`,
 * `normal` and `uniform` suit any parameter. The others need a weight matrix, of fanIn rows and fanOut columns; those
 * that are normal or uniform have mean 0:
 * - `heNormal`, `heUniform`: variance 2/fanIn (PyTorch's `kaiming_normal_`, `kaiming_uniform_`)
 * - `xavierNormal`, `xavierUniform`: variance 2/(fanIn + fanOut) (`xavier_normal_`, `xavier_uniform_`)
 * - `lecunNormal`, `lecunUniform`: variance 1/fanIn
 * - `orthogonal`: gain·Q, where the columns of Q are orthonormal, or its rows if there are fewer of them
 *   (`orthogonal_`)
 *
 * The same seed gives the same values on every machine.
 */
export type Initializer =
  | PlainName
  | 'orthogonal'
  | { readonly type: PlainName }
  | {
      readonly type: 'constant';
      /** Value of every element. */
      readonly value: number;
    }
  | {
      readonly type: 'normal';
      /** Standard deviation, ≥ 0. */
      readonly deviation: number;
      /** Mean of the distribution. Default: 0. */
      readonly mean?: number | undefined;
    }
  | {
      readonly type: 'uniform';
      /** Lower limit. */
      readonly low: number;
      /** Upper limit, ≥ low. */
      readonly high: number;
    }
  | {
      readonly type: 'orthogonal';
      /** Factor of the orthonormal matrix. Default: 1. */
      readonly gain?: number | undefined;
    };

/** The name of an initializer that has no options. */
type PlainName = 'zeros' | 'heNormal' | 'heUniform' | 'xavierNormal' | 'xavierUniform' | 'lecunNormal' | 'lecunUniform';

/** The name of an initializer. */
export type InitializerName = PlainName | 'constant' | 'normal' | 'uniform' | 'orthogonal';
/** Values of the options of an initializer, by name. */
export type InitializerNumbers = Readonly<Record<string, number>>;

/** A row of the initializer table. */
interface InitializerRow {
  /** The kind of each option, and its default if there is one. */
  readonly options: Readonly<Record<string, { readonly kind: Kind; readonly default?: number }>>;
  /** True if the distribution depends on fanIn and fanOut, which only a weight matrix has. */
  readonly usesFans: boolean;
}

const finite = { kind: 'a finite number' } as const;
const byFans: InitializerRow = { options: {}, usesFans: true };

/** The table of all initializers. `initial-values.ts` draws their values; a page loads it with its first model. */
const table: Readonly<Record<InitializerName, InitializerRow>> = {
  zeros: { options: {}, usesFans: false },
  constant: { options: { value: finite }, usesFans: false },
  normal: {
    options: { deviation: { kind: 'a finite number >= 0' }, mean: { ...finite, default: 0 } },
    usesFans: false,
  },
  uniform: { options: { low: finite, high: finite }, usesFans: false },
  heNormal: byFans,
  heUniform: byFans,
  xavierNormal: byFans,
  xavierUniform: byFans,
  lecunNormal: byFans,
  lecunUniform: byFans,
  orthogonal: { options: { gain: { ...finite, default: 1 } }, usesFans: true },
};

const isKnown = (type: string): type is InitializerName => Object.hasOwn(table, type);

/** The name of an initializer that `checkInitializer` has accepted, and all its options. */
export function filledIn(initializer: Initializer): {
  readonly name: InitializerName;
  readonly options: InitializerNumbers;
} {
  const { type, ...given } = asObject(initializer);
  const name = type as InitializerName;
  return { name, options: { ...defaults(table[name].options), ...given } };
}

/** Fills in every default of an initializer and returns plain data. An unknown initializer is returned unchanged. */
export function initializerSpec(initializer: Initializer): Initializer {
  const { type, ...given } = asObject(initializer);
  if (!isKnown(type)) return initializer;
  const all = { ...defaults(table[type].options), ...given };
  return (Object.keys(all).length === 0 ? type : { type, ...all }) as Initializer;
}

/**
 * Checks an initializer and its options.
 * @param where the beginning of the error message, such as `Mlp.create: layer 0 (dense) has initializer`
 * @param isMatrix true for a weight matrix, which has fans; false for a bias, which has none
 * @throws {MlpError} `unknown-initializer` if the name is not known, or not suitable for a bias
 * @throws {MlpError} `bad-initializer` if an option is not known or out of range
 */
export function checkInitializer(where: string, initializer: Initializer, isMatrix: boolean): void {
  const { type, ...given } = asObject(initializer);
  const suitable = Object.entries(table).filter(([, { usesFans }]) => isMatrix || !usesFans);
  const names = suitable.map(([name]) => name);
  if (!names.includes(type)) {
    const why = isKnown(type) ? 'is for weights' : 'is not known';
    throw new MlpError('unknown-initializer', `${where} "${String(type)}", which ${why}. Known: ${names.join(', ')}.`);
  }
  const { options } = table[type as InitializerName];
  const optionNames = Object.fromEntries(Object.keys(options).map((name) => [name, 1] as const));
  checkOptions(`${where} ${type}, which`, given, optionNames, 'bad-initializer');
  const all: Readonly<Record<string, unknown>> = { ...defaults(options), ...given };
  for (const [name, { kind }] of Object.entries(options)) {
    assertOption(`${where} ${type} with`, { [name]: all[name] }, kind, 'bad-initializer');
  }
  const { low = 0, high = 0 } = all as InitializerNumbers;
  if (low > high) {
    throw new MlpError(
      'bad-initializer',
      `${where} ${type} with low = ${low} and high = ${high}; low is at most high.`,
    );
  }
}

/** The default initializer of weights: He for the relu family, LeCun for selu, otherwise Xavier (Glorot). */
export function defaultInitializer(activation: string): Initializer {
  if (activation === 'selu') return 'lecunNormal';
  return ['relu', 'leakyRelu', 'prelu', 'elu', 'swish', 'gelu', 'geluTanh'].includes(activation)
    ? 'heNormal'
    : 'xavierUniform';
}

/** The initializer as an object with its type. Options that are undefined are left out. */
function asObject(initializer: Initializer): { readonly type: string } & InitializerNumbers {
  const isObject = typeof initializer === 'object' && initializer !== null;
  const entries = isObject ? Object.entries(initializer) : [['type', initializer]];
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function defaults(options: InitializerRow['options']): InitializerNumbers {
  const withDefault = Object.entries(options).filter(([, option]) => option.default !== undefined);
  return Object.fromEntries(withDefault.map(([name, option]) => [name, option.default ?? 0]));
}
