import { DataError } from './errors.js';

/** An IDX file's contents: MNIST's images are (count, rows, columns), its labels (count). */
export interface Idx {
  readonly shape: readonly number[];
  readonly data: Uint8Array<ArrayBuffer>;
}

export interface IdxOptions {
  /** How error messages call the file. */
  readonly name?: string | undefined;
  /** How many dimensions it must have: 3 for images, 1 for labels. */
  readonly rank?: number | undefined;
}

const elementTypes: Readonly<Record<number, string>> = {
  9: 'int8',
  11: 'int16',
  12: 'int32',
  13: 'float32',
  14: 'float64',
};
/** The largest array that every browser gives. */
const MOST_BYTES = 2 ** 31 - 1;
/** Compressed bytes at a time: deflate makes at most 1032 of each, so a bomb is noticed after 17 MB. */
const PORTION = 16384;

/**
 * Reads an IDX file of unsigned bytes, plain or gzip: two zero bytes, the element type 8, the number of dimensions, the
 * dimensions as big-endian 32-bit integers, then the bytes, and nothing after them.
 * Source: Yann LeCun's page of the MNIST database, section "file formats".
 * @throws {DataError} if it is something else; the message says where, what was expected and what is there
 */
export async function readIdx(bytes: Uint8Array | ArrayBuffer, options: IdxOptions = {}): Promise<Idx> {
  const { name = 'The IDX file', rank } = options;
  const file = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  if (file[0] === 0x1f && file[1] === 0x8b) return readGzip(file, name, rank);
  const header = readHeader(file, file.length, name, rank);
  if (header === undefined) throw truncated(name, 4 + 4 * (file[3] ?? 0), file.length);
  const promised = header.start + header.size;
  if (file.length < promised) throw truncated(name, promised, file.length, header.shape);
  if (file.length > promised) throw trailing(name, promised, `${file.length - promised} bytes follow`);
  return { shape: header.shape, data: file.slice(header.start) };
}

interface Header {
  readonly shape: readonly number[];
  /** Where the elements begin. */
  readonly start: number;
  /** How many there are. */
  readonly size: number;
}

/** The header, or undefined while it is not all there. `available` bytes of the file are. */
function readHeader(file: Uint8Array, available: number, name: string, rank: number | undefined): Header | undefined {
  if (available === 0) throw new DataError(`${name} is empty; an IDX file begins with the bytes 00 00 08.`);
  if (file[0] === 0x3c) {
    const start = new TextDecoder().decode(file.subarray(0, Math.min(4, available)));
    throw new DataError(
      `${name} begins with \`${start}\`, a web page, not IDX. Look at the address that it came from.`,
    );
  }
  const magic = [0, 0, 8];
  for (let offset = 0; offset < Math.min(3, available); offset++) {
    if (offset === 2 && file[2] !== 8 && file[2] !== undefined && elementTypes[file[2]] !== undefined) {
      throw new DataError(
        `${name} holds elements of type ${elementTypes[file[2]]} (byte 2 is ${hex(file[2])}); only uint8 (08) can be read.`,
      );
    }
    if (file[offset] !== magic[offset]) {
      const found = [...file.subarray(0, Math.min(4, available))].map(hex).join(' ');
      throw new DataError(
        `${name} begins with the bytes ${found}; byte ${offset} of an IDX file of uint8 is ${hex(magic[offset] ?? 0)}.`,
      );
    }
  }
  if (available < 4) return undefined;
  const dimensions = file[3] ?? 0;
  if (dimensions === 0) throw new DataError(`${name} has 0 dimensions (byte 3); it needs at least one.`);
  if (rank !== undefined && dimensions !== rank) {
    const kinds: Readonly<Record<number, string>> = { 1: ', as labels have', 3: ', as images have' };
    throw new DataError(
      `${name} has ${dimensions} dimensions (byte 3)${kinds[dimensions] ?? ''}; ${rank} are expected${kinds[rank] ?? ''}.`,
    );
  }
  const start = 4 + 4 * dimensions;
  if (available < start) return undefined;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const shape = Array.from({ length: dimensions }, (_, d) => view.getUint32(4 + 4 * d));
  // A zero anywhere is no excuse for other dimensions that nothing can have.
  const claimed = shape.reduce((product, size) => product * Math.max(size, 1), 1);
  if (claimed > MOST_BYTES) {
    throw new DataError(`${name} claims the shape (${shape.join(', ')}) in bytes 4 to ${start - 1}, more than 2 GiB.`);
  }
  return { shape, start, size: shape.reduce((product, size) => product * size, 1) };
}

