import { MlpError } from '../base/errors.js';

/** Raw inputs become x·scale + shift: `unit` is x/255, `signed` x/127.5 − 1, mean and std (x − mean)/std. */
export type Normalization =
  | 'unit'
  | 'signed'
  | { readonly mean: number | readonly number[]; readonly std: number | readonly number[] };

/** Scale and shift of each feature. @throws {MlpError} `bad-normalization` */
export function normalizationOf(
  inputs: number,
  normalize: Normalization = { mean: 0, std: 1 },
): Float32Array<ArrayBuffer> {
  if (typeof normalize === 'string' && normalize !== 'unit' && normalize !== 'signed') {
    throw new MlpError(
      'bad-normalization',
      `Mlp.create: normalize = "${String(normalize)}"; it is "unit", "signed" or { mean, std }.`,
    );
  }
  const { mean, std } =
    normalize === 'unit' ? { mean: 0, std: 255 } : normalize === 'signed' ? { mean: 127.5, std: 127.5 } : normalize;
  const scaleAndShift = new Float32Array(2 * inputs);
  for (let feature = 0; feature < inputs; feature++) {
    const [m = NaN, s = NaN] = [mean, std].map((value) => (typeof value === 'object' ? value[feature] : value));
    const pair = Float32Array.of(1 / s, -m / s);
    if (!(s > 0) || !pair.every(Number.isFinite)) {
      throw new MlpError(
        'bad-normalization',
        `Mlp.create: normalize of feature ${feature} has mean = ${m} and std = ${s}; mean/std and 1/std must be finite in float32, std positive, one for all or one for each of the ${inputs} inputs.`,
      );
    }
    scaleAndShift.set(pair, 2 * feature);
  }
  return scaleAndShift;
}
