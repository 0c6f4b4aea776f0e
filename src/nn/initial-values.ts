import type { Random } from '../base/random.js';
import type { Sliced } from '../base/slices.js';
import { filledIn, type Initializer, type InitializerName, type InitializerNumbers } from './initializers.js';

/**
 * Returns a function that draws the next element of a (fanIn, fanOut) matrix at each call, row by row; or the work that
 * makes this function.
 */
type Sampler = (
  random: Random,
  options: InitializerNumbers,
  fanIn: number,
  fanOut: number,
) => (() => number) | Sliced<() => number>;

type Variance = (fanIn: number, fanOut: number) => number;

const normalBy =
  (variance: Variance): Sampler =>
  (random, _, fanIn, fanOut) => {
    const deviation = Math.sqrt(variance(fanIn, fanOut));
    return () => deviation * random.normal();
  };

const uniformBy =
  (variance: Variance): Sampler =>
  (random, _, fanIn, fanOut) => {
    const limit = Math.sqrt(3) * Math.sqrt(variance(fanIn, fanOut));
    return () => random.uniform(-limit, limit);
  };

const he: Variance = (fanIn) => 2 / fanIn;
const xavier: Variance = (fanIn, fanOut) => 2 / (fanIn + fanOut);
const lecun: Variance = (fanIn) => 1 / fanIn;

/**
 * The sampler of each initializer. Fan-scaled initializers have mean 0 and a variance of 2/fanIn (He et al. 2015),
 * 2/(fanIn + fanOut) (Xavier: Glorot and Bengio 2010) or 1/fanIn (LeCun et al. 1998). `orthogonal`: Saxe et al. 2014.
 */
const samplers: Readonly<Record<InitializerName, Sampler>> = {
  zeros: () => () => 0,
  constant:
    (_, { value = 0 }) =>
    () =>
      value,
  normal:
    (random, { deviation = 0, mean = 0 }) =>
    () =>
      mean + deviation * random.normal(),
  uniform:
    (random, { low = 0, high = 0 }) =>
    () =>
      random.uniform(low, high),
  heNormal: normalBy(he),
  heUniform: uniformBy(he),
  xavierNormal: normalBy(xavier),
  xavierUniform: uniformBy(xavier),
  lecunNormal: normalBy(lecun),
  lecunUniform: uniformBy(lecun),
  orthogonal,
};

/** Values that are drawn in one step. */
const VALUES_AT_ONCE = 2 ** 14;
/** Multiplications that cost as much as a random number. */
const MULTIPLICATIONS = 64;

/** Cost of drawing the initial values of a matrix. */
export function drawingCost(initializer: Initializer, fanIn: number, fanOut: number): number {
  const isOrthogonal = filledIn(initializer).name === 'orthogonal';
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
  const { name, options } = filledIn(initializer);
  const made = samplers[name](random, options, fanIn, fanOut);
  const draw = typeof made === 'function' ? made : yield* made;
  const values = new Float32Array(fanIn * fanOut);
  for (let start = 0; start < values.length; start += VALUES_AT_ONCE) {
    const end = Math.min(start + VALUES_AT_ONCE, values.length);
    for (let i = start; i < end; i++) values[i] = draw();
    yield end - start;
  }
  return values;
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
function* orthogonal(
  random: Random,
  { gain = 1 }: InitializerNumbers,
  fanIn: number,
  fanOut: number,
): Sliced<() => number> {
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
