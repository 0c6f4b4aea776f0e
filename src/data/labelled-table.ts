import { describe } from '../base/check.js';
import { DataError, MlpError } from '../base/errors.js';
import type { OptionNames } from '../base/options.js';
import { type Encoder, type InputColumn, InputReader, type Missing, shown } from './encoder.js';
import type { ClassOptions } from './labels.js';
import { cellError, missingError, type Table, type TableRecord } from './table.js';

/** Column of a table: its name, or its index, counted from 0; negative indices count from the end, −1 is the last. */
export type ColumnId = string | number;

/** Options of `Dataset.fromCsv` and `Dataset.fromRows`. Pass `target` or `targets`, or take them from `like`. */
export interface TableOptions extends ClassOptions {
  /** Column of the labels. Without it, pass `targets` or `like`. Example: `target: 'species'`. */
  readonly target?: ColumnId | undefined;
  /**
   * Several columns of numbers, to regress on. Without it, pass `target` or `like`.
   * Example: `targets: ['width', 'height']`.
   */
  readonly targets?: readonly ColumnId[] | undefined;
  /**
   * Type of the labels in `target`: `class`, or `value`, a number to regress on. Default: `class`.
   * Example: `type: 'value'`.
   */
  readonly type?: 'class' | 'value' | undefined;
  /**
   * Columns of the inputs, in this order. Default: all columns that are not labels, in the order of the table.
   * Example: `columns: ['age', 'income']`.
   */
  readonly columns?: readonly ColumnId[] | undefined;
  /** Columns to leave out, such as an identifier. Default: none. Example: `drop: ['id']`. */
  readonly drop?: readonly ColumnId[] | undefined;
  /**
   * Columns of inputs whose texts are categories: each text gets an input of its own, which is 1 for that text and 0
   * for the others (one-hot), in order of first appearance. All other columns of inputs must be numbers. Default: none.
   * Example: `categories: ['colour']`.
   */
  readonly categories?: readonly ColumnId[] | undefined;
  /**
   * Reaction to a missing cell: `error`; `mean`, the mean of the column's inputs, which becomes part of the encoder; or
   * `drop`, a data set without the row. A missing label is an error, or with `drop` drops the row. Missing are empty
   * cells, null, undefined and NaN; in columns of numbers of a file also NA, N/A, NaN, null, none and ?, in upper or
   * lower case. Default: `mean` if `like` has means, else `error`.
   * Example: `missing: 'mean'`.
   */
  readonly missing?: Missing | undefined;
  /**
   * Names of the classes by index. Labels are then names in this list, or else class indices. Default: those of `like`,
   * or the names in the table: from a file in order of first appearance, from rows in sorted order.
   * Example: `classNames: ['cat', 'dog']`.
   */
  readonly classNames?: readonly string[] | undefined;
  /**
   * A data set from a table, such as the training set, or the `spec` of a model that was trained on one: this table
   * gets the same columns, categories, means, labels and class names. Pass it for each further table of a model: what
   * is numbered in order of first appearance differs from table to table. Default: none.
   * Example: `like: train`.
   */
  readonly like?:
    | {
        /** The encoding of the columns. Default: none, the options above decide. */
        readonly encoder?: Encoder | undefined;
        /** Names of the classes by index. Default: none. */
        readonly classNames?: readonly string[] | undefined;
      }
    | undefined;
}

/** Names of the options of a table. */
export const TABLE_NAMES: OptionNames<TableOptions> = {
  target: 1,
  targets: 1,
  type: 1,
  columns: 1,
  drop: 1,
  categories: 1,
  missing: 1,
  classNames: 1,
  firstClass: 1,
  ignoreClass: 1,
  like: 1,
};

/** Samples of a table, as options of `Dataset.create`. */
export interface TableSamples {
  readonly inputs: Float32Array<ArrayBuffer>;
  readonly features: number;
  readonly classes?: Uint32Array<ArrayBuffer>;
  readonly classNames?: readonly string[] | undefined;
  readonly targets?: Float32Array<ArrayBuffer>;
  readonly encoder: Encoder;
}

