import { formatShape, sizeOf } from '../base/check.js';
import { DataError } from '../base/errors.js';

/** Contents of an IDX file. Images of MNIST have shape (count, rows, columns), labels (count). */
export interface Idx {
  readonly shape: readonly number[];
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Options of `readIdx`. */
export interface IdxOptions {
  /** Name of the file in error messages. */
  readonly name?: string | undefined;
  /** Number of dimensions that the file must have: 3 for images, 1 for labels. Any number is allowed without it. */
  readonly rank?: number | undefined;
}

/** First bytes of a file: two zeros, and 8, the element type uint8. */
const MAGIC = [0, 0, 8];
/** Size of the largest array that every browser can allocate. */
const MAX_BYTES = 2 ** 31 - 1;
/** Compressed bytes per read. Deflate expands a byte to at most 1032 bytes, so a bomb is detected after 17 MB. */
const PORTION = 16384;

/**
 * Reads an IDX file of uint8, plain or gzip. The format is: two zero bytes, the element type 8, the number of
 * dimensions, the dimensions as big-endian 32-bit integers, then the elements, and nothing after them.
 * Source: Yann LeCun's page of the MNIST database, section "file formats".
 * @throws {DataError} if the file has another format; the message states the position, the expected and the found value
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

/** Header of a file, of which the first bytes are known. */
interface Header {
  /** Shape; undefined while the header is incomplete. */
  readonly shape?: readonly number[];
  /** Byte where the elements begin. */
  readonly start: number;
  /** Byte where the file must end; the end of the header while it is incomplete. */
  readonly end: number;
}

/**
 * Parses the header in the first bytes of a file.
 * @throws {DataError} as soon as they cannot be those of an IDX file
 */
function readHeader(file: Uint8Array, name: string, rank: number | undefined): Header {
  if (file[0] === 0x3c) {
    const begin = new TextDecoder().decode(file.subarray(0, 4));
    throw new DataError(`${name} begins with \`${begin}\`, a web page, not IDX. Check the URL that it came from.`);
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
  // Zeros count as 1 here, so that a dimension of 0 does not hide another that is too large.
  if (sizeOf(shape.map((size) => size || 1)) > MAX_BYTES) {
    throw new DataError(`${name} claims the shape ${formatShape(shape)} in bytes 4 to ${start - 1}, more than 2 GiB.`);
  }
  return { shape, start, end: start + sizeOf(shape) };
}

/**
 * Decompresses a gzip file, but stops at most one portion after the end that the header states. Memory grows with the
 * bytes that have been decompressed, not with the size that the header claims.
 */
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
        // Browsers reject bytes after the compressed stream; Node ignores them. The last four bytes must be the
        // decompressed size.
        const size = new DataView(file.buffer, file.byteOffset + file.length - 4).getUint32(0, true);
        if (size === length) break;
        throw new DataError(
          `${name} is gzip whose last four bytes give ${size} bytes, but it has ${length} decompressed: it is corrupt, or other bytes follow it.`,
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
    // After an error the rest of the stream is not needed; after the end of the stream this does nothing.
    await reader.cancel().catch(() => undefined);
  }
  return await joined(chunks);
}

/** Concatenates arrays. */
async function joined(chunks: Uint8Array<ArrayBuffer>[]): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
