import { describe } from '../base/check.js';
import { DataError } from '../base/errors.js';
import { checkList, isList, toValues } from '../base/values.js';

/**
 * Class of each sample, in one of four forms:
 *
 * - indices: integers ≥ 0 in an array or in a typed array of any type
 * - names: strings. They are numbered in sorted order, as scikit-learn does; names that are integers by their value
 * - booleans: false is class 0, true is class 1
 * - one-hot rows: nested arrays with a 1 at the index of the class, and 0 elsewhere
 * @example
 * const classes: ClassLabels = ['dog', 'cat', 'dog']; // the same as [1, 0, 1] with classNames: ['cat', 'dog']
 */
export type ClassLabels =
  | ArrayLike<number | bigint>
  | readonly boolean[]
  | readonly string[]
  | readonly ArrayLike<number | bigint>[];

/** Classes as indices. */
export interface Classes {
  readonly classes: Uint32Array<ArrayBuffer>;
  /** Number of names or of columns; for indices, the largest class + 1. */
  readonly classCount: number;
  /** Names of the classes by index, if they are given or the labels are strings or booleans. */
  readonly classNames: readonly string[] | undefined;
}

/**
 * Converts classes to indices.
 * @param where the beginning of error messages
 * @param classNames names by index. Default: the strings in sorted order, or "false" and "true" for booleans.
 * @throws {DataError} if a label is not a class, or differs in type from the first; the message states its index
 * @throws {ShapeError} if one-hot rows differ in length
 */
export function toClasses(where: string, given: unknown, classNames?: readonly string[]): Classes {
  const name = `${where}: classes`;
  checkList(name, given, 'classes');
  const list = withoutColumn(given);
  const first = list[0];
  if (typeof first === 'string') return ofNames(where, list, classNames);
  const indices =
    typeof first === 'boolean' ? ofBooleans(name, list) : isList(first) ? ofOneHot(name, list) : ofIndices(name, list);
  checkNames(where, classNames, indices.classCount);
  return { ...indices, classNames: classNames ?? (typeof first === 'boolean' ? ['false', 'true'] : undefined) };
}

/** Options for labels that are not numbered from 0, or that mark samples to leave out. */
export interface ClassOptions {
  /**
   * Number of the first class, an integer: with 1, labels from 1 to K are the classes 0 to K − 1, and their names are "1"
   * to "K" unless `classNames` is given. Default: 0.
   * Example: `firstClass: 1`.
   */
  readonly firstClass?: number | undefined;
  /**
   * Label of samples without a class, such as −1 or 255. The data set leaves them out, so that they count neither in the
   * loss, its divisor and its gradient, nor in metrics: PyTorch's `ignore_index`. Default: none.
   * Example: `ignoreClass: 255`.
   */
  readonly ignoreClass?: number | string | undefined;
}

/**
 * Converts labels to class indices by the options of an app.
 * @returns also `kept`, the row numbers of the samples to keep. Default: all are kept
 * @throws {DataError} as `toClasses`, and if every sample has the class to ignore
 */
export function numberClasses(
  where: string,
  given: unknown,
  classNames: readonly string[] | undefined,
  { firstClass = 0, ignoreClass }: ClassOptions,
): Classes & { readonly kept?: Uint32Array<ArrayBuffer> | undefined } {
  if (firstClass === 0 && ignoreClass === undefined) return toClasses(where, given, classNames);
  const name = `${where}: classes`;
  checkList(name, given, 'classes');
  const list = Array.from(withoutColumn(given), (label) => (typeof label === 'bigint' ? Number(label) : label));
  const kept = Uint32Array.from([...list.keys()].filter((row) => list[row] !== ignoreClass));
  if (kept.length === 0) throw new DataError(`${name}: every sample has ignoreClass, ${describe(ignoreClass)}.`);
  // Samples to leave out get the class of another one, which no step reads.
  const labels = list.map((label, row) => {
    const own = label === ignoreClass ? list[kept[0] ?? 0] : label;
    if (firstClass === 0) return own;
    const index = typeof own === 'number' ? own - firstClass : -1;
    if (Number.isInteger(index) && index >= 0) return index;
    throw refused(name, row, own, `with firstClass = ${firstClass}, a class is an integer ≥ ${firstClass}`);
  });
  const numbered = toClasses(where, labels, classNames);
  const names =
    firstClass === 0 ? undefined : Array.from({ length: numbered.classCount }, (_, i) => `${firstClass + i}`);
  return { ...numbered, classNames: numbered.classNames ?? names, kept };
}

