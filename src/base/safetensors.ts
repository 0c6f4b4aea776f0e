import { mistakenFor } from './bytes.js';
import { formatShape, sizeOf } from './check.js';
import { FormatError } from './errors.js';

/** Bytes per element of the element types that can be read and written, by the format's names. */
const elementBytes = { F32: 4, U32: 4, I64: 8, U8: 1 } as const;
export type FileType = keyof typeof elementBytes;

/** Tensor in a file. */
export interface FileTensor {
  readonly dtype: FileType;
  readonly shape: readonly number[];
  /** Elements, row-major and little-endian. For a file that was read, a view of the bytes of the file. */
  readonly data: Uint8Array;
}

/** Contents of a file. They are maps, so that a name in an untrusted file never becomes a property of an object. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, FileTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

const METADATA = '__metadata__';
/** Bytes of the 64-bit integer at the beginning of the file, the length of the header. */
const LENGTH_BYTES = 8;
/** First byte of the header. */
const OPENING_BRACE = 0x7b;
/** Largest header that is read or written: room for about ten thousand tensors. */
const MAX_HEADER_BYTES = 2 ** 20;

/**
 * Writes a safetensors file: the length of the header, the header as JSON padded with spaces, and the tensors without
 * gaps. Tensors with the widest elements come first, so that each tensor begins at a multiple of its element size.
 * Source: github.com/huggingface/safetensors, section "Format".
 * @throws {FormatError} if the header would be larger than `readSafetensors` accepts
 */
export function writeSafetensors({ tensors, metadata }: TensorFile): Uint8Array<ArrayBuffer> {
  const widestFirst = [...tensors].sort(([, a], [, b]) => elementBytes[b.dtype] - elementBytes[a.dtype]);
  let end = 0;
  const entries = widestFirst.map(([name, { dtype, shape, data }]) => {
    const begin = end;
    end += data.length;
    return [name, { dtype, shape, data_offsets: [begin, end] }] as const;
  });
  const json = jsonObject([
    [METADATA, jsonObject([...metadata].map(([key, value]) => [key, JSON.stringify(value)]))],
    ...entries.map(([name, entry]) => [name, JSON.stringify(entry)] as const),
  ]);
  const header = new TextEncoder().encode(json);
  const headerBytes = Math.ceil(header.length / 8) * 8;
  if (headerBytes > MAX_HEADER_BYTES) {
    throw new FormatError(
      `The header of the file would have ${headerBytes} bytes, but at most ${MAX_HEADER_BYTES} can be read back. Use fewer layers, or a normalisation with one mean for all inputs.`,
    );
  }
  const start = LENGTH_BYTES + headerBytes;
  const file = new Uint8Array(start + end).fill(0x20, LENGTH_BYTES, start);
  new DataView(file.buffer).setUint32(0, headerBytes, true);
  file.set(header, LENGTH_BYTES);
  for (const [index, [, { data }]] of widestFirst.entries())
    file.set(data, start + (entries[index]?.[1].data_offsets[0] ?? 0));
  return file;
}

/**
 * Reads a safetensors file, which may be untrusted. Only the header is allocated before all of it has been checked; the
 * tensors are views of the file.
 * @param where the beginning of error messages: `Mlp.load`
 * @throws {FormatError} with the name of the tensor or the byte of the file where the error is
 */
export function readSafetensors(file: Uint8Array, where: string): TensorFile {
  const mistake = file[LENGTH_BYTES] === OPENING_BRACE ? undefined : mistakenFor(file);
  if (mistake !== undefined) throw new FormatError(`${where}: the file is not safetensors. ${mistake}`);
  if (file.length < LENGTH_BYTES) {
    throw new FormatError(
      `${where}: the file has ${file.length} bytes; a safetensors file begins with a length of ${LENGTH_BYTES}.`,
    );
  }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const headerBytes = view.getUint32(0, true) + 2 ** 32 * view.getUint32(4, true);
  const maximum = Math.min(MAX_HEADER_BYTES, file.length - LENGTH_BYTES);
  if (headerBytes > maximum) {
    throw new FormatError(
      `${where}: bytes 0 to 7 say that the header has ${headerBytes} bytes, but it can have at most ${maximum}. Is the file safetensors, and complete?`,
    );
  }
  const start = LENGTH_BYTES + headerBytes;
  const header = new HeaderReader(file.subarray(LENGTH_BYTES, start), where);
  const { entries, metadata } = header.read();
  checkLayout(entries, file.length - start, start, where);
  const tensors = new Map<string, FileTensor>();
  for (const [name, { dtype, shape, begin, end }] of entries) {
    tensors.set(name, { dtype, shape, data: file.subarray(start + begin, start + end) });
  }
  return { tensors, metadata };
}

/** Entry of the header for one tensor. `begin` and `end` are in bytes after the header. */
interface Entry {
  readonly dtype: FileType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * Checks that the tensors follow each other without gaps or overlaps, up to the end of the file.
 * @param start the first byte after the header
 */
function checkLayout(entries: ReadonlyMap<string, Entry>, dataBytes: number, start: number, where: string): void {
  let expected = 0;
  for (const [name, { begin, end }] of [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== expected) {
      const what = begin < expected ? 'overlaps the tensor before it' : 'leaves a gap before it';
      throw new FormatError(
        `${where}: "${name}" begins at byte ${start + begin} and ${what}, which ends at byte ${start + expected}.`,
      );
    }
    expected = end;
  }
  if (expected !== dataBytes) {
    throw new FormatError(
      `${where}: the tensors end at byte ${start + expected}, but the file has ${start + dataBytes} bytes.`,
    );
  }
}

/**
 * Parses the JSON of a header, an object of tensor entries and of strings for the metadata, and no other JSON. Unlike
 * `JSON.parse` it accepts no deeper nesting, reports duplicate names, and knows the byte position of each error.
 */
class HeaderReader {
  readonly #text: string;
  readonly #where: string;
  #at = 0;

