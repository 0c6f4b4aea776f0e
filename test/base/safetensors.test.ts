import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FormatError } from '../../src/base/errors.js';
import { type FileTensor, readSafetensors, type TensorFile, writeSafetensors } from '../../src/base/safetensors.js';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A file of this header, and so many bytes of data. @param length what it says of the header's length */
function file(header: string | Uint8Array, dataBytes = 8, length?: number | bigint): Uint8Array {
  const json = typeof header === 'string' ? bytesOf(header) : header;
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length ?? json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const entry = (offsets: string, shape = '[2]', dtype = 'F32'): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;
const one = (offsets: string, shape?: string, dtype?: string): string => `{"a":${entry(offsets, shape, dtype)}}`;
const two = (first: string, second: string): string => `{"a":${entry(first, '[1]')},"b":${entry(second, '[1]')}}`;
const good = one('[0,8]');

test('the smallest good files', () => {
  expect(readSafetensors(file('{}', 0), 'x')).toEqual({ tensors: new Map(), metadata: new Map() });
  const { tensors } = readSafetensors(file(good), 'x');
  expect([...tensors.keys()]).toEqual(['a']);
  expect(tensors.get('a')).toMatchObject({ dtype: 'F32', shape: [2], data: new Uint8Array(8) });
  expect(readSafetensors(file(one('[0,0]', '[3,0]'), 0), 'x').tensors.get('a')?.data).toHaveLength(0);
  expect(readSafetensors(file(one('[0,8]', '[]', 'I64')), 'x').tensors.get('a')?.shape).toEqual([]);
  expect(readSafetensors(file(`{ "__metadata__" : { } ,\n"a":${entry('[ 0 , 8 ]')} }   `), 'x').tensors.size).toBe(1);
  expect(readSafetensors(file(two('[4,8]', '[0,4]')), 'x').tensors.size).toBe(2);
  const emptyLast = `{"a":${entry('[0,8]')},"b":${entry('[0,0]', '[0]')}}`;
  expect(readSafetensors(file(emptyLast), 'x').tensors.size).toBe(2);
});

/** What each is, the file, and what the message must say: what is wrong, its name, the byte. */
const malformed: readonly [what: string, bytes: Uint8Array, message: string][] = [
  ['nothing', new Uint8Array(0), 'x: the file has 0 bytes; a safetensors file begins with a length of 8.'],
  ['seven bytes', new Uint8Array(7), 'the file has 7 bytes'],
  ['no header', new Uint8Array(8), 'at byte 8 of the file, the header must begin with "{".'],
  ['a header longer than the file', file(good, 8, 1000), 'say that the header has 1000 bytes, but'],
  [
    'a header one byte longer than the file',
    file('{}', 0, 3),
    'say that the header has 3 bytes, but it can have at most 2.',
  ],
  ['a header of more than 1 MiB', file('{}', 2 ** 20 + 8, 2 ** 20 + 8), 'at most 1048576'],
  ['a length of 2³² more', file(good, 8, 2n ** 32n + BigInt(good.length)), 'say that the header has 42949'],
  ['a length of 2⁵³', file(good, 8, 2n ** 53n), 'the header has 9007199254740992 bytes'],
  ['a length of 2⁶⁴ − 1', file(good, 8, 2n ** 64n - 1n), 'the header has 18446744073709552000 bytes'],
  ['a length that ends within the header', file(good, 8, good.length - 1), 'is expected'],
  ['a length that takes data for header', file(good, 8, good.length + 1), 'something follows the header'],
  ['a web page', bytesOf('<!doctype html><title>404</title>'), 'x: the file is not safetensors. It looks like HTML'],
  ['an array for a header', file('[]'), 'the header must begin with "{".'],
  ['space before the header', file(' {}', 0), 'at byte 8 of the file, the header must begin with "{".'],
  ['a byte order mark', file('\ufeff{}', 0), 'the header must begin with "{".'],
  ['bad UTF-8', file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d), 0), 'from byte 8 on, is not UTF-8.'],
  ['overlong UTF-8', file(Uint8Array.of(0x7b, 0x22, 0xc0, 0x80, 0x22, 0x7d), 0), 'is not UTF-8.'],
  ['a NUL as it is', file('{"a\0":1}', 0), 'at byte 9 of the file, a string in double quotes is expected.'],
  ['a NUL in a name', file(`{"a\\u0000":${entry('[0,8]')}}`), 'a string has a NUL'],
  ['half of a surrogate pair', file(`{"\\ud800":${entry('[0,8]')}}`), 'half of a surrogate pair'],
  [
    'NULs behind the header',
    file(`${good}\0\0`),
    `at byte ${8 + good.length} of the file, something follows the header.`,
  ],
  ['a second header', file(`${good}${good}`), 'something follows the header'],
  ['an unfinished object', file('{', 0), 'at byte 9 of the file, a string in double quotes is expected.'],
  ['an unfinished text', file('{"abc', 0), 'a string in double quotes is expected'],
  ['a text that ends in its escape', file('{"abc\\', 0), 'a string in double quotes is expected'],
  ['an escape that JSON has not', file(`{"\\x":${entry('[0,8]')}}`), 'a string in double quotes is expected'],
  ['no value', file('{"a"}', 0), '":" is expected'],
  ['a comma at the end', file(`{"a":${entry('[0,8]')},}`), 'a string in double quotes is expected'],
  ['no comma', file(`{"a":${entry('[0,4]', '[1]')}"b":${entry('[4,8]', '[1]')}}`), '"}" is expected'],
  ['single quotes', file(`{'a':${entry('[0,8]')}}`), 'a string in double quotes is expected'],
  ['a number for a tensor', file('{"a":1}', 0), 'at byte 13 of the file, "{" is expected.'],
  ['null for a tensor', file('{"a":null}', 0), '"{" is expected'],
  ['deep arrays', file(`{"a":${'['.repeat(1e5)}`, 0), '"{" is expected'],
  ['deep objects', file(`${'{"a":'.repeat(1e5)}`, 0), '"a" has "a"; a tensor has dtype, shape and data_offsets'],
  ['a deep shape', file(one('[0,8]', '[[2]]')), 'an integer from 0 to 2⁵³ − 1 is expected'],
  ['a tensor twice', file(`{"a":${entry('[0,4]', '[1]')},"a":${entry('[4,8]', '[1]')}}`), '"a" occurs twice'],
  [
    'a tensor twice, once escaped',
    file(`{"a":${entry('[0,4]', '[1]')},"\\u0061":${entry('[4,8]', '[1]')}}`),
    '"a" occurs twice',
  ],
  [
    'a dtype twice',
    file('{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}'),
    '"dtype" occurs twice',
  ],
  ['metadata twice', file('{"__metadata__":{},"__metadata__":{}}', 0), '"__metadata__" occurs twice'],
  ['a key of metadata twice', file('{"__metadata__":{"a":"","a":""}}', 0), '"a" occurs twice'],
  ['__proto__ for a tensor', file(`{"__proto__":${entry('[0,8]')}}`), '"__proto__" is not allowed as a name'],
  ['__proto__ in a tensor', file('{"a":{"__proto__":{}}}', 0), '"__proto__" is not allowed as a name'],
  ['__proto__ in the metadata', file('{"__metadata__":{"__proto__":"a"}}', 0), '"__proto__" is not allowed as a name'],
  ['a number in the metadata', file('{"__metadata__":{"a":1}}', 0), 'a string in double quotes is expected'],
  ['an object in the metadata', file('{"__metadata__":{"a":{}}}', 0), 'a string in double quotes is expected'],
  ['metadata that are a text', file('{"__metadata__":"a"}', 0), '"{" is expected'],
  ['a negative offset', file(one('[-8,0]')), 'an integer from 0 to 2⁵³ − 1 is expected'],
  ['a fractional offset', file(one('[0.5,8]')), '"]" is expected'],
  ['an offset with an exponent', file(one('[0,8e0]')), '"]" is expected'],
  ['an offset of 2⁵³', file(one('[0,9007199254740992]')), 'an integer from 0 to 2⁵³ − 1 is expected'],
  ['an offset with a leading zero', file(one('[0,08]')), '"]" is expected'],
  ['an offset in quotes', file(one('["0","8"]')), 'an integer from 0 to 2⁵³ − 1 is expected'],
  ['an offset of a thousand digits', file(one(`[0,${'9'.repeat(1000)}]`)), 'an integer from 0 to 2⁵³ − 1 is expected'],
  ['one offset', file(one('[0]')), '"a" needs dtype, shape, and data_offsets of two numbers'],
  ['three offsets', file(one('[0,8,8]')), '"a" needs dtype, shape, and data_offsets of two numbers'],
  ['offsets the wrong way round', file(one('[8,0]')), '"a" is F32 (2), 8 bytes, but its data_offsets are 8 and 0'],
  ['a negative size', file(one('[0,8]', '[-2]')), 'an integer from 0 to 2⁵³ − 1 is expected'],
  ['a fractional size', file(one('[0,8]', '[2.5]')), '"]" is expected'],
  [
    'a shape that is too large',
    file(one('[0,8]', '[3]')),
    '"a" is F32 (3), 12 bytes, but its data_offsets are 0 and 8',
  ],
  ['a shape that is too small', file(one('[0,8]', '[1]')), '"a" is F32 (1), 4 bytes'],
  [
    'a shape beyond 2⁵³',
    file(one('[0,8]', '[94906267,94906267]')),
    '"a" has shape (94906267, 94906267), which is too large',
  ],
  ['a shape that a product of 2⁶⁴ makes 8', file(one('[0,8]', '[4294967296,4294967296,2]')), 'which is too large'],
  ['a shape beyond 2⁵³ with a zero', file(one('[0,0]', '[4294967296,4294967296,0]'), 0), 'which is too large'],
  ['an unknown dtype', file(one('[0,8]', '[4]', 'F16')), '"a" has dtype "F16"; known are F32, U32, I64, U8. Convert'],
  ['a dtype of Object.prototype', file(one('[0,8]', '[2]', 'toString')), '"a" has dtype "toString"'],
  [
    'a dtype that is a number',
    file('{"a":{"dtype":32,"shape":[2],"data_offsets":[0,8]}}'),
    'a string in double quotes',
  ],
  ['no dtype', file('{"a":{"shape":[2],"data_offsets":[0,8]}}'), '"a" needs dtype, shape, and data_offsets'],
  ['no shape', file('{"a":{"dtype":"F32","data_offsets":[0,8]}}'), '"a" needs dtype, shape, and data_offsets'],
  ['no offsets', file('{"a":{"dtype":"F32","shape":[2]}}'), '"a" needs dtype, shape, and data_offsets'],
  [
    'one key too many',
    file('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"b":1}}'),
    '"a" has "b"; a tensor has',
  ],
  [
    'a tensor beyond the end',
    file(good, 4),
    `the tensors end at byte ${16 + good.length}, but the file has ${12 + good.length}`,
  ],
  [
    'bytes after the tensors',
    file(good, 9),
    `the tensors end at byte ${16 + good.length}, but the file has ${17 + good.length}`,
  ],
  ['bytes, and no tensors', file('{}', 1), 'the tensors end at byte 10, but the file has 11 bytes.'],
  ['a gap at the beginning', file(one('[4,12]'), 12), '"a" begins at byte'],
  ['a gap', file(two('[0,4]', '[8,12]'), 12), '"b" begins at byte'],
  ['an overlap', file(two('[0,4]', '[2,6]'), 6), 'and overlaps the tensor before it'],
  ['two tensors in one place', file(two('[0,4]', '[0,4]'), 4), 'and overlaps the tensor before it'],
];
test.for(malformed)('%s is refused', ([, bytes, message]) => {
  const read = (): TensorFile => readSafetensors(bytes, 'x');
  expect(read).toThrow(FormatError);
  expect(read).toThrow(message);
  expect(read).toThrow(/^x: /);
});

