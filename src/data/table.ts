import { DataError } from '../base/errors.js';

/** Record of a table. */
export interface TableRecord {
  /** Number of the line or row, for messages. */
  readonly at: number;
  /** One cell for each column. */
  readonly cells: readonly unknown[];
}

/** Records with the same columns: the lines of a CSV file, or rows that an app has. */
export interface Table {
  /** The beginning of error messages: the file, or the caller. */
  readonly name: string;
  /** Names of the columns; undefined for a file without a header. */
  readonly names: readonly string[] | undefined;
  /** Number of columns. */
  readonly width: number;
  /** Sentences that list the columns, for the message about one that does not exist. */
  readonly columnsText: string;
  /** Word for a record in messages. */
  readonly unit: 'line' | 'row';
  /** Upper bound of the number of records. */
  readonly most: number;
  readonly records: Iterable<TableRecord>;
  /** Sentence about missing cells, for messages. */
  readonly missingRemedy: string;
  /** Class names in their order. @param texts distinct labels in order of first appearance */
  classNamesOf(texts: ReadonlySet<string>): string[];
  /** Number in a cell; NaN if the cell has something else, undefined if it is missing. */
  toNumber(cell: unknown): number | undefined;
  /** Text of a cell; undefined if the cell has something else, empty if it is missing. */
  toText(cell: unknown): string | undefined;
  /** Text of a cell for messages. */
  show(cell: unknown): string;
  /** Remedy for a text in record `at`, if that may be the header; else empty. */
  hintFor(at: number): string;
}

/** Makes the error for a cell of record `at`: its place and text, and then `what` is wrong. */
export function cellError(table: Table, at: number, column: number, cell: unknown, what: string): DataError {
  const name = table.names?.[column] ? JSON.stringify(table.names[column]) : `${column}`;
  return new DataError(`${table.name}: ${table.unit} ${at}, column ${name} is ${table.show(cell)}${what}`);
}

/** Makes the error for a missing cell. */
export function missingError(table: Table, at: number, column: number, cell: unknown): DataError {
  return cellError(
    table,
    at,
    column,
    cell,
    `, ${cell === '' ? 'an empty cell' : 'a missing value'}. ${table.missingRemedy}`,
  );
}
