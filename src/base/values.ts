import { describe, isFloat32 } from './check.js';
import { DataError, MlpError, ShapeError } from './errors.js';

/**
 * Numbers as an app has them: one after the other in row-major order, in an array or in a typed array of any type; or
 * nested arrays, whose first dimension is the rows. All rows have the same length. A bigint must be a safe integer: its magnitude is below 2⁵³.
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

/** True for an array, a typed array, or another object whose elements have numbers as their names. */
export function isList(value: unknown): value is ArrayLike<unknown> {
  if (Array.isArray(value) || typeof value !== 'object' || value === null) return Array.isArray(value);
  const { length } = value as { readonly length?: unknown };
  return length === 0 || (Number.isSafeInteger(length) && 0 in value);
}

/**
 * Checks that a value is a list.
 * @param name the name of the value, for the message
 * @throws {DataError} with a remedy for values that contain or promise a list
 */
export function checkList(name: string, value: unknown, items = 'numbers'): asserts value is ArrayLike<unknown> {
  if (isList(value)) return;
  throw new DataError(`${name} is ${describe(value)}; it must be an array of ${items}.${remedyFor(Object(value))}`);
}

/** Sentence that tells how to get an array out of a value, if there is a way. */
function remedyFor(value: object): string {
  if ('read' in value) return ' Read it: await value.read().';
  if ('arrayBuffer' in value) return ' Read it: new Uint8Array(await value.arrayBuffer()).';
  if ('byteLength' in value) return ' Wrap its buffer in an array of its element type: new Float32Array(buffer).';
  return '';
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
  const place = (i: number): string =>
    columns === undefined ? `${name}[${i}]` : `${name} at row ${Math.floor(i / columns)}, column ${i % columns}`;
  return convert(`${name} at`, name, given, place, finite);
}

/** Converts numbers as `toValues` does, bytes to float32 too. */
export function toFloats(name: string, given: unknown, columns?: number, finite = true): Float32Array<ArrayBuffer> {
  const { values } = toValues(name, given, columns, finite);
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

/**
 * Converts a list of numbers, or of rows that are lists themselves.
 * @param rowsOf begins the names of its rows
 * @param place names a number of a flat list, for messages
 */
function convert(
  rowsOf: string,
  name: string,
  list: unknown,
  place: (index: number) => string,
  finite: boolean,
): Values {
  checkList(name, list);
  if (!isList(list[0])) return { values: flat(list, place, finite) };
  const rows = Array.from(list, (row, i) => {
    const what = `${rowsOf} row ${i}`;
    return convert(`${what},`, what, row, (column) => `${what}, column ${column}`, finite).values;
  });
  const width = rows[0]?.length ?? 0;
  const size = rows.length * width;
  const values = rows.every((row) => row instanceof Uint8Array) ? new Uint8Array(size) : new Float32Array(size);
  for (const [i, row] of rows.entries()) {
    if (row.length !== width) {
      throw new ShapeError(`${rowsOf} row ${i} has ${row.length} numbers, but row 0 has ${width}.`);
    }
    values.set(row, i * width);
  }
  return { values, rows: rows.length };
}

/** Converts a list of numbers. */
function flat(list: ArrayLike<unknown>, place: (index: number) => string, finite: boolean): Values['values'] {
  // By the tag, because the arrays of another window are no instances of this window's classes.
  const { [Symbol.toStringTag]: tag, length } = list as Uint8Array<ArrayBuffer>;
  if (/^Uint8/.test(tag)) {
    const { buffer, byteOffset } = list as Uint8Array<ArrayBuffer>;
    return list instanceof Uint8Array ? (list as Uint8Array<ArrayBuffer>) : new Uint8Array(buffer, byteOffset, length);
  }
  const isTyped = /^(?:Int|Uint|Float)/.test(tag);
  const floats =
    list instanceof Float32Array
      ? (list as Float32Array<ArrayBuffer>)
      : isTyped
        ? new Float32Array(list as ArrayLike<number>)
        : new Float32Array(length);
  for (let i = 0; i < length; i++) {
    if (!isTyped && !assign(floats, i, list[i])) refuse(place(i), list[i]);
    if (finite && !Number.isFinite(floats[i])) refuse(place(i), list[i]);
  }
  return floats;
}

/** Assigns a number, or a bigint that a number can hold. @returns false for any other value */
function assign(floats: Float32Array, index: number, item: unknown): boolean {
  const number = typeof item === 'bigint' ? Number(item) : item;
  if (typeof number !== 'number' || (typeof item === 'bigint' && !Number.isSafeInteger(number))) return false;
  floats[index] = number;
  return true;
}

function refuse(place: string, item: unknown): never {
  const wanted = typeof item === 'bigint' ? 'a bigint must be a safe integer' : 'it must be a finite float32 number';
  throw new DataError(`${place} is ${describe(item)}; ${wanted}.`);
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
