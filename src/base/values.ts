import { describe, isFloat32 } from './check.js';
import { DataError, MlpError, ShapeError } from './errors.js';

/**
 * Numbers as an app has them: one after the other in row-major order, in an array or in a typed array of any type; or
 * nested arrays, whose first dimension is the rows. All rows have the same length. A bigint must be from −2⁵³ to 2⁵³.
 * @example
 * const inputs: Numbers = [
 *   [5.1, 3.5],
 *   [4.9, 3.0],
 * ]; // the same as Float32Array.of(5.1, 3.5, 4.9, 3.0) with features: 2
 */
export type Numbers = ArrayLike<number | bigint> | readonly Numbers[];

/** Numbers in a typed array: bytes if they were given as bytes, and float32 otherwise. */
export interface Values {
  readonly values: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  /** Number of rows, if the numbers were given as nested arrays. */
  readonly rows?: number | undefined;
}

/** Numbers that are finite in float32. */
const INTEGERS = /\[object (?:Int|Uint)\d+(?:Clamped)?Array\]/;
/** Numbers that may not be finite. */
const FLOATS = /\[object Float\d+Array\]/;
/** Bytes, which stay bytes. */
const BYTES = /\[object Uint8(?:Clamped)?Array\]/;

/** Tells arrays of another window too, which are no instances of this window's classes. */
const isOf = (type: RegExp, value: unknown): boolean => type.test(Object.prototype.toString.call(value));

/** True for an array, a typed array, or another object whose elements have numbers as their names. */
export function isList(value: unknown): value is ArrayLike<unknown> {
  if (Array.isArray(value)) return true;
  if (typeof value !== 'object' || value === null || value instanceof DataView) return false;
  const { length } = value as { readonly length?: unknown };
  return Number.isSafeInteger(length) && (ArrayBuffer.isView(value) || length === 0 || 0 in value);
}

/**
 * Checks that a value is a list.
 * @param name the name of the value, for the message
 * @throws {DataError} with a remedy for values that contain or promise a list
 */
export function checkList(name: string, value: unknown, items = 'numbers'): asserts value is ArrayLike<unknown> {
  if (isList(value)) return;
  throw new DataError(`${name} is ${describe(value)}; it must be an array of ${items}.${remedyFor(value)}`);
}

/** Sentence that tells how to get an array out of a value, if there is a way. */
function remedyFor(value: unknown): string {
  if (typeof value !== 'object' || value === null) return '';
  if (value instanceof Promise) return ' Await it.';
  if ('read' in value) return ' Read it first: await value.read().';
  if ('arrayBuffer' in value) return ' Read it first: new Uint8Array(await value.arrayBuffer()).';
  if ('byteLength' in value) return ' Wrap its buffer in an array of its element type: new Float32Array(buffer).';
  return Symbol.iterator in value ? ' Copy it to an array: Array.from(value).' : '';
}

/**
 * Converts numbers to a typed array. Bytes and float32 are not copied.
 * @param name the name of the numbers, for messages
 * @param columns numbers in a row, for messages about a flat array; undefined if it has no rows
 * @param finite false to allow NaN and infinities
 * @throws {DataError} with the row and the column of the first value that is not a number, or not finite in float32
 * @throws {ShapeError} with the row if the rows of nested arrays differ in length
 */
export function toValues(name: string, given: unknown, columns?: number, finite = true): Values {
  checkList(name, given);
  if (isList(given[0])) return ofRows(name, given as ArrayLike<unknown>, finite);
  return { values: ofList(name, given, columns, finite) };
}