/** True if classes are given as names, which only the whole data set can number. */
export function areNames(given: unknown): boolean {
  return isList(given) && typeof withoutColumn(given)[0] === 'string';
}

/** Takes the labels out of a single column, (samples, 1). */
function withoutColumn(list: ArrayLike<unknown>): ArrayLike<unknown> {
  if (!isList(list[0]) || list[0].length !== 1) return list;
  return Array.from(list, (row) => (isList(row) && row.length === 1 ? row[0] : row));
}

/** Makes the error for a label that is not allowed. */
const refused = (name: string, index: number, value: unknown, wanted: string): DataError =>
  new DataError(`${name}[${index}] is ${describe(value)}; ${wanted}.`);

/** Checks the names of classes. @throws {DataError} if they are not strings, too few, or one occurs twice */
export function checkNames(where: string, names: readonly string[] | undefined, classCount: number): void {
  if (names === undefined) return;
  for (const [index, name] of Array.from(names).entries()) {
    if (typeof name !== 'string') throw refused(`${where}: classNames`, index, name, 'a name is a string');
    if (names.indexOf(name) < index) throw new DataError(`${where}: classNames has ${JSON.stringify(name)} twice.`);
  }
  if (names.length < classCount) {
    throw new DataError(`${where}: classNames has ${names.length} names, but the largest class is ${classCount - 1}.`);
  }
}

function ofIndices(name: string, list: ArrayLike<unknown>): Omit<Classes, 'classNames'> {
  const classes = new Uint32Array(list.length);
  let classCount = 0;
  for (let i = 0; i < list.length; i++) {
    const item = list[i];
    const index = typeof item === 'bigint' ? Number(item) : item;
    if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index >= 2 ** 31) {
      throw refused(name, i, item, 'a class is an integer ≥ 0');
    }
    classes[i] = index;
    classCount = Math.max(classCount, index + 1);
  }
  return { classes, classCount };
}

function ofBooleans(name: string, list: ArrayLike<unknown>): Omit<Classes, 'classNames'> {
  const classes = Uint32Array.from(list, (item, i) => {
    if (typeof item !== 'boolean') throw refused(name, i, item, 'the first is a boolean, so each must be one');
    return Number(item);
  });
  return { classes, classCount: 2 };
}

function ofNames(where: string, list: ArrayLike<unknown>, classNames: readonly string[] | undefined): Classes {
  const name = `${where}: classes`;
  const names = Array.from(list, (item, i) => {
    if (typeof item === 'string' && item !== '') return item;
    throw refused(name, i, item, 'a name is a string that is not empty');
  });
  checkNames(where, classNames, 0);
  const known = classNames ?? sortedNames(names);
  const indices = new Map(known.map((each, index) => [each, index]));
  const classes = Uint32Array.from(names, (each, i) => {
    const index = indices.get(each);
    if (index !== undefined) return index;
    throw refused(name, i, each, `classNames has only ${known.slice(0, 9).join(', ')}${known.length > 9 ? ' …' : ''}`);
  });
  return { classes, classCount: known.length, classNames: known };
}

/**
 * Distinct names in sorted order: by their values if all are integers, and otherwise by their UTF-16 code units. The
 * order does not depend on that of the samples, so that a training set and a test set number their classes alike.
 */
export function sortedNames(names: Iterable<string>): string[] {
  const distinct = [...new Set(names)].sort();
  const areIntegers = distinct.every((name) => /^-?\d+$/.test(name));
  return areIntegers ? distinct.sort((a, b) => Number(a) - Number(b)) : distinct;
}

function ofOneHot(name: string, rows: ArrayLike<unknown>): Omit<Classes, 'classNames'> {
  const { values } = toValues(name, rows);
  const classCount = values.length / rows.length;
  const classes = Uint32Array.from(rows, (_, row) => {
    const numbers = [...values.subarray(row * classCount, (row + 1) * classCount)];
    const index = numbers.indexOf(1);
    if (index >= 0 && numbers.every((value, column) => value === Number(column === index))) return index;
    throw new DataError(
      `${name}[${row}] is not one-hot: one number must be 1, and all others 0. Pass probabilities as targets.`,
    );
  });
  return { classes, classCount };
}