test('there are as many handwritten files as were promised', () => {
  expect(malformed.length).toBeGreaterThanOrEqual(40);
});

const wide: FileTensor = { dtype: 'I64', shape: [], data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) };
const floats: FileTensor = { dtype: 'F32', shape: [3], data: new Uint8Array(Float32Array.of(1, -0, Infinity).buffer) };
const bytes: FileTensor = { dtype: 'U8', shape: [1, 5], data: Uint8Array.of(1, 2, 3, 4, 5) };
const words: FileTensor = { dtype: 'U32', shape: [2, 1], data: new Uint8Array(8).fill(0xfe) };
const sample: TensorFile = {
  tensors: new Map([
    ['0.weight', floats],
    ['naïve "name" \\ 🙂', bytes],
    ['constructor', words],
    ['7', wide],
  ]),
  metadata: new Map([
    ['format', 'pt'],
    ['quoted', '{"a":"\\"\\n"}'],
  ]),
};

test('what is written is what is read', () => {
  expect(readSafetensors(writeSafetensors(sample), 'x')).toEqual(sample);
});

test('tensors begin at multiples of their elements, the header ends at one of 8', () => {
  const written = writeSafetensors(sample);
  const headerBytes = new DataView(written.buffer).getUint32(0, true);
  expect(headerBytes % 8).toBe(0);
  for (const [name, { data, dtype }] of readSafetensors(written, 'x').tensors) {
    expect(data.byteOffset % { F32: 4, U32: 4, I64: 8, U8: 1 }[dtype], name).toBe(0);
    expect(data.buffer).toBe(written.buffer);
  }
  expect(JSON.parse(new TextDecoder().decode(written.subarray(8, 8 + headerBytes)))).toMatchObject({
    __metadata__: { format: 'pt' },
    7: { dtype: 'I64', shape: [], data_offsets: [0, 8] },
    '0.weight': { dtype: 'F32', shape: [3], data_offsets: [8, 20] },
  });
});

