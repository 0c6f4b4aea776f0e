import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DataError, ShapeError } from '../../src/base/errors.js';
import { checkWeights, type Numbers, toFloats, toValues } from '../../src/base/values.js';

const floats = Float32Array.of(1, -2, 0.5, 3);
const integers = [1, 2, 0, 3];

test.for<[string, unknown, readonly number[]]>([
  ['an array', [1, -2, 0.5, 3], [...floats]],
  ['Float64Array', Float64Array.of(1, -2, 0.5, 3), [...floats]],
  ['Int8Array', Int8Array.of(-1, 2), [-1, 2]],
  ['Int16Array', Int16Array.of(-1, 2), [-1, 2]],
  ['Uint16Array', Uint16Array.from(integers), integers],
  ['Int32Array', Int32Array.of(-1, 2), [-1, 2]],
  ['Uint32Array', Uint32Array.from(integers), integers],
  ['BigInt64Array', BigInt64Array.of(-1n, 2n), [-1, 2]],
  ['BigUint64Array', BigUint64Array.of(1n, 2n ** 53n - 1n), [1, 2 ** 53 - 1]],
  ['bigints', [1n - 2n ** 53n, 2n], [1 - 2 ** 53, 2]],
  ['a list with a length', { length: 2, 0: 5, 1: 6 }, [5, 6]],
  ['nothing', [], []],
  ['an array of another window', runInNewContext('[1, 2]'), [1, 2]],
  ['a Float32Array of another window', runInNewContext('Float32Array.of(1, 2)'), [1, 2]],
])('%s becomes float32', ([, given, expected]) => {
  const { values, rows } = toValues('x', given, 2);
  expect(values).toEqual(Float32Array.from(expected));
  expect(rows).toBeUndefined();
});

test('bytes and float32 are not copied', () => {
  const bytes = Uint8Array.of(0, 255);
  expect(toValues('x', bytes).values).toBe(bytes);
  expect(toValues('x', floats).values).toBe(floats);
  expect(toFloats('x', floats)).toBe(floats);
  const clamped = Uint8ClampedArray.of(1, 2, 3).subarray(1);
  const { values } = toValues('x', clamped);
  expect(values).toEqual(Uint8Array.of(2, 3));
  expect(values.buffer).toBe(clamped.buffer);
  expect(toValues('x', runInNewContext('Uint8Array.of(7)')).values).toBeInstanceOf(Uint8Array);
  expect(toFloats('x', bytes)).toEqual(Float32Array.of(0, 255));
});

test('Float16Array becomes float32, where there is one', () => {
  const { Float16Array } = globalThis as { readonly Float16Array?: { from(values: number[]): ArrayLike<number> } };
  if (Float16Array !== undefined) expect(toFloats('x', Float16Array.from([0.5, -2]))).toEqual(Float32Array.of(0.5, -2));
});

test('nested arrays are rows, of any type and depth; rows of bytes stay bytes', () => {
  const rows = [[1, 2], Float64Array.of(3, 4), BigInt64Array.of(5n, 6n), Uint8Array.of(7, 8)];
  expect(toValues('x', rows)).toEqual({ values: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), rows: 4 });
  const bytes = [Uint8Array.of(1, 2), Uint8ClampedArray.of(3, 4)];
  expect(toValues('x', bytes)).toEqual({ values: Uint8Array.of(1, 2, 3, 4), rows: 2 });
  const images = [
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
    [[7, 8, 9], Int8Array.of(10, 11, 12)],
  ];
  expect(toValues('x', images)).toEqual({ values: Float32Array.from({ length: 12 }, (_, i) => i + 1), rows: 2 });
});

test('whatever the sizes, nested arrays are the same as flat ones', () => {
  fc.assert(
    fc.property(fc.nat({ max: 5 }), fc.nat({ max: 5 }), fc.nat({ max: 5 }), (rows, height, width) => {
      let next = 0;
      const image = (): number[][] =>
        Array.from({ length: height + 1 }, () => Array.from({ length: width + 1 }, () => next++));
      const nested = Array.from({ length: rows + 1 }, image);
      expect(toValues('x', nested)).toEqual({ values: Float32Array.from(nested.flat(2)), rows: rows + 1 });
    }),
  );
});