/** Roles of the columns of a table. */
interface Roles {
  readonly inputs: readonly InputColumn[];
  /** Indices of the columns of labels. */
  readonly labels: readonly number[];
  readonly type: 'class' | 'value';
  readonly missing: Missing;
}

/** Labels of the records that are kept. */
interface TableLabels {
  /** Values of numbers, in the order of records and columns; NaN for a text. */
  readonly values: number[];
  /** Texts of the labels; only of classes. */
  readonly texts: string[];
  /** Numbers of the records, for messages; only of classes. */
  readonly places: number[];
}

/** True if an option names a column, so that the table needs names. */
export function namesColumns({ target, targets, columns, drop, categories, like }: TableOptions): boolean {
  const { encoder } = like ?? {};
  const encoded = encoder === undefined ? [] : [...encoder.columns.map(({ name }) => name), ...encoder.targets];
  const ids = [target, ...(targets ?? []), ...(columns ?? []), ...(drop ?? []), ...(categories ?? []), ...encoded];
  return ids.some((id) => typeof id === 'string');
}

/**
 * Makes samples of a table.
 * @throws {DataError} with the place of a cell that is not allowed
 * @throws {MlpError} `bad-option` if a column does not exist, or an option is not allowed
 */
export function readTable(table: Table, options: TableOptions): TableSamples {
  const { inputs, labels: columns, type, missing } = rolesOf(table, options);
  const reader = new InputReader(table, inputs, missing, ({ name }) => {
    const list = `[${JSON.stringify(name)}]`;
    return ` To encode texts, pass { categories: ${list} }; to leave the column out, { drop: ${list} }.`;
  });
  const labels: TableLabels = { values: [], texts: [], places: [] };
  const add = type === 'class' ? addClass : addValues;
  const ignored = options.ignoreClass === undefined ? undefined : `${options.ignoreClass}`;
  for (const record of table.records) {
    if (type === 'class' && ignored !== undefined && table.toText(record.cells[columns[0] ?? 0]) === ignored) continue;
    if (missing === 'drop' && (reader.lacks(record) || columns.some((column) => isMissing(table, record, column)))) {
      continue;
    }
    reader.add(record);
    add(table, record, columns, labels);
  }
  const { columns: encoded, ...samples } = reader.finish();
  const encoder: Encoder = { columns: encoded, targets: columns.map((column) => nameOf(table, column)), type };
  return type === 'class'
    ? { ...samples, ...toClasses(table, columns[0] ?? 0, labels, options), encoder }
    : { ...samples, targets: Float32Array.from(labels.values), encoder };
}

/** Name of a column, or its index in a table without names. */
const nameOf = ({ names }: Table, column: number): string | number => names?.[column] ?? column;

/** True if a label is missing. */
const isMissing = (table: Table, { cells }: TableRecord, column: number): boolean => table.toText(cells[column]) === '';

/** Adds the labels of a record that are numbers. @throws {DataError} if one is missing or no number */
function addValues(table: Table, record: TableRecord, columns: readonly number[], { values }: TableLabels): void {
  for (const column of columns) {
    const cell = record.cells[column];
    const value = table.toNumber(cell);
    if (value === undefined) throw missingError(table, record.at, column, cell);
    if (Number.isNaN(value)) {
      const hint = table.hintFor(record.at);
      throw cellError(table, record.at, column, cell, `; it must be a finite float32 number.${hint}`);
    }
    values.push(value);
  }
}

/** Adds the label of a record that is a class. @throws {DataError} if it is missing, or no text, number or boolean */
function addClass(
  table: Table,
  { at, cells }: TableRecord,
  [column = 0]: readonly number[],
  labels: TableLabels,
): void {
  const cell = cells[column];
  const text = table.toText(cell);
  if (text === '') throw missingError(table, at, column, cell);
  if (text === undefined)
    throw cellError(table, at, column, cell, '; a class is a string, a finite number or a boolean.');
  labels.texts.push(text);
  labels.values.push(table.toNumber(cell) ?? Number.NaN);
  labels.places.push(at);
}

