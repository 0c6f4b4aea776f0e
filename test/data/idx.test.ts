import { gzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { DataError } from '../../src/base/errors.js';
import { Random } from '../../src/base/random.js';
import { type IdxArray, type IdxOptions, readIdx } from '../../src/data/idx.js';

const word = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
const header = (...shape: number[]): number[] => [0, 0, 8, shape.length, ...shape.flatMap(word)];
const images = Uint8Array.of(...header(2, 2, 3), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255);
const labels = Uint8Array.of(...header(4), 5, 0, 4, 1);
/** An IDX file of one dimension, written by DataView. */
function idxOf(type: number, bytes: number, values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 + bytes * values.length));
  view.setUint32(0, 256 * type + 1);
  view.setUint32(4, values.length);
  const write = { 8: 'setUint8', 9: 'setInt8', 11: 'setInt16', 12: 'setInt32', 13: 'setFloat32', 14: 'setFloat64' }[
    type
  ] as 'setUint8';
  for (const [i, value] of values.entries()) view[write](8 + bytes * i, value);
  return new Uint8Array(view.buffer);
}
const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const gzip = (bytes: Uint8Array): Uint8Array => new Uint8Array(gzipSync(bytes));
const changed = (bytes: Uint8Array, index: number, change: (byte: number) => number): Uint8Array =>
  bytes.with(index, change(bytes.at(index) ?? 0));

describe('reads', () => {
  test.for([
    ['plain', images],
    ['gzip', gzip(images)],
    ['part of a larger buffer', Uint8Array.of(9, 9, ...images, 9).subarray(2, 2 + images.length)],
    ['part of a larger buffer, gzip', Uint8Array.of(9, 9, ...gzip(images), 9).subarray(2, 2 + gzip(images).length)],
  ] as const)('images: %s', async ([, bytes]) => {
    const idx = await readIdx(bytes, { rank: 3 });
    expect(idx.shape).toEqual([2, 2, 3]);
    expect([...idx.data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255]);
  });

  test('labels', async () => {
    expect(await readIdx(labels, { rank: 1 })).toEqual({ shape: [4], data: Uint8Array.of(5, 0, 4, 1) });
  });

  // Element 1 differs from what little-endian bytes would give; the extremes are those of each type.
  test.for<[what: string, type: number, bytes: number, values: IdxArray]>([
    ['uint8', 0x08, 1, Uint8Array.of(0, 1, 128, 255)],
    ['int8', 0x09, 1, Int8Array.of(0, 1, -128, 127)],
    ['int16', 0x0b, 2, Int16Array.of(0, 258, -32768, 32767)],
    ['int32', 0x0c, 4, Int32Array.of(0, 16909060, -(2 ** 31), 2 ** 31 - 1)],
    ['float32', 0x0d, 4, Float32Array.of(0, 0.1, -3.4028234663852886e38, 2 ** -149)],
    ['float64', 0x0e, 8, Float64Array.of(0, 0.1, -1.7976931348623157e308, 5e-324)],
  ])('elements of %s', async ([, type, bytes, values]) => {
    const file = idxOf(type, bytes, [...values]);
    for (const source of [file, gzip(file), Uint8Array.of(9, ...file).subarray(1), Buffer.from(file)]) {
      expect(await readIdx(source, { rank: 1 })).toEqual({ shape: [4], data: values });
    }
  });

  test('no examples are an empty file, not an error', async () => {
    for (const bytes of [Uint8Array.from(header(0, 28, 28)), gzip(Uint8Array.from(header(0, 28, 28)))]) {
      expect(await readIdx(bytes)).toEqual({ shape: [0, 28, 28], data: new Uint8Array(0) });
    }
  });

  test('its own copy: the file may be changed afterwards', async () => {
    const file = labels.slice();
    const { data } = await readIdx(file);
    file.fill(7);
    expect([...data]).toEqual([5, 0, 4, 1]);
  });

  test('a megabyte of gzip, in many portions', async () => {
    const random = new Random(1);
    const content = Uint8Array.from({ length: 1_000_000 }, () => random.bits() & 255);
    const file = gzip(Uint8Array.from([...header(1000, 1000), ...content]));
    const { data } = await readIdx(file, { rank: 2 });
    expect(data).toHaveLength(1_000_000);
    expect(Buffer.compare(data as Uint8Array, content)).toBe(0);
  });
});

