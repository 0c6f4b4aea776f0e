import { type ByteSource, bytesOf } from '../base/bytes.js';
import { formatShape, sizeOf } from '../base/check.js';
import { DataError } from '../base/errors.js';

/** Elements of an IDX file, in the type that the file has. */
export type IdxArray =
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

/** Contents of an IDX file. Images of MNIST have shape (count, rows, columns), labels (count). */
export interface Idx {
  readonly shape: readonly number[];
  readonly data: IdxArray;
}

/** Options of `readIdx`. */
export interface IdxOptions {
  /** Name of the file in error messages. */
  readonly name?: string | undefined;
  /** Number of dimensions that the file must have: 3 for images, 1 for labels. Any number is allowed without it. */
  readonly rank?: number | undefined;
}

/** Array of an element type, and the method that reads a big-endian element of more than one byte. */
interface ElementType {
  readonly array: new (buffer: ArrayBuffer) => IdxArray;
  readonly read?: 'getInt16' | 'getInt32' | 'getFloat32' | 'getFloat64';
  /** Bytes of an element. */
  readonly bytes: number;
}

/** The element types by their code, the third byte of a file. */
const TYPES: ReadonlyMap<number, ElementType> = new Map<number, ElementType>([
  [0x08, { array: Uint8Array, bytes: 1 }],
  [0x09, { array: Int8Array, bytes: 1 }],
  [0x0b, { array: Int16Array, read: 'getInt16', bytes: 2 }],
  [0x0c, { array: Int32Array, read: 'getInt32', bytes: 4 }],
  [0x0d, { array: Float32Array, read: 'getFloat32', bytes: 4 }],
  [0x0e, { array: Float64Array, read: 'getFloat64', bytes: 8 }],
]);
/** Size of the largest array that every browser can allocate. */
const MAX_BYTES = 2 ** 31 - 1;
/** Compressed bytes per read. Deflate expands a byte to at most 1032 bytes, so a bomb is detected after 17 MB. */
const PORTION = 16384;

/**
 * Reads the files of images and of their labels, as options of `Dataset.create`.
 * @param where the beginning of error messages
 * @throws {DataError} if a file is malformed, or their counts differ
 * @throws {MlpError} `fetch` if a file cannot be fetched
 */
export async function readIdxFiles(
  imageFile: ByteSource,
  labelFile: ByteSource,
  where: string,
): Promise<{ readonly inputs: IdxArray; readonly features: number; readonly classes: IdxArray }> {
  const [name, labelName] = [`${where}: the IDX file of images`, `${where}: the IDX file of labels`];
  const [imageBytes, labelBytes] = await Promise.all([bytesOf(name, imageFile), bytesOf(labelName, labelFile)]);
  const images = await readIdx(imageBytes, { name });
  const labels = await readIdx(labelBytes, { name: labelName, rank: 1 });
  const [count = 0, ...sizes] = images.shape;
  if (sizes.length === 0) throw new DataError(`${name} has 1 dimension, as labels have; images have 3.`);
  if (labels.data.length !== count) {
    throw new DataError(`${where}: there are ${count} images but ${labels.data.length} labels.`);
  }
  return { inputs: images.data, features: sizeOf(sizes), classes: labels.data };
}

/**
 * Reads an IDX file, plain or gzip. The format is: two zero bytes, the element type (08 uint8, 09 int8, 0b int16,
 * 0c int32, 0d float32, 0e float64), the number of dimensions, the dimensions as big-endian 32-bit integers, then the
 * elements, big-endian too, and nothing after them.
 * Source: Yann LeCun's page of the MNIST database, section "file formats".
 * @throws {DataError} if the file has another format; the message states the position, the expected and the found value
 */
export async function readIdx(file: Uint8Array, options: IdxOptions = {}): Promise<Idx> {
  const { name = 'The IDX file', rank } = options;
  const content = file[0] === 0x1f && file[1] === 0x8b ? await decompressed(file, name, rank) : file;
  const { shape, type, start, end } = readHeader(content, name, rank);
  if (content.length < end) {
    const what = shape === undefined ? 'header' : `shape ${formatShape(shape)}`;
    throw new DataError(`${name} is truncated: its ${what} needs ${end} bytes, but there are ${content.length}.`);
  }
  if (content.length > end) throw new DataError(`${name} should end after ${end} bytes, but more follow.`);
  return { shape: shape ?? [], data: elements(new Uint8Array(content.subarray(start)), type) };
}

/** Elements of a type from their big-endian bytes. */
function elements(content: Uint8Array<ArrayBuffer>, { array, read, bytes }: ElementType): IdxArray {
  const data = new array(content.buffer);
  if (read === undefined) return data;
  const view = new DataView(content.buffer);
  // In place: an element is written over its own bytes.
  for (let i = 0; i < data.length; i++) data[i] = view[read](i * bytes);
  return data;
}

/** Header of a file, of which the first bytes are known. */
interface Header {
  /** Shape; undefined while the header is incomplete. */
  readonly shape?: readonly number[];
  readonly type: ElementType;
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
  const type = TYPES.get(first[2] ?? 8);
  if (type === undefined || first.slice(0, 2).some((byte) => byte !== 0)) {
    const types = [...TYPES.keys()].map(hex).join(', ');
    throw new DataError(
      `${name} begins with the bytes ${first.map(hex).join(' ')}; an IDX file begins with 00 00 and an element type: ${types}.`,
    );
  }
  const dimensions = first[3];
  if (dimensions === undefined) return { type, start: 4, end: 4 };
  if (dimensions === 0 || (rank ?? dimensions) !== dimensions) {
    const expected = rank ?? 'at least 1';
    throw new DataError(
      `${name} has ${dimensions} dimensions (byte 3); ${expected} are expected. Images have 3, labels have 1.`,
    );
  }
  const start = 4 + 4 * dimensions;
  if (file.length < start) return { type, start, end: start };
  const view = new DataView(file.buffer, file.byteOffset);
  const shape = Array.from({ length: dimensions }, (_, d) => view.getUint32(4 + 4 * d));
  // Zeros count as 1 here, so that a dimension of 0 does not hide another that is too large.
  if (sizeOf(shape.map((size) => size || 1)) * type.bytes > MAX_BYTES) {
    throw new DataError(`${name} claims the shape ${formatShape(shape)} in bytes 4 to ${start - 1}, more than 2 GiB.`);
  }
  return { shape, type, start, end: start + sizeOf(shape) * type.bytes };
}

/** A byte as two hexadecimal digits. */
const hex = (byte: number): string => byte.toString(16).padStart(2, '0');

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