/** Bound of class indices: larger integers become names, because their low 32 bits would be another class. */
const MAX_CLASSES = 2 ** 31;

/**
 * Converts labels to class indices: those of known names, integers as they are, or new names.
 * @throws {DataError} if a label is no known name, or all labels are numbers but some of them are fractions
 */
function toClasses(
  table: Table,
  column: number,
  { values: numbers, texts, places }: TableLabels,
  { classNames, like, firstClass = 0 }: TableOptions,
): Pick<TableSamples, 'classes' | 'classNames'> {
  const known = classNames ?? like?.classNames;
  const values = firstClass === 0 ? numbers : numbers.map((value) => value - firstClass);
  const refused = (index: number, what: string): DataError =>
    cellError(table, places[index] ?? 0, column, texts[index], what);
  const bound = known?.length ?? MAX_CLASSES;
  const areIndices = values.every((value) => Number.isInteger(value) && value >= 0 && value < bound);
  if (known !== undefined) {
    const indices = new Map(known.map((name, index) => [name, index]));
    const stranger = texts.findIndex((text) => !indices.has(text));
    if (stranger < 0) return { classes: Uint32Array.from(texts, (text) => indices.get(text) ?? 0), classNames: known };
    if (areIndices) return { classes: Uint32Array.from(values), classNames: known };
    throw refused(stranger, `, which is not one of the ${known.length} classes: ${shown(known)}.`);
  }
  if (areIndices) {
    const largest = values.reduce((most, value) => Math.max(most, value), -1);
    const names = Array.from({ length: firstClass === 0 ? 0 : largest + 1 }, (_, index) => `${firstClass + index}`);
    return { classes: Uint32Array.from(values), ...(firstClass !== 0 && { classNames: names }) };
  }
  const below = values.findIndex((value) => value < 0);
  if (firstClass !== 0 && below >= 0)
    throw refused(below, `; with firstClass = ${firstClass}, a class is an integer ≥ ${firstClass}.`);
  const fraction = values.findIndex((value) => value % 1 !== 0);
  if (fraction >= 0 && !values.some(Number.isNaN)) {
    throw refused(fraction, `, which is not a class. To regress on it, pass { type: 'value' }.`);
  }
  const names = table.classNamesOf(new Set(texts));
  const indices = new Map(names.map((name, index) => [name, index]));
  return { classes: Uint32Array.from(texts, (text) => indices.get(text) ?? 0), classNames: names };
}

/**
 * Finds the columns that the options name.
 * @throws {MlpError} `bad-option` if one does not exist, has two roles, or no inputs are left
 */
function rolesOf(table: Table, options: TableOptions): Roles {
  checkOptions(table, options);
  const { like, type = like?.encoder?.type ?? 'class', targets } = options;
  const encoder = like?.encoder;
  const wanted = targets ?? (options.target === undefined ? encoder?.targets : [options.target]) ?? [];
  const find = columnFinder(table);
  const labels = wanted.map(find);
  const inputs =
    encoder?.columns.map((known): InputColumn => {
      const { name, categories } = known;
      return { index: find(name), name, isCategory: categories !== undefined, known };
    }) ?? chosenInputs(table, options, labels, find);
  const both = inputs.find(({ index }) => labels.includes(index));
  if (both !== undefined) {
    throw new MlpError('bad-option', `${table.name}: column ${JSON.stringify(both.name)} is an input and a label.`);
  }
  if (labels.length === 0 || inputs.length === 0 || !['class', 'value'].includes(type)) {
    throw new MlpError(
      'bad-option',
      `${table.name}: target must be one of its ${table.width} columns, or targets some of them, but not all; type must be "class" or "value".`,
    );
  }
  // Every column that is used must have a name of its own.
  for (const index of [...labels, ...inputs.map((input) => input.index)]) find(nameOf(table, index));
  const missing = options.missing ?? (encoder?.columns.some(({ means }) => means !== undefined) ? 'mean' : 'error');
  return { inputs, labels, type: targets === undefined ? type : (encoder?.type ?? 'value'), missing };
}