  constructor(bytes: Uint8Array, where: string) {
    this.#where = where;
    try {
      this.#text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (cause) {
      throw new FormatError(`${where}: the header, from byte ${LENGTH_BYTES} on, is not UTF-8.`, { cause });
    }
    if (!this.#text.startsWith('{')) this.#fail('the header must begin with "{"');
  }

  read(): { readonly entries: ReadonlyMap<string, Entry>; readonly metadata: ReadonlyMap<string, string> } {
    const entries = new Map<string, Entry>();
    const metadata = new Map<string, string>();
    this.#object((name) => {
      if (name === METADATA) this.#object((key) => metadata.set(key, this.#string()));
      else entries.set(name, this.#entry(name));
    });
    this.#skipSpace();
    if (this.#at < this.#text.length) this.#fail('something follows the header');
    return { entries, metadata };
  }

  #entry(name: string): Entry {
    let dtype: string | undefined;
    let shape: readonly number[] | undefined;
    let offsets: readonly number[] | undefined;
    this.#object((key) => {
      if (key === 'dtype') dtype = this.#string();
      else if (key === 'shape') shape = this.#integers();
      else if (key === 'data_offsets') offsets = this.#integers();
      else this.#fail(`"${name}" has "${key}"; a tensor has dtype, shape and data_offsets`);
    });
    if (dtype === undefined || shape === undefined || offsets?.length !== 2) {
      this.#fail(`"${name}" needs dtype, shape, and data_offsets of two numbers`);
    }
    if (!isFileType(dtype)) {
      const known = Object.keys(elementBytes).join(', ');
      this.#fail(`"${name}" has dtype "${dtype}"; known are ${known}. Convert it to F32 before you save it`);
    }
    const [begin = 0, end = 0] = offsets;
    // Zeros count as 1 here, so that a size of 0 does not hide another size that is too large.
    if (!Number.isSafeInteger(sizeOf(shape.map((size) => size || 1)) * elementBytes[dtype])) {
      this.#fail(`"${name}" has shape ${formatShape(shape)}, which is too large`);
    }
    const bytes = sizeOf(shape) * elementBytes[dtype];
    if (end - begin !== bytes) {
      this.#fail(
        `"${name}" is ${dtype} ${formatShape(shape)}, ${bytes} bytes, but its data_offsets are ${begin} and ${end}`,
      );
    }
    return { dtype, shape, begin, end };
  }

  /** Parses an object. @param read parses the value of a key */
  #object(read: (key: string) => void): void {
    const keys = new Set<string>();
    this.#sequence('{', '}', () => {
      const key = this.#string();
      if (key === '__proto__') this.#fail('"__proto__" is not allowed as a name');
      if (keys.has(key)) this.#fail(`"${key}" occurs twice`);
      keys.add(key);
      this.#expect(':');
      read(key);
    });
  }

  #integers(): readonly number[] {
    const list: number[] = [];
    this.#sequence('[', ']', () => list.push(this.#integer()));
    return list;
  }

  #sequence(open: string, close: string, item: () => void): void {
    this.#expect(open);
    if (this.#isNext(close)) return;
    do item();
    while (this.#isNext(','));
    this.#expect(close);
  }

  #integer(): number {
    this.#skipSpace();
    const digits = this.#match(/0|[1-9]\d*/y);
    if (!Number.isSafeInteger(Number(digits || NaN))) this.#fail('an integer from 0 to 2⁵³ − 1 is expected');
    return Number(digits);
  }

  #string(): string {
    this.#skipSpace();
    let end = this.#at + 1;
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === '\\' ? 2 : 1;
    let value: unknown;
    try {
      value = JSON.parse(this.#text.slice(this.#at, end + 1));
    } catch {
      value = undefined;
    }
    if (typeof value !== 'string') this.#fail('a string in double quotes is expected');
    if (/\0|\p{Surrogate}/u.test(value)) this.#fail('a string has a NUL or half of a surrogate pair');
    this.#at = end + 1;
    return value;
  }

  #expect(character: string): void {
    if (!this.#isNext(character)) this.#fail(`"${character}" is expected`);
  }

  #isNext(character: string): boolean {
    this.#skipSpace();
    const isNext = this.#text[this.#at] === character;
    if (isNext) this.#at += 1;
    return isNext;
  }

  #skipSpace(): void {
    this.#match(/[ \t\n\r]*/y);
  }

  /** Matches a sticky pattern at the current position, and moves behind the match. */
  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found = ''] = pattern.exec(this.#text) ?? [];
    this.#at += found.length;
    return found;
  }

  #fail(what: string): never {
    const byte = LENGTH_BYTES + new TextEncoder().encode(this.#text.slice(0, this.#at)).length;
    throw new FormatError(`${this.#where}: at byte ${byte} of the file, ${what}.`);
  }
}

function isFileType(dtype: string): dtype is FileType {
  return Object.hasOwn(elementBytes, dtype);
}

function jsonObject(entries: readonly (readonly [key: string, json: string])[]): string {
  return `{${entries.map(([key, json]) => `${JSON.stringify(key)}:${json}`).join(',')}}`;
}