const packed = gzip(images);
const malformed: readonly [what: string, bytes: Uint8Array, message: string, options?: IdxOptions][] = [
  ['empty', new Uint8Array(0), 'The IDX file is truncated: its header needs 4 bytes, but there are 0.'],
  ['a web page', text('<!doctype html>'), 'The IDX file begins with `<!do`, a web page, not IDX.'],
  ['a compressed web page', gzip(text('<!doctype html>')), 'begins with `<!do`, a web page, not IDX.'],
  ['its name', text('<html>'), 't10k begins with `<htm`', { name: 't10k' }],
  [
    'other text',
    text('version https'),
    'begins with the bytes 76 65 72 73; an IDX file begins with 00 00 and an element type: 08, 09, 0b, 0c, 0d, 0e.',
  ],
  ['second magic byte', changed(images, 1, () => 1), 'begins with the bytes 00 01 08 03; an IDX file'],
  ['unknown element type', changed(images, 2, () => 7), 'begins with the bytes 00 00 07 03; an IDX file'],
  [
    'int32 elements in the room of bytes',
    changed(images, 2, () => 12),
    'its shape (2, 2, 3) needs 64 bytes, but there',
  ],
  ['the same, compressed', gzip(changed(images, 2, () => 12)), 'its shape (2, 2, 3) needs 64 bytes, but there are 28'],
  ['bytes in the room of float64', idxOf(0x0e, 8, [1, 2]).with(2, 8), 'should end after 10 bytes, but more follow'],
  ['no dimensions', Uint8Array.of(0, 0, 8, 0, 1), 'has 0 dimensions (byte 3); at least 1 are expected'],
  [
    'labels for images',
    labels,
    'has 1 dimensions (byte 3); 3 are expected. Images have 3, labels have 1.',
    { rank: 3 },
  ],
  [
    'images for labels',
    images,
    'has 3 dimensions (byte 3); 1 are expected. Images have 3, labels have 1.',
    { rank: 1 },
  ],
  ['compressed labels for images', gzip(labels), '3 are expected. Images have 3', { rank: 3 }],
  ['three bytes', images.slice(0, 3), 'is truncated: its header needs 4 bytes, but there are 3'],
  ['half a header', images.slice(0, 9), 'is truncated: its header needs 16 bytes, but there are 9'],
  ['half a compressed header', gzip(images.slice(0, 9)), 'its header needs 16 bytes, but there are 9'],
  ['header alone', images.slice(0, 16), 'its shape (2, 2, 3) needs 28 bytes, but there are 16'],
  ['a byte short', images.slice(0, -1), 'its shape (2, 2, 3) needs 28 bytes, but there are 27'],
  ['a byte short, compressed', gzip(images.slice(0, -1)), 'needs 28 bytes, but there are 27'],
  ['a byte too many', Uint8Array.of(...images, 0), 'should end after 28 bytes, but more follow'],
  ['a byte too many, compressed', gzip(Uint8Array.of(...images, 0)), 'should end after 28 bytes, but more follow'],
  [
    '2³² − 1 images',
    Uint8Array.from(header(0xffffffff)),
    'claims the shape (4294967295) in bytes 4 to 7, more than 2 GiB',
  ],
  ['a product of 2⁹⁶', gzip(Uint8Array.from(header(2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1))), 'more than 2 GiB'],
  ['2²⁸ of float64', Uint8Array.of(...header(2 ** 28)).with(2, 0x0e), 'claims the shape (268435456) in bytes 4 to 7'],
  ['none of 2³¹', Uint8Array.from(header(0, 2 ** 31)), 'claims the shape (0, 2147483648)'],
  ['gzip’s first two bytes', packed.slice(0, 2), 'is gzip that is truncated or corrupt'],
  ['gzip cut in the middle', packed.slice(0, packed.length >> 1), 'is gzip that is truncated or corrupt'],
  ['gzip without its last byte', packed.slice(0, -1), 'is gzip that is truncated or corrupt'],
  [
    'gzip with a wrong CRC',
    changed(packed, packed.length - 6, (byte) => byte ^ 1),
    'is gzip that is truncated or corrupt',
  ],
  ['gzip with a wrong size', changed(packed, packed.length - 4, (byte) => byte ^ 1), 'is gzip'],
  [
    'two gzip members, which no browser reads',
    Uint8Array.of(...gzip(images.slice(0, 20)), ...gzip(images.slice(20))),
    'is gzip whose last four bytes give 8 bytes, but it has 28 decompressed',
  ],
  ['bytes after gzip', Uint8Array.of(...packed, 1, 2, 3, 4), 'is gzip'],
];

describe('refuses', () => {
  test.for(malformed)('%s', async ([, bytes, message, options]) => {
    const error = await readIdx(bytes, options).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(DataError);
    expect(error).toMatchObject({ code: 'data', message: expect.stringContaining(message) });
  });

  test('a bomb, before it has grown', async () => {
    const content = new Uint8Array(50_000_000);
    content.set(images);
    const bomb = gzip(content);
    let grown = 0;
    const Native = DecompressionStream;
    vi.stubGlobal('DecompressionStream', function counting(format: CompressionFormat) {
      const { writable, readable } = new Native(format);
      const count = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller): void {
          grown += chunk.length;
          controller.enqueue(chunk);
        },
      });
      return { writable, readable: readable.pipeThrough(count) };
    });
    try {
      await expect(readIdx(bomb)).rejects.toThrow('should end after 28 bytes');
    } finally {
      vi.unstubAllGlobals();
    }
    expect(grown).toBeGreaterThan(0);
    expect(grown).toBeLessThan(25_000_000); // of 50 million
  });

  test('every truncation and every flipped bit: a DataError, or a file of the promised size', async () => {
    for (const file of [images, packed]) {
      for (let length = 0; length < file.length; length++) {
        await expect(readIdx(file.slice(0, length))).rejects.toBeInstanceOf(DataError);
      }
      for (let bit = 0; bit < 8 * file.length; bit++) {
        const outcome = await readIdx(changed(file, bit >> 3, (byte) => byte ^ (1 << (bit & 7)))).catch(
          (error: unknown) => error,
        );
        if (outcome instanceof DataError) continue;
        const { shape, data } = outcome as { shape: readonly number[]; data: Uint8Array };
        expect(data).toHaveLength(shape.reduce((product, size) => product * size, 1));
      }
    }
  });
});