test('a header that could not be read again is not written', () => {
  const metadata = new Map([['a', 'a'.repeat(2 ** 20)]]);
  expect(() => writeSafetensors({ tensors: new Map(), metadata })).toThrow(FormatError);
  expect(() => writeSafetensors({ tensors: new Map(), metadata })).toThrow('at most 1048576 can be read back');
});

test('a file may begin anywhere in its buffer', () => {
  const written = writeSafetensors(sample);
  const within = new Uint8Array(written.length + 5);
  within.set(written, 3);
  expect(readSafetensors(within.subarray(3, 3 + written.length), 'x')).toEqual(sample);
});

/** Whatever was done to a file, either it is refused, or it holds together: written again it reads the same. */
function expectSound(mutant: Uint8Array): void {
  let read: TensorFile;
  try {
    read = readSafetensors(mutant, 'x');
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return;
  }
  const sizes = [...read.tensors.values()].map(({ data }) => data.length);
  const headerBytes = new DataView(mutant.buffer, mutant.byteOffset).getUint32(0, true);
  expect(sizes.reduce((sum, size) => sum + size, 8 + headerBytes)).toBe(mutant.length);
  expect(readSafetensors(writeSafetensors(read), 'x')).toEqual(read);
}

const original = writeSafetensors(sample);
const position = fc.nat({ max: original.length });

