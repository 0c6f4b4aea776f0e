import { expect, test } from 'vitest';
import { assertMethod, assertOption, describe, typeName } from '../../src/base/check.js';

const described: [unknown, string][] = [
  [Number.NaN, 'NaN'],
  [null, 'null'],
  [undefined, 'undefined'],
  ['3', '"3" (a string)'],
  ['', '"" (a string)'],
  ['say "yes"', '"say \\"yes\\"" (a string)'],
  [true, 'true (a boolean)'],
  [3n, '3n (a bigint)'],
  [[1, 2], 'an array'],
  [new Float32Array(1), 'a Float32Array'],
  [new Uint8Array(1), 'a Uint8Array'],
  [new ArrayBuffer(1), 'an ArrayBuffer'],
  [{ a: 1 }, 'an object'],
  [Promise.resolve(1), 'a Promise that is not awaited'],
  [new Map(), 'a Map'],
  [Math.max, 'a function'],
  [async () => 1, 'a function'],
  [Symbol('x'), 'a symbol'],
  [Object.create(null), 'an object'],
];
test.for(described)('%# a message calls a value by its literal or its type', ([value, text]) => {
  expect(describe(value)).toBe(text);
});

test('a long string is cut', () => {
  expect(describe('a'.repeat(1000))).toBe(`"${'a'.repeat(40)}…" (a string)`);
});

test('an article goes with the sound of the name', () => {
  const tagged = (tag: string): object => ({ [Symbol.toStringTag]: tag });
  expect(['ImageData', 'HTMLCanvasElement', 'Uint8Array', 'VideoFrame'].map((tag) => typeName(tagged(tag)))).toEqual([
    'an ImageData',
    'an HTMLCanvasElement',
    'a Uint8Array',
    'a VideoFrame',
  ]);
});

const options: [string, unknown, string][] = [
  ['fit:', -1, 'fit: epochs = -1; epochs must be an integer ≥ 0.'],
  ['fit:', null, 'fit: epochs = null; epochs must be an integer ≥ 0.'],
  ['fit:', '3', 'fit: epochs = "3" is a string; epochs must be an integer ≥ 0.'],
  ['fit:', '', 'fit: epochs = "" is a string; epochs must be an integer ≥ 0.'],
  ['fit:', true, 'fit: epochs = true is a boolean; epochs must be an integer ≥ 0.'],
  ['fit:', 3n, 'fit: epochs = 3n is a bigint; epochs must be an integer ≥ 0.'],
  ['fit:', [3], 'fit: epochs is an array; epochs must be an integer ≥ 0.'],
  ['fit:', {}, 'fit: epochs is an object; epochs must be an integer ≥ 0.'],
  ['layer 0 has', '3', 'layer 0: epochs = "3" is a string; epochs must be an integer ≥ 0.'],
  ['layer 0 has', 0.5, 'layer 0 has epochs = 0.5; epochs must be an integer ≥ 0.'],
];
test.for(options)('%# an option of another type is refused with its type', ([where, epochs, message]) => {
  expect(() => assertOption(where, { epochs }, 'an integer >= 0')).toThrow(message);
});

test('a value of another type in the place of an object is refused with its type', () => {
  expect(() => assertMethod('trainer: loss', 'mse' as never, 'record', 'huber()')).toThrow(
    'trainer: loss is "mse" (a string); it must be a value like huber().',
  );
  expect(() => assertMethod('trainer: loss', [] as never, 'record', 'huber()')).toThrow('loss is an array; it must');
});