/** Decompresses until there is as much as the header promises, and one portion more to see that nothing follows. */
async function readGzip(file: Uint8Array, name: string, rank: number | undefined): Promise<Idx> {
  const stream = portions(file).pipeThrough(new DecompressionStream('gzip'));
  const reader = stream.getReader();
  let head = new Uint8Array(0);
  let header: Header | undefined;
  let data = new Uint8Array(0);
  let received = 0;
  const copy = (chunk: Uint8Array, offset: number, { start, size }: Header): void => {
    const from = Math.max(start - offset, 0);
    const part = chunk.subarray(from, Math.max(from, start + size - offset));
    const end = offset + from - start + part.length;
    if (end > data.length) data = grown(data, end, size);
    data.set(part, offset + from - start);
  };
  try {
    for (;;) {
      const { done, value } = await decompressed(reader, name);
      if (done) break;
      if (header === undefined) {
        head = joined(head, value);
        header = readHeader(head, head.length, name, rank);
        if (header !== undefined) copy(head, 0, header);
      } else {
        copy(value, received, header);
      }
      received += value.length;
      const promised = header === undefined ? Infinity : header.start + header.size;
      if (received > promised) throw trailing(name, promised, 'more decompressed bytes follow');
    }
  } finally {
    // After an error the rest is not wanted; after the end this does nothing.
    await reader.cancel().catch(() => undefined);
  }
  if (header === undefined) {
    header = readHeader(head, head.length, name, rank);
    throw truncated(name, 4 + 4 * (head[3] ?? 0), head.length);
  }
  const promised = header.start + header.size;
  if (received < promised) throw truncated(name, promised, received, header.shape);
  // Browsers refuse bytes after the compressed stream, Node does not: its last four must be the decompressed size.
  const size = new DataView(file.buffer, file.byteOffset, file.byteLength).getUint32(file.length - 4, true);
  if (size !== received) {
    throw new DataError(
      `${name} is gzip whose last four bytes say ${size}, but ${received} bytes came out: it is corrupt, or something follows.`,
    );
  }
  return { shape: header.shape, data: data.length === header.size ? data : data.slice(0, header.size) };
}

function portions(file: Uint8Array): ReadableStream<Uint8Array<ArrayBuffer>> {
  let offset = 0;
  return new ReadableStream({
    pull(controller): void {
      controller.enqueue(file.slice(offset, offset + PORTION));
      offset += PORTION;
      if (offset >= file.length) controller.close();
    },
  });
}

async function decompressed(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  name: string,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await reader.read();
  } catch (cause) {
    throw new DataError(`${name} is gzip that is truncated or corrupt. Download it again.`, { cause });
  }
}

/** A header may promise 2 GiB and have nothing: memory grows with what has arrived. */
function grown(data: Uint8Array, needed: number, most: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.min(most, Math.max(needed, 2 * data.length, 65536)));
  larger.set(data);
  return larger;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function truncated(name: string, expected: number, actual: number, shape?: readonly number[]): DataError {
  const why = shape === undefined ? 'its header needs' : `its shape (${shape.join(', ')}) needs`;
  return new DataError(`${name} is truncated: ${why} ${expected} bytes, but there are ${actual}.`);
}

function trailing(name: string, end: number, what: string): DataError {
  return new DataError(`${name} should end after ${end} bytes, but ${what}.`);
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
