import { expect, test } from 'vitest';
import { MlpError } from '../../src/base/errors.js';
import { type Normalization, normalizationOf } from '../../src/model/normalization.js';

const INPUTS = 4;
const refusal = (normalize: unknown): unknown => {
  try {
    normalizationOf(INPUTS, normalize as Normalization);
  } catch (error) {
    return error;
  }
  return undefined;
};

test.for<[Normalization | undefined, readonly number[], string]>([
  [undefined, [1, 0, 1, 0, 1, 0, 1, 0], 'nothing'],
  ['unit', [1, 0, 1, 0, 1, 0, 1, 0].map((value) => Math.fround(value / 255)), 'bytes to [0, 1]'],
  [{ mean: 2, std: 4 }, [0.25, -0.5, 0.25, -0.5, 0.25, -0.5, 0.25, -0.5], 'one pair for all'],
  [{ mean: [0, 1, 2, 3], std: 1 }, [1, -0, 1, -1, 1, -2, 1, -3], 'a mean for each'],
  [{ mean: 1, std: [1, 2, 4, 8] }, [1, -1, 0.5, -0.5, 0.25, -0.25, 0.125, -0.125], 'a deviation for each'],
])('%j gives scale and shift of each feature: %s', ([normalize, expected]) => {
  expect([...normalizationOf(INPUTS, normalize)].map((value) => value + 0)).toEqual(expected.map((value) => value + 0));
});

test.for<[unknown, string]>([
  [{ mean: [1, 2, 3, 4, 5], std: 1 }, 'mean has 5 numbers; it must be a number, or an array of 4, one for each input.'],
  [{ mean: [1, 2, 3], std: 1 }, 'mean has 3 numbers; it must be a number, or an array of 4'],
  [{ mean: 0, std: [1, 1, 1, 1, 1] }, 'std has 5 numbers; it must be a number, or an array of 4, one for each input.'],
  [{ mean: [], std: 1 }, 'mean has 0 numbers; it must be a number, or an array of 4'],
  [{ mean: BigInt64Array.of(1n, 2n, 3n, 4n), std: 1 }, 'feature 0 has mean = 1n (a bigint) and std = 1'],
  [{ mean: new ArrayBuffer(16), std: 1 }, 'mean is an ArrayBuffer; it must be a number, or an array of 4'],
  [{ mean: '0', std: 1 }, 'mean is "0" (a string); it must be a number, or an array of 4'],
  [{ mean: 0, std: '1234' }, 'std is "1234" (a string); it must be a number, or an array of 4'],
  [{ mean: 0, std: null }, 'std is null; it must be a number, or an array of 4'],
  [{ mean: 0 }, 'std is undefined; it must be a number, or an array of 4'],
  [{ mean: () => 0, std: 1 }, 'mean is a function; it must be a number, or an array of 4'],
  [{ mean: { 0: 1, 1: 1, 2: 1, 3: 1 }, std: 1 }, 'mean is an object; it must be a number, or an array'],
  [{ mean: [0, 0, 0, Number.NaN], std: 1 }, 'feature 3 has mean = NaN and std = 1'],
  // biome-ignore lint/suspicious/noSparseArray: the hole is what is tested
  [{ mean: [0, , 0, 0], std: 1 }, 'feature 1 has mean = undefined and std = 1'],
  [{ mean: 0, std: [1, 1, '1', 1] }, 'feature 2 has mean = 0 and std = "1" (a string)'],
  [{ mean: 0, std: [1, 1, 1, null] }, 'feature 3 has mean = 0 and std = null'],
  [{ mean: 0, std: [1, 2n, 1, 1] }, 'feature 1 has mean = 0 and std = 2n (a bigint)'],
  [{ mean: 0, std: 0 }, 'feature 0 has mean = 0 and std = 0'],
  [{ mean: 0, std: -1 }, 'feature 0 has mean = 0 and std = -1'],
  [{ mean: 0, std: 1e-40 }, 'feature 0 has mean = 0 and std = 1e-40'],
  [{ mean: 0, std: Number.POSITIVE_INFINITY }, 'feature 0 has mean = 0 and std = Infinity'],
  [null, 'normalize is null; it must be "unit", "signed" or { mean, std }'],
  ['bytes', 'normalize is "bytes" (a string); it must be "unit", "signed" or { mean, std }'],
  [2, 'normalize is 2; it must be "unit", "signed" or { mean, std }'],
  [() => 'unit', 'normalize is a function; it must be "unit", "signed" or { mean, std }'],
])('%o is refused', ([normalize, message]) => {
  const error = refusal(normalize);
  expect(error).toBeInstanceOf(MlpError);
  expect(error).toMatchObject({ code: 'bad-normalization', message: expect.stringContaining(message) });
});
