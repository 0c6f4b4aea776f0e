import { describe } from '../base/check.js';
import { DataError } from '../base/errors.js';
import { checkOptions } from '../base/options.js';
import { type Encoder, InputReader } from './encoder.js';
import { readTable, TABLE_NAMES, type TableOptions, type TableSamples } from './labelled-table.js';
import { sortedNames } from './labels.js';
import type { Table } from './table.js';

/**
 * Row of a table: its cells by the names of their columns, or an array of cells. A cell is a number, a string or a
 * boolean; null, undefined, NaN and an empty string are missing values.
 * @example
 * const row: TableRow = { size: 52, color: 'red', price: 17_300 };
 */
export type TableRow = object;

/** Names of the classes of booleans, also if only one of them occurs. */
const BOOLEANS = ['false', 'true'];

/** True for an object that is neither an array nor a typed array. */
const isObject = (row: unknown): row is Readonly<Record<string, unknown>> =>
  typeof row === 'object' && row !== null && !Array.isArray(row) && !ArrayBuffer.isView(row);

/**
 * Reads samples from rows.
 * @param name the beginning of error messages
 * @throws {DataError} with the row and the column of a cell that is not allowed
 * @throws {MlpError} `bad-option` if a column does not exist, or an option is not allowed
 */
export function readRows(rows: unknown, options: TableOptions, name: string): TableSamples {
  if (!Array.isArray(rows)) {
    throw new DataError(`${name}: rows is ${describe(rows)}; it must be an array of objects.`);
  }
  if (rows.length === 0) throw new DataError(`${name}: there are no rows.`);
  const first: unknown = rows[0];
  const names = Array.isArray(first) ? undefined : namesOf(rows, name);
  const width = names?.length ?? (first as readonly unknown[]).length;
  return readTable(tableOf(rows, names, width, name), checkOptions(name, options, TABLE_NAMES));
}

/**
 * Encodes rows for a model.
 * @param name the beginning of error messages
 * @returns (rows, inputs)
 * @throws {DataError} with the row and the column of a cell that is missing, no number, or no known category
 */
export function encodeRows(rows: readonly unknown[], { columns }: Encoder, name: string): Float32Array<ArrayBuffer> {
  for (const [at, row] of rows.entries()) {
    if (isObject(row)) continue;
    throw new DataError(`${name}: row ${at} is ${describe(row)}, but row 0 is an object. All rows must be objects.`);
  }
  const table = tableOf(
    rows,
    columns.map((column) => `${column.name}`),
    columns.length,
    name,
  );
  const inputs = columns.map((known, index) => {
    return { index, name: known.name, isCategory: known.categories !== undefined, known };
  });
  const reader = new InputReader(table, inputs, 'mean');
  for (const record of table.records) reader.add(record);
  return reader.finish().inputs;
}

/** The names of all rows, in order of first appearance. @throws {DataError} if a row is not an object */
function namesOf(rows: readonly unknown[], name: string): string[] {
  const names = new Set<string>();
  for (const [at, row] of rows.entries()) {
    if (!isObject(row)) throw new DataError(`${name}: row ${at} is ${describe(row)}; each row must be an object.`);
    for (const key of Object.keys(row)) names.add(key);
  }
  return [...names];
}

/** The table of rows. @param names the columns; undefined for rows that are arrays */
function tableOf(rows: readonly unknown[], names: readonly string[] | undefined, width: number, name: string): Table {
  const list = names ?? Array.from({ length: width }, (_, index) => `${index}`);
  return {
    name,
    names,
    width,
    columnsText: `The rows have ${width}: ${list.slice(0, 9).join(', ')}${width > 9 ? ' …' : ''}.`,
    unit: 'row',
    most: rows.length,
    records: {
      *[Symbol.iterator]() {
        for (const [at, row] of rows.entries()) yield { at, cells: names ? cellsOf(row, names) : listOf(row, at) };
      },
    },
    missingRemedy: 'Fill it, or pass { missing: "mean" } or { missing: "drop" } when the training set is made.',
    classNamesOf: (texts) => ([...texts].every((text) => BOOLEANS.includes(text)) ? BOOLEANS : sortedNames(texts)),
    toNumber: (cell) => (toText(cell) === '' ? undefined : numberOf(cell)),
    toText,
    show: describe,
    hintFor: () => '',
  };

  function listOf(row: unknown, at: number): readonly unknown[] {
    if (Array.isArray(row) && row.length === width) return row;
    const what = Array.isArray(row) ? `has ${row.length} cells` : `is ${describe(row)}`;
    throw new DataError(`${name}: row ${at} ${what}, but row 0 has ${width} cells.`);
  }
}

/** The cells of an object. Own properties only, so that a column may be named `constructor`. */
function cellsOf(row: unknown, names: readonly string[]): unknown[] {
  const cells = row as Readonly<Record<string, unknown>>;
  return names.map((name) => (Object.hasOwn(cells, name) ? cells[name] : undefined));
}

/** Number of a cell after rounding to float32; NaN if it is none. Texts are never converted. */
function numberOf(cell: unknown): number {
  const value = Math.fround(typeof cell === 'bigint' ? Number(cell) : typeof cell === 'number' ? cell : Number.NaN);
  return Number.isFinite(value) ? value : Number.NaN;
}

function toText(cell: unknown): string | undefined {
  if (cell === undefined || cell === null || Number.isNaN(cell)) return '';
  if (typeof cell === 'string') return cell.trim() === '' ? '' : cell;
  const isPlain = typeof cell === 'boolean' || typeof cell === 'bigint' || Number.isFinite(cell);
  return isPlain ? String(cell) : undefined;
}
