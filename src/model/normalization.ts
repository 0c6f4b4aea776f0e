import { describe } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import { isList } from '../base/values.js';

/**
 * Normalization of raw inputs x: `unit` is x/255, which maps bytes to [0, 1]; `signed` is x/127.5 − 1, which maps bytes to
 * [−1, 1]; `{ mean, std }` is (x − mean)/std, with one number for all features or an array with one number for each feature.
 *
 * @example
 * const model = await Mlp.create(gpu, { inputs: 784, normalize: 'unit', layers: [dense(10, 'softmax')] });
 */
export type Normalization =
  | 'unit'
  | 'signed'
  | {
      /** Subtracted from the inputs: one number, or one for each feature. */
      readonly mean: number | ArrayLike<number>;
      /** Positive divisor: one number, or one for each feature. */
      readonly std: number | ArrayLike<number>;
    };

/** Scale and shift of each feature, in pairs: x becomes x·scale + shift. @throws {MlpError} `bad-normalization` */
export function normalizationOf(
  inputs: number,
  normalize: Normalization = { mean: 0, std: 1 },
): Float32Array<ArrayBuffer> {
  if (normalize !== 'unit' && normalize !== 'signed' && (typeof normalize !== 'object' || normalize === null)) {
    refuse(` is ${describe(normalize)}; it must be "unit", "signed" or { mean, std }.`);
  }
  const { mean, std } =
    normalize === 'unit' ? { mean: 0, std: 255 } : normalize === 'signed' ? { mean: 127.5, std: 127.5 } : normalize;
  for (const [name, value] of Object.entries<unknown>({ mean, std })) {
    if (typeof value === 'number' || (isList(value) && value.length === inputs)) continue;
    const given = isList(value) ? `has ${value.length} numbers` : `is ${describe(value)}`;
    refuse(`: ${name} ${given}; it must be a number, or an array of ${inputs}, one for each input.`);
  }
  const scaleAndShift = new Float32Array(2 * inputs);
  for (let feature = 0; feature < inputs; feature++) {
    const [m, s] = [mean, std].map((value) => (typeof value === 'number' ? value : value[feature])) as [number, number];
    const isNumbers = typeof m === 'number' && typeof s === 'number' && s > 0 && s < Infinity;
    const pair = isNumbers ? Float32Array.of(1 / s, -m / s) : [NaN];
    if (!pair.every(Number.isFinite)) {
      refuse(
        ` of feature ${feature} has mean = ${describe(m)} and std = ${describe(s)}; std must be > 0, mean/std and 1/std finite in float32.`,
      );
    }
    scaleAndShift.set(pair, 2 * feature);
  }
  return scaleAndShift;
}

/** The normalization as plain data, which JSON keeps as it is. */
export function plainNormalization(normalize: Normalization): Normalization {
  if (typeof normalize === 'string') return normalize;
  const plain = (value: number | ArrayLike<number>): number | number[] =>
    typeof value === 'number' ? value : Array.from(value);
  return { mean: plain(normalize.mean), std: plain(normalize.std) };
}

function refuse(why: string): never {
  throw new MlpError('bad-normalization', `Mlp.create: normalize${why}`);
}
