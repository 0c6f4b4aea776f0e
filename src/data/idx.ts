import { formatShape, sizeOf } from '../base/check.js';
import { DataError } from '../base/errors.js';

/** An IDX file's contents: MNIST's images are (count, rows, columns), its labels (count). */
export interface Idx {
  readonly shape: readonly number[];
  readonly data: Uint8Array<ArrayBuffer>;
}

export interface IdxOptions {
  /** The file's name in error messages. */
  readonly name?: string | undefined;
  /** The number of dimensions that it must have: 3 for images, 1 for labels. */
  readonly rank?: number | undefined;
}

/** Two zero bytes and the element type, uint8. */
const MAGIC = [0, 0, 8];
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
  const content = file[0] === 0x1f && file[1] === 0x8b ? await decompressed(file, name, rank) : file;
  const { shape, start, end } = readHeader(content, name, rank);
  if (content.length < end) {
    const what = shape === undefined ? 'header' : `shape ${formatShape(shape)}`;
    throw new DataError(`${name} is truncated: its ${what} needs ${end} bytes, but there are ${content.length}.`);
  }
  if (content.length > end) throw new DataError(`${name} should end after ${end} bytes, but more follow.`);
  return { shape: shape ?? [], data: content.slice(start) };
}

interface Header {
  /** Not there while the header is incomplete. */
  readonly shape?: readonly number[];
  /** Where the elements begin. */
  readonly start: number;
  /** Where the file must end, as far as the header is known. */
  readonly end: number;
}

/** The header of a file, from its first bytes. @throws {DataError} as soon as they cannot be those of an IDX file */
function readHeader(file: Uint8Array, name: string, rank: number | undefined): Header {
  if (file[0] === 0x3c) {
    const begin = new TextDecoder().decode(file.subarray(0, 4));
    throw new DataError(
      `${name} begins with \`${begin}\`, a web page, not IDX. Look at the address that it came from.`,
    );
  }
  const first = [...file.subarray(0, 4)];
  if (MAGIC.some((byte, i) => byte !== (first[i] ?? byte))) {
    const hex = (list: readonly number[]): string => list.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    throw new DataError(`${name} begins with the bytes ${hex(first)}; an IDX file of uint8 begins with ${hex(MAGIC)}.`);
  }
  const dimensions = first[3];
  if (dimensions === undefined) return { start: 4, end: 4 };
  if (dimensions === 0 || (rank ?? dimensions) !== dimensions) {
    const expected = rank ?? 'at least 1';
    throw new DataError(
      `${name} has ${dimensions} dimensions (byte 3); ${expected} are expected. Images have 3, labels have 1.`,
    );
  }
  const start = 4 + 4 * dimensions;
  if (file.length < start) return { start, end: start };
  const view = new DataView(file.buffer, file.byteOffset);
  const shape = Array.from({ length: dimensions }, (_, d) => view.getUint32(4 + 4 * d));
  // A zero anywhere is no excuse for other dimensions that nothing can have.
  if (sizeOf(shape.map((size) => size || 1)) > MOST_BYTES) {
    throw new DataError(`${name} claims the shape ${formatShape(shape)} in bytes 4 to ${start - 1}, more than 2 GiB.`);
  }
  return { shape, start, end: start + sizeOf(shape) };
}

/** Decompresses, but no more than a portion beyond what the header promises: memory grows with what has arrived. */
async function decompressed(file: Uint8Array, name: string, rank: number | undefined): Promise<Uint8Array> {
  let offset = 0;
  const portions = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller): void {
      controller.enqueue(file.slice(offset, offset + PORTION));
      offset += PORTION;
      if (offset >= file.length) controller.close();
    },
  });
  const reader = portions.pipeThrough(new DecompressionStream('gzip')).getReader();
  let chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  let header: Header | undefined;
  try {
    while (header?.shape === undefined || length <= header.end) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw new DataError(`${name} is gzip that is truncated or corrupt. Download it again.`, { cause });
      });
      if (done) {
        // Browsers refuse bytes after the compressed stream, Node does not: its last four must be the decompressed size.
        const size = new DataView(file.buffer, file.byteOffset + file.length - 4).getUint32(0, true);
        if (size === length) break;
        throw new DataError(
          `${name} is gzip whose last four bytes say ${size}, but ${length} bytes came out: it is corrupt, or something follows.`,
        );
      }
      length += value.length;
      chunks.push(value);
      if (header?.shape === undefined) {
        chunks = [await joined(chunks)];
        header = readHeader(chunks[0] ?? value, name, rank);
      }
    }
  } finally {
    // After an error the rest is not wanted; after the end this does nothing.
    await reader.cancel().catch(() => undefined);
  }
  return await joined(chunks);
}

async function joined(chunks: Uint8Array<ArrayBuffer>[]): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