/** Converts numbers as `toValues` does, bytes to float32 too. */
export function toFloats(name: string, given: unknown, columns?: number, finite = true): Float32Array<ArrayBuffer> {
  const { values } = toValues(name, given, columns, finite);
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

/** Converts a flat list. */
function ofList(
  name: string,
  list: ArrayLike<unknown>,
  columns: number | undefined,
  finite: boolean,
): Values['values'] {
  if (isOf(BYTES, list)) {
    const { buffer, byteOffset, length } = list as Uint8Array<ArrayBuffer>;
    return list instanceof Uint8Array ? (list as Uint8Array<ArrayBuffer>) : new Uint8Array(buffer, byteOffset, length);
  }
  const floats = list instanceof Float32Array ? (list as Float32Array<ArrayBuffer>) : new Float32Array(list.length);
  write(floats, 0, list, finite, (index) => placeOf(name, index, columns));
  return floats;
}

/** Names an element: by row and column, or by its index if there are no rows. */
const placeOf = (name: string, index: number, columns: number | undefined): string =>
  columns === undefined
    ? `${name}[${index}]`
    : `${name} at row ${Math.floor(index / columns)}, column ${index % columns}`;

/** Writes a flat list from `start` on, and checks it. @param place names an element, for the message */
function write(
  values: Values['values'],
  start: number,
  list: ArrayLike<unknown>,
  finite: boolean,
  place: (index: number) => string,
): void {
  const isFloats = isOf(FLOATS, list);
  if ((isFloats && list !== values) || isOf(INTEGERS, list)) values.set(list as ArrayLike<number>, start);
  if (isFloats && finite) checkFinite(values.subarray(start, start + list.length), list, place);
  if (ArrayBuffer.isView(list) && !(list instanceof BigInt64Array || list instanceof BigUint64Array)) return;
  for (let i = 0; i < list.length; i++) {
    const item = list[i];
    const number = typeof item === 'bigint' ? exactly(item) : item;
    if (typeof number !== 'number') {
      const wanted = typeof item === 'bigint' ? 'a bigint must be from −2⁵³ to 2⁵³' : WANTED;
      throw new DataError(`${place(i)} is ${describe(item)}; ${wanted}.`);
    }
    values[start + i] = number;
  }
  if (finite) checkFinite(values.subarray(start, start + list.length), list, place);
}

/** Condition on an element, for messages. */
const WANTED = 'it must be a finite float32 number';

/** @throws {DataError} with the place and the original of the first value that is not finite */
function checkFinite(values: ArrayLike<number>, original: ArrayLike<unknown>, place: (index: number) => string): void {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) throw new DataError(`${place(i)} is ${describe(original[i])}; ${WANTED}.`);
  }
}

/** Value of a bigint; undefined if it is beyond the integers that a number can hold. */
const exactly = (value: bigint): number | undefined =>
  value >= -(2n ** 53n) && value <= 2n ** 53n ? Number(value) : undefined;

/** Converts nested arrays of any depth. */
function ofRows(name: string, rows: ArrayLike<unknown>, finite: boolean): Values {
  const sizes: number[] = [];
  for (let item = rows[0]; isList(item); item = item[0]) sizes.push(item.length);
  const width = sizes.reduce((product, size) => product * size, 1);
  const all = Array.from(rows);
  const isBytes = sizes.length === 1 && all.every((row) => isOf(BYTES, row));
  const values = isBytes ? new Uint8Array(rows.length * width) : new Float32Array(rows.length * width);
  for (const [row, items] of all.entries()) {
    const place = (index: number): string => `${name} at row ${row}, column ${index}`;
    writeRow(values, row * width, items, sizes, finite, place, `${name} at row ${row}`);
  }
  return { values, rows: rows.length };
}

/**
 * Writes one row, which may be nested itself.
 * @param sizes sizes of the row and of the arrays in it, as row 0 has them
 * @param what names the row, for messages
 */
function writeRow(
  values: Values['values'],
  start: number,
  items: unknown,
  sizes: readonly number[],
  finite: boolean,
  place: (index: number) => string,
  what: string,
): void {
  const [size = 0, ...inner] = sizes;
  if (!isList(items)) throw new DataError(`${what} is ${describe(items)}, but row 0 is an array of ${size}.`);
  if (items.length !== size) {
    throw new ShapeError(
      `${what} has ${items.length} ${inner.length === 0 ? 'numbers' : 'arrays'}, but row 0 has ${size}. All rows must have the same length.`,
    );
  }
  if (inner.length === 0) {
    write(values, start, items, finite, place);
    return;
  }
  const width = inner.reduce((product, length) => product * length, 1);
  for (let i = 0; i < size; i++) {
    writeRow(values, start + i * width, items[i], inner, finite, (at) => place(i * width + at), `${what}, index ${i}`);
  }
}

/**
 * Checks weights of classes or outputs: each must be finite in float32 and ≥ 0, and at least one above 0.
 * @param where the beginning of the error message, with the name of the weights
 * @returns the weights as plain data
 * @throws {MlpError} `bad-loss` with the first bad weight
 */
export function checkWeights(where: string, weights: ArrayLike<number>): number[] {
  const refuse = (what: string): never => {
    throw new MlpError('bad-loss', `${where} ${what}; weights must be finite, ≥ 0, and not all 0.`);
  };
  if (!isList(weights)) refuse(`is ${describe(weights)}, not an array`);
  const all: unknown[] = Array.from(weights);
  const bad = all.findIndex((weight) => typeof weight !== 'number' || !(weight >= 0 && isFloat32(weight)));
  if (bad >= 0) refuse(`has ${describe(all[bad])} at ${bad}`);
  return all.some((weight) => weight !== 0) ? Array.from(weights) : refuse('has no weight above 0');
}
