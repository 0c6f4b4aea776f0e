import { expect, test } from 'vitest';
import { DataError } from '../../src/base/errors.js';
import { areNames, sortedNames, toClasses } from '../../src/data/labels.js';

const indices = { classes: Uint32Array.of(2, 0, 1), classCount: 3, classNames: undefined };

test.for<[string, unknown]>([
  ['an array', [2, 0, 1]],
  ['Int8Array', Int8Array.of(2, 0, 1)],
  ['Uint8Array', Uint8Array.of(2, 0, 1)],
  ['Uint16Array', Uint16Array.of(2, 0, 1)],
  ['Int32Array', Int32Array.of(2, 0, 1)],
  ['Float32Array', Float32Array.of(2, 0, 1)],
  ['Float64Array', Float64Array.of(2, 0, 1)],
  ['BigInt64Array', BigInt64Array.of(2n, 0n, 1n)],
  ['BigUint64Array', BigUint64Array.of(2n, 0n, 1n)],
  ['bigints', [2n, 0n, 1n]],
  ['a column', [[2], [0], [1]]],
  ['typed columns', [Int32Array.of(2), Int32Array.of(0), Int32Array.of(1)]],
  ['one-hot rows', [[0, 0, 1], [1, 0, 0], Uint8Array.of(0, 1, 0)]],
])('classes: %s', ([, given]) => {
  expect(toClasses('x', given)).toEqual(indices);
});

test('names are numbered in sorted order, whatever the order of the samples', () => {
  const classNames = ['Zebra', 'cat', 'dog'];
  expect(toClasses('x', ['cat', 'dog', 'Zebra', 'cat'])).toEqual({
    classes: Uint32Array.of(1, 2, 0, 1),
    classCount: 3,
    classNames,
  });
  expect(toClasses('x', ['dog', 'Zebra', 'cat']).classNames).toEqual(classNames);
  expect(toClasses('x', [['b'], ['a']])).toMatchObject({ classes: Uint32Array.of(1, 0), classNames: ['a', 'b'] });
});

test('names that are integers are sorted by their values', () => {
  expect(sortedNames(['10', '9', '2', '10'])).toEqual(['2', '9', '10']);
  expect(sortedNames(['10', '9', 'x'])).toEqual(['10', '9', 'x']);
  expect(sortedNames(['1', '-1'])).toEqual(['-1', '1']);
});

test('given names decide the order, and the number of classes', () => {
  const classNames = ['dog', 'cat', 'bird'];
  expect(toClasses('x', ['cat', 'dog'], classNames)).toEqual({
    classes: Uint32Array.of(1, 0),
    classCount: 3,
    classNames,
  });
  expect(toClasses('x', [1, 0], classNames)).toMatchObject({ classCount: 2, classNames });
});

test('booleans are classes 0 and 1, also if all are equal', () => {
  const all = { classes: Uint32Array.of(0, 0), classCount: 2, classNames: ['false', 'true'] };
  expect(toClasses('x', [false, false])).toEqual(all);
  expect(toClasses('x', [true, false], ['no', 'yes'])).toMatchObject({ classNames: ['no', 'yes'], classCount: 2 });
});

test('an object property is no name', () => {
  expect(toClasses('x', ['constructor', '__proto__'])).toMatchObject({ classes: Uint32Array.of(1, 0) });
});

test.for<[unknown, string]>([
  [[0, 1.5], 'x: classes[1] is 1.5; a class is an integer ≥ 0.'],
  [[0, -1], 'x: classes[1] is -1; a class is an integer ≥ 0.'],
  [[0, 2 ** 31], 'x: classes[1] is 2147483648; a class is an integer ≥ 0.'],
  [[0, 2n ** 40n], 'x: classes[1] is 1099511627776n (a bigint); a class'],
  [BigInt64Array.of(0n, -1n), 'x: classes[1] is -1n (a bigint)'],
  [[0, '1'], 'x: classes[1] is "1" (a string); a class is an integer ≥ 0.'],
  [[0, true], 'x: classes[1] is true (a boolean)'],
  [[0, null], 'x: classes[1] is null'],
  // biome-ignore lint/suspicious/noSparseArray: the hole is what is tested
  [[0, , 1], 'x: classes[1] is undefined'],
  [[null, 1], 'x: classes[0] is null'],
  [['a', 1], 'x: classes[1] is 1; a name is a string that is not empty.'],
  [['a', ''], 'x: classes[1] is "" (a string); a name'],
  [['a', null], 'x: classes[1] is null; a name'],
  [[true, 1], 'x: classes[1] is 1; the first is a boolean, so each must be one.'],
  [
    [
      [0, 1],
      [1, 1],
    ],
    'x: classes[1] is not one-hot: one number must be 1, and all others 0.',
  ],
  [
    [
      [0, 1],
      [0, 0],
    ],
    'x: classes[1] is not one-hot',
  ],
  [
    [
      [0, 1],
      [0.5, 0.5],
    ],
    'x: classes[1] is not one-hot: one number must be 1, and all others 0. Pass probabilities as',
  ],
  [
    [
      [0, 1],
      [1, 0, 0],
    ],
    'x: classes at row 1 has 3 numbers, but row 0 has 2.',
  ],
  [[[0, 1], 1], 'x: classes at row 1 is 1; it must be an array of numbers.'],
  [[[0], [1, 0]], 'x: classes[1] is an array; a class is an integer ≥ 0.'],
  ['abc', 'x: classes is "abc" (a string); it must be an array of classes.'],
  [new ArrayBuffer(4), 'x: classes is an ArrayBuffer; it must be an array of classes. Wrap its buffer'],
])('%#: a label that is no class is refused by its index', ([given, message]) => {
  expect(() => toClasses('x', given)).toThrow(message);
});

test.for<[readonly unknown[], unknown, string]>([
  [['a', 'b'], ['a', 'c'], 'x: classes[1] is "c" (a string); classNames has only a, b.'],
  [['a', 'a'], ['a'], 'x: classNames has "a" twice.'],
  [['a', 2], ['a'], 'x: classNames[1] is 2; a name is a string.'],
  [['a'], [0, 1], 'x: classNames has 1 names, but the largest class is 1.'],
  [['a'], [true], 'x: classNames has 1 names, but the largest class is 1.'],
])('names %o and classes %o are refused', ([names, given, message]) => {
  expect(() => toClasses('x', given, names as string[])).toThrow(message);
  expect(() => toClasses('x', given, names as string[])).toThrow(DataError);
});

test('labels are names if the first is a string', () => {
  expect([['a'], [['a']], ['1'], [1], [[0, 1]], 'a', undefined].map(areNames)).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});