test.for<[unknown, string]>([
  [[1, 2, 3, '3'], 'x at row 1, column 1 is "3" (a string); it must be a finite float32 number.'],
  [[1, 2, '', 3], 'x at row 1, column 0 is "" (a string)'],
  [[null, 2], 'x at row 0, column 0 is null'],
  [[1, undefined], 'x at row 0, column 1 is undefined'],
  // biome-ignore lint/suspicious/noSparseArray: the hole is what is tested
  [[1, 2, , 3], 'x at row 1, column 0 is undefined'],
  [[1, true], 'x at row 0, column 1 is true (a boolean)'],
  [[1, {}], 'x at row 0, column 1 is an object'],
  [[1, [2]], 'x at row 0, column 1 is an array'],
  [[1, new Date(0)], 'x at row 0, column 1 is a Date'],
  [[1, Number.NaN], 'x at row 0, column 1 is NaN'],
  [[1, 1e39], 'x at row 0, column 1 is 1e+39'],
  [Float64Array.of(1, 2, -1e39), 'x at row 1, column 0 is -1e+39'],
  [Float32Array.of(1, 2, Number.NEGATIVE_INFINITY), 'x at row 1, column 0 is -Infinity'],
  [[1n, 2n ** 53n + 1n], 'x at row 0, column 1 is 9007199254740993n (a bigint); a bigint must be a safe integer.'],
  [BigUint64Array.of(2n ** 63n), 'x at row 0, column 0 is 9223372036854775808n (a bigint)'],
  [
    [
      [1, 2],
      [3, '4'],
    ],
    'x at row 1, column 1 is "4" (a string)',
  ],
  [[[1, 2], Float32Array.of(Number.NaN, 1)], 'x at row 1, column 0 is NaN'],
  [[[1, 2], null], 'x at row 1 is null; it must be an array of numbers.'],
  [[[1, 2], 3], 'x at row 1 is 3; it must be an array of numbers.'],
  [[[1, 2], '34'], 'x at row 1 is "34" (a string); it must be an array of numbers.'],
  [
    [
      [[1, 2], [3]],
      [
        [5, 6],
        [7, 8],
      ],
    ],
    'x at row 0, row 1 has 1 numbers, but row 0 has 2.',
  ],
  [
    [
      [[1], [2]],
      [[3], [null]],
    ],
    'x at row 1, row 1, column 0 is null',
  ],
])('%#: a value that is not a finite number is refused by its row and column', ([given, message]) => {
  expect(() => toValues('x', given, 2)).toThrow(message);
});

test('ragged rows are refused, with both lengths', () => {
  const ragged = (): unknown =>
    toValues('inputs', [
      [1, 2, 3],
      [4, 5, 6],
      [7, 8],
    ]);
  expect(ragged).toThrow(ShapeError);
  expect(ragged).toThrow('inputs at row 2 has 2 numbers, but row 0 has 3.');
  expect(() =>
    toValues('x', [
      [[1, 2]],
      [
        [1, 2],
        [3, 4],
      ],
    ]),
  ).toThrow('x at row 1 has 4 numbers, but row 0 has 2.');
});

test.for<[unknown, string]>([
  [undefined, 'x is undefined; it must be an array of numbers.'],
  [null, 'x is null;'],
  [5, 'x is 5; it must'],
  ['1,2', 'x is "1,2" (a string); it must be an array of numbers.'],
  [
    new ArrayBuffer(8),
    'x is an ArrayBuffer; it must be an array of numbers. Wrap its buffer in an array of its element',
  ],
  [new SharedArrayBuffer(8), 'x is a SharedArrayBuffer; it must be an array of numbers. Wrap its buffer'],
  [new DataView(new ArrayBuffer(8)), 'x is a DataView; it must be an array of numbers. Wrap its buffer'],
  [new Blob(['x']), 'x is a Blob; it must be an array of numbers. Read it: new Uint8Array(await'],
  [new Response('x'), 'x is a Response; it must be an array of numbers. Read it'],
  [Promise.resolve([1]), 'x is a Promise that is not awaited; it must be an array of numbers.'],
  [new Set([1]), 'x is a Set; it must be an array of numbers.'],
  [[1, 2].values(), 'x is an Array Iterator; it must be an array of numbers.'],
  [{ a: 1 }, 'x is an object; it must be an array of numbers.'],
  [Math.max, 'x is a function; it must'],
])('%#: a value that is no array is refused, with a remedy if there is one', ([given, message]) => {
  expect(() => toValues('x', given, 2)).toThrow(message);
  expect(() => toValues('x', given, 2)).toThrow(DataError);
});

test('NaN and infinities are numbers where they are allowed; other types are not', () => {
  const all: Numbers = [Number.NaN, Number.POSITIVE_INFINITY, 1e39];
  expect(toFloats('x', all, 2, false)).toEqual(Float32Array.of(Number.NaN, Infinity, Infinity));
  expect(() => toFloats('x', [Number.NaN, '1'], undefined, false)).toThrow('x[1] is "1" (a string)');
});

test('weights are plain data', () => {
  expect(checkWeights('x', Float32Array.of(0.5, 1))).toEqual([0.5, 1]);
  expect(() => checkWeights('x', [1, '2'] as unknown as number[])).toThrow('x has "2" (a string) at 1; weights must');
  expect(() => checkWeights('x', { 0: 1, 1: 2 } as never)).toThrow('x is an object, not an array; weights must');
  expect(() => checkWeights('x', [])).toThrow('x has no weight above 0');
});