test('any bytes changed, removed, put in or doubled', () => {
  const interesting = fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(...bytesOf('{}[]",:\\0123456789-.e \0au')));
  const edit = fc.oneof(
    fc.record({ kind: fc.constant('set'), at: position, byte: interesting, length: fc.constant(1) }),
    fc.record({ kind: fc.constant('put'), at: position, byte: interesting, length: fc.constant(0) }),
    fc.record({ kind: fc.constant('cut'), at: position, byte: interesting, length: fc.integer({ min: 1, max: 40 }) }),
    fc.record({
      kind: fc.constant('double'),
      at: position,
      byte: interesting,
      length: fc.integer({ min: 1, max: 40 }),
    }),
  );
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      let list = [...original];
      for (const { kind, at, byte, length } of edits) {
        const piece = list.slice(at, at + length);
        const instead = { set: [byte], put: [byte], cut: [], double: [...piece, ...piece] }[kind] ?? [];
        list = [...list.slice(0, at), ...instead, ...list.slice(at + length)];
      }
      expectSound(Uint8Array.from(list));
    }),
    { seed: 1, numRuns: 5000 },
  );
});

test('every length that it can be cut to is refused', () => {
  for (let length = 0; length < original.length; length++) {
    expect(() => readSafetensors(original.subarray(0, length), 'x'), `${length} bytes`).toThrow(FormatError);
  }
});

test('every bit that can be flipped', () => {
  for (let bit = 0; bit < 8 * original.length; bit++) {
    const flipped = original.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expectSound(flipped);
  }
});

test('headers of the right words in any order', () => {
  const word = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '0',
    '8',
    '-1',
    '1e3',
    '"a"',
    '"dtype"',
    '"F32"',
    '"shape"',
    '"data_offsets"',
    '"__metadata__"',
    entry('[0,8]'),
    entry('[8,16]'),
    '[0,8]',
    '[2]',
    ' ',
    'null',
    'true',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 24 }), fc.nat({ max: 16 }), (list, dataBytes) => {
      expectSound(file(`{${list.join('')}}`, dataBytes));
    }),
    { seed: 2, numRuns: 5000 },
  );
});

test('any names, texts, types and sizes come back', () => {
  const name = fc
    .string({ unit: 'grapheme', maxLength: 12 })
    .filter((s) => s !== '__proto__' && s !== '__metadata__' && !s.includes('\0'));
  const tensor = fc
    .record({
      dtype: fc.constantFrom('F32', 'U32', 'I64', 'U8'),
      shape: fc.array(fc.nat({ max: 4 }), { maxLength: 3 }),
    })
    .map(({ dtype, shape }): FileTensor => {
      const size = { F32: 4, U32: 4, I64: 8, U8: 1 }[dtype];
      const length = shape.reduce((product, n) => product * n, size);
      return { dtype, shape, data: Uint8Array.from({ length }, (_, i) => (31 * i) % 256) };
    });
  const pairs = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Map<string, T>> =>
    fc.array(fc.tuple(name, value), { maxLength: 6 }).map((list) => new Map(list));
  fc.assert(
    fc.property(pairs(tensor), pairs(name), (tensors, metadata) => {
      expect(readSafetensors(writeSafetensors({ tensors, metadata }), 'x')).toEqual({ tensors, metadata });
    }),
    { seed: 3, numRuns: 500 },
  );
});