/** The input columns that the options choose. */
function chosenInputs(
  table: Table,
  options: TableOptions,
  labels: readonly number[],
  find: (id: ColumnId) => number,
): InputColumn[] {
  const ids = (name: 'columns' | 'drop' | 'categories'): number[] => (options[name] ?? []).map(find);
  const drop = ids('drop');
  const categories = ids('categories');
  const others = Array.from({ length: table.width }, (_, index) => index).filter((index) => !labels.includes(index));
  const indices = (options.columns === undefined ? others : ids('columns')).filter((index) => !drop.includes(index));
  const unused = categories.find((index) => !indices.includes(index));
  if (unused !== undefined) {
    throw new MlpError(
      'bad-option',
      `${table.name}: categories has column ${JSON.stringify(nameOf(table, unused))}, which is not an input.`,
    );
  }
  return indices.map((index) => ({ index, name: nameOf(table, index), isCategory: categories.includes(index) }));
}

/** @throws {MlpError} `bad-option` if an option is not allowed, or contradicts `like` */
function checkOptions({ name }: Table, options: TableOptions): void {
  const refuse = (what: string): never => {
    throw new MlpError('bad-option', `${name}: ${what}`);
  };
  const { missing = 'error', classNames, like } = options;
  if (!['error', 'mean', 'drop'].includes(missing)) {
    refuse(`missing = ${describe(missing)}; it must be "error", "mean" or "drop".`);
  }
  const lists = {
    targets: options.targets,
    columns: options.columns,
    drop: options.drop,
    categories: options.categories,
  };
  for (const [list, ids] of Object.entries({ ...lists, classNames })) {
    if (ids !== undefined && !Array.isArray(ids)) refuse(`${list} is ${describe(ids)}; it must be an array.`);
  }
  if (classNames !== undefined && new Set(classNames).size < classNames.length) {
    refuse(`classNames has a name twice: ${shown(classNames)}.`);
  }
  if (like === undefined) return;
  if (like.encoder === undefined && like.classNames === undefined) {
    refuse('like has no encoder and no classNames. Pass a data set from a table, or the spec of a trained model.');
  }
  const decided = Object.keys(like.encoder === undefined ? {} : lists).find(
    (list) => list !== 'targets' && options[list as 'columns'] !== undefined,
  );
  if (decided !== undefined) refuse(`${decided} and like cannot be combined: like decides on the columns.`);
  if (
    classNames !== undefined &&
    like.classNames !== undefined &&
    classNames.join('\n') !== like.classNames.join('\n')
  ) {
    refuse(`classNames has ${shown(classNames)}, but like has ${shown(like.classNames)}. Leave one of them out.`);
  }
}

/** Returns a function that finds the index of a column, and throws if the column does not exist, or is not the only one. */
function columnFinder({ name, names = [], width, columnsText }: Table): (id: ColumnId) => number {
  const places = new Map<string, number[]>();
  for (const [index, column] of names.entries()) places.set(column, [...(places.get(column) ?? []), index]);
  return (id) => {
    const [found = -1, other, ...rest] = typeof id === 'string' ? (places.get(id) ?? []) : [id < 0 ? width + id : id];
    if (other !== undefined) {
      throw new DataError(
        `${name}: columns ${[found, other, ...rest].join(' and ')} have the same name, ${JSON.stringify(id)}. Rename one, or leave it out by its index: { drop: [${other}] }.`,
      );
    }
    if (Number.isInteger(found) && found >= 0 && found < width) return found;
    throw new MlpError('bad-option', `${name} has no column ${JSON.stringify(id)}. ${columnsText}`);
  };
}
