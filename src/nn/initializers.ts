import { assertOption, type Kind } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import { checkOptions } from '../base/options.js';
import type { Random } from '../base/random.js';
import type { Sliced } from '../base/slices.js';

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

type InitializerName = PlainName | 'constant' | 'normal' | 'uniform' | 'orthogonal';
type Options = Readonly<Record<string, number>>;

/** A row of the initializer table. */
interface InitializerRow {
  /** The kind of each option, and its default if there is one. */
  readonly options: Readonly<Record<string, { readonly kind: Kind; readonly default?: number }>>;
  /** True if the distribution depends on fanIn and fanOut, which only a weight matrix has. */
  readonly usesFans: boolean;
  /**
   * Returns a function that draws the next element of a (fanIn, fanOut) matrix at each call, row by row; or the work that
   * makes this function.
   */
  sampler(random: Random, options: Options, fanIn: number, fanOut: number): (() => number) | Sliced<() => number>;
}

type Variance = (fanIn: number, fanOut: number) => number;

const normalBy = (variance: Variance): InitializerRow => ({
  options: {},
  usesFans: true,
  sampler(random, _, fanIn, fanOut) {
    const deviation = Math.sqrt(variance(fanIn, fanOut));
    return () => deviation * random.normal();
  },
});

const uniformBy = (variance: Variance): InitializerRow => ({
  options: {},
  usesFans: true,
  sampler(random, _, fanIn, fanOut) {
    const limit = Math.sqrt(3) * Math.sqrt(variance(fanIn, fanOut));
    return () => random.uniform(-limit, limit);
  },
});

const he: Variance = (fanIn) => 2 / fanIn;
const xavier: Variance = (fanIn, fanOut) => 2 / (fanIn + fanOut);
const lecun: Variance = (fanIn) => 1 / fanIn;
const finite = { kind: 'a finite number' } as const;

/**
 * The table of all initializers. Fan-scaled initializers have mean 0 and a variance of 2/fanIn (He et al. 2015),
 * 2/(fanIn + fanOut) (Xavier: Glorot and Bengio 2010) or 1/fanIn (LeCun et al. 1998). `orthogonal`: Saxe et al. 2014.
 */
const table: Readonly<Record<InitializerName, InitializerRow>> = {
  zeros: { options: {}, usesFans: false, sampler: () => () => 0 },
  constant: {
    options: { value: finite },
    usesFans: false,
    sampler:
      (_, { value = 0 }) =>
      () =>
        value,
  },
  normal: {
    options: { deviation: { kind: 'a finite number >= 0' }, mean: { ...finite, default: 0 } },
    usesFans: false,
    sampler:
      (random, { deviation = 0, mean = 0 }) =>
      () =>
        mean + deviation * random.normal(),
  },
  uniform: {
    options: { low: finite, high: finite },
    usesFans: false,
    sampler:
      (random, { low = 0, high = 0 }) =>
      () =>
        random.uniform(low, high),
  },
  heNormal: normalBy(he),
  heUniform: uniformBy(he),
  xavierNormal: normalBy(xavier),
  xavierUniform: uniformBy(xavier),
  lecunNormal: normalBy(lecun),
  lecunUniform: uniformBy(lecun),
  orthogonal: { options: { gain: { ...finite, default: 1 } }, usesFans: true, sampler: orthogonal },
};

const isKnown = (type: string): type is InitializerName => Object.hasOwn(table, type);

/** Values that are drawn in one step. */
const VALUES_AT_ONCE = 2 ** 14;
/** Multiplications that cost as much as a random number. */
const MULTIPLICATIONS = 64;

/** Cost of drawing the initial values of a matrix. */
export function drawingCost(initializer: Initializer, fanIn: number, fanOut: number): number {
  const isOrthogonal = asObject(initializer).type === 'orthogonal';
  return fanIn * fanOut * (1 + (isOrthogonal ? Math.min(fanIn, fanOut) / MULTIPLICATIONS : 0));
}

/**
 * Draws the initial values of a (fanIn, fanOut) matrix, or of a (units) vector with `fanOut` = 1.
 * @param initializer one that `checkInitializer` has accepted
 */
export function* initialValues(
  initializer: Initializer,
  fanIn: number,
  fanOut: number,
  random: Random,
): Sliced<Float32Array<ArrayBuffer>> {
  const { type, ...given } = asObject(initializer);
  const { options, sampler } = table[type as InitializerName];
  const made = sampler(random, { ...defaults(options), ...given }, fanIn, fanOut);
  const draw = typeof made === 'function' ? made : yield* made;
  const values = new Float32Array(fanIn * fanOut);
  for (let start = 0; start < values.length; start += VALUES_AT_ONCE) {
    const end = Math.min(start + VALUES_AT_ONCE, values.length);
    for (let i = start; i < end; i++) values[i] = draw();
    yield end - start;
  }
  return values;
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
  const { low = 0, high = 0 } = all as Options;
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
function asObject(initializer: Initializer): { readonly type: string } & Options {
  const isObject = typeof initializer === 'object' && initializer !== null;
  const entries = isObject ? Object.entries(initializer) : [['type', initializer]];
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function defaults(options: InitializerRow['options']): Options {
  const withDefault = Object.entries(options).filter(([, option]) => option.default !== undefined);
  return Object.fromEntries(withDefault.map(([name, option]) => [name, option.default ?? 0]));
}

/**
 * Least ratio of a vector's norm after orthogonalization to its norm before. Below it, rounding may have destroyed the
 * orthogonality, so that the vector is orthogonalized again.
 */
const LEAST_NORM_RATIO = 2 ** -10;

/**
 * Draws the elements of gain·Q, where the columns of Q, or its rows if there are fewer of them, are orthonormal. Q
 * comes from the QR decomposition of a matrix of normal numbers, by the Gram-Schmidt process in float64. The process
 * makes R's diagonal positive, as PyTorch's `orthogonal_` does, so that every Q is equally likely.
 */
function* orthogonal(random: Random, { gain = 1 }: Options, fanIn: number, fanOut: number): Sliced<() => number> {
  const vectors: Float64Array[] = [];
  const length = Math.max(fanIn, fanOut);
  while (vectors.length < Math.min(fanIn, fanOut)) {
    const vector = Float64Array.from({ length }, () => random.normal());
    let norm = Math.sqrt(dot(vector, vector));
    let before: number;
    do {
      before = norm;
      for (const other of vectors) addScaled(vector, other, -dot(vector, other));
      norm = Math.sqrt(dot(vector, vector));
    } while (norm < LEAST_NORM_RATIO * before);
    for (let i = 0; i < length; i++) vector[i] = (vector[i] ?? 0) / norm;
    vectors.push(vector);
    yield length * (1 + (2 * vectors.length) / MULTIPLICATIONS);
  }
  let next = 0;
  return () => {
    const [row, column] = [Math.floor(next / fanOut), next % fanOut];
    next += 1;
    const [index, position] = fanIn < fanOut ? [row, column] : [column, row];
    return gain * (vectors[index]?.[position] ?? 0);
  };
}

/** Σᵢ xᵢ·yᵢ */
function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] ?? 0) * (y[i] ?? 0);
  return sum;
}

/** x ← x + factor·y */
function addScaled(x: Float64Array, y: Float64Array, factor: number): void {
  for (let i = 0; i < x.length; i++) x[i] = (x[i] ?? 0) + factor * (y[i] ?? 0);
}
