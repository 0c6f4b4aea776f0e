import { DataError } from '../base/errors.js';
import { cellError, missingError, type Table, type TableRecord } from './table.js';

/** Column of a table that is an input of a model. Plain data. */
export interface EncodedColumn {
  /** Name of the column, or its index in a table without names. */
  readonly name: string | number;
  /**
   * Texts that the column may have, in the order of their inputs: each has an input of its own, which is 1 for the text
   * and 0 for the others. Default: none, the column is a number and has one input.
   */
  readonly categories?: readonly string[] | undefined;
  /**
   * Mean of each of the column's inputs in the training set, which replaces a missing cell. Default: none, a missing
   * cell is an error.
   */
  readonly means?: readonly number[] | undefined;
}

/**
 * Description of how rows of a table become inputs: the columns in order, and their encoding. Plain data: a data set has
 * it from `Dataset.fromCsv` or `Dataset.fromRows`, a model learns it from the first data set that `fit` gets, and
 * `save` writes it with the spec.
 */
export interface Encoder {
  /** The columns of the inputs, in order. */
  readonly columns: readonly EncodedColumn[];
  /** Names or indices of the columns of the labels. */
  readonly targets: readonly (string | number)[];
  /** `class` if the labels are classes, `value` if they are numbers to regress on. */
  readonly type: 'class' | 'value';
}

/** Reaction to a missing cell: an error, the mean of its column, or a table without the row. */
export type Missing = 'error' | 'mean' | 'drop';

/** Column of inputs while a table is read. */
export interface InputColumn {
  /** Index of the column in the table. */
  readonly index: number;
  readonly name: string | number;
  /** True if the texts of the column are categories. */
  readonly isCategory: boolean;
  /** The encoding that the column must have. Default: the encoding follows from the table. */
  readonly known?: EncodedColumn | undefined;
}

/** Inputs of a model, and the encoding that they have. */
interface Encoded {
  readonly inputs: Float32Array<ArrayBuffer>;
  /** Numbers in a sample. */
  readonly features: number;
  readonly columns: readonly EncodedColumn[];
}

/** Number of inputs of a column. */
const widthOf = ({ categories }: EncodedColumn): number => categories?.length ?? 1;

/** Number of inputs of an encoder. */
export function encodedFeatures({ columns }: Pick<Encoder, 'columns'>): number {
  return columns.reduce((sum, column) => sum + widthOf(column), 0);
}

/** Reads the input columns of a table, record by record. */
export class InputReader {
  readonly #table: Table;
  readonly #columns: readonly InputColumn[];
  readonly #missing: Missing;
  /** Remedy for a text or a boolean in a column of numbers, for the message. */
  readonly #remedy: (column: InputColumn) => string;
  /** (records, columns): a number, or the index of a category; NaN if the cell is missing. */
  readonly #codes: Float32Array<ArrayBuffer>;
  /** Index of each text of each column; empty for a column of numbers. */
  readonly #texts: readonly Map<string, number>[];
  #rows = 0;
  #hasGaps = false;

  constructor(
    table: Table,
    columns: readonly InputColumn[],
    missing: Missing,
    remedy: (column: InputColumn) => string = () => '',
  ) {
    this.#table = table;
    this.#columns = columns;
    this.#missing = missing;
    this.#remedy = remedy;
    this.#codes = new Float32Array(table.most * columns.length);
    this.#texts = columns.map(({ known }) => new Map(known?.categories?.map((text, index) => [text, index])));
  }

  /** True if a cell of the record is missing. */
  lacks({ cells }: TableRecord): boolean {
    return this.#columns.some(({ index, isCategory }) =>
      isCategory ? this.#table.toText(cells[index]) === '' : this.#table.toNumber(cells[index]) === undefined,
    );
  }

  /** Adds the inputs of a record. @throws {DataError} if a cell is missing, no number, or no known category */
  add(record: TableRecord): void {
    const start = this.#rows * this.#columns.length;
    for (const [i, column] of this.#columns.entries()) {
      this.#codes[start + i] = column.isCategory
        ? this.#categoryOf(record, column, this.#texts[i] ?? new Map())
        : this.#numberOf(record, column);
    }
    this.#rows += 1;
  }

  #numberOf(record: TableRecord, column: InputColumn): number {
    const cell = record.cells[column.index];
    const value = this.#table.toNumber(cell);
    if (value === undefined) return this.#gap(record, column);
    if (!Number.isNaN(value)) return value;
    const hint = this.#table.hintFor(record.at) || (/string|boolean/.test(typeof cell) ? this.#remedy(column) : '');
    throw cellError(this.#table, record.at, column.index, cell, `; it must be a finite float32 number.${hint}`);
  }

  #categoryOf(record: TableRecord, column: InputColumn, texts: Map<string, number>): number {
    const cell = record.cells[column.index];
    const text = this.#table.toText(cell);
    if (text === '') return this.#gap(record, column);
    const refused = (what: string): DataError => cellError(this.#table, record.at, column.index, cell, what);
    if (text === undefined) throw refused('; a category is a string, a finite number or a boolean.');
    const index = texts.get(text);
    if (index !== undefined) return index;
    if (column.known !== undefined) {
      throw refused(
        `, which is not one of the ${texts.size} categories of the training set: ${shown([...texts.keys()])}.`,
      );
    }
    texts.set(text, texts.size);
    return texts.size - 1;
  }

  /** The code of a missing cell. @throws {DataError} if it is not replaced */
  #gap(record: TableRecord, column: InputColumn): number {
    if (this.#missing === 'mean' && (column.known === undefined || column.known.means !== undefined)) {
      this.#hasGaps = true;
      return Number.NaN;
    }
    throw missingError(this.#table, record.at, column.index, record.cells[column.index]);
  }

  /** Encodes all records that were added. @throws {DataError} if a column has no cell for its mean */
  finish(): Encoded {
    const count = this.#columns.length;
    const codes = this.#codes.subarray(0, this.#rows * count);
    const columns = this.#columns.map(({ name, known, isCategory }, i): EncodedColumn => {
      if (known !== undefined) return known;
      const encoded = isCategory ? { name, categories: [...(this.#texts[i] ?? new Map()).keys()] } : { name };
      return this.#missing === 'mean' ? { ...encoded, means: this.#meansOf(codes, i, encoded) } : encoded;
    });
    const features = encodedFeatures({ columns });
    if (features === count && !this.#hasGaps && columns.every(({ categories }) => categories === undefined)) {
      return { inputs: codes.slice(), features, columns };
    }
    return { inputs: expand(codes, columns, features), features, columns };
  }

  /** Mean of each input of a column, over the cells that are not missing. */
  #meansOf(codes: Float32Array, place: number, column: EncodedColumn): number[] {
    const sums = new Float64Array(widthOf(column));
    let cells = 0;
    for (let at = place; at < codes.length; at += this.#columns.length) {
      const code = codes[at] ?? Number.NaN;
      if (Number.isNaN(code)) continue;
      cells += 1;
      const index = column.categories === undefined ? 0 : code;
      sums[index] = (sums[index] ?? 0) + (column.categories === undefined ? code : 1);
    }
    if (cells > 0 || codes.length === 0) return Array.from(sums, (sum) => sum / Math.max(cells, 1));
    throw new DataError(
      `${this.#table.name}: column ${JSON.stringify(column.name)} has no value, and therefore no mean. Drop the column.`,
    );
  }
}

/** Writes the inputs of codes: numbers as they are, categories one-hot, and means in place of missing cells. */
function expand(codes: Float32Array, columns: readonly EncodedColumn[], features: number): Float32Array<ArrayBuffer> {
  const rows = codes.length / columns.length;
  const inputs = new Float32Array(rows * features);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (const [i, column] of columns.entries()) {
      const code = codes[row * columns.length + i] ?? Number.NaN;
      if (Number.isNaN(code)) inputs.set(column.means ?? [], at);
      else if (column.categories === undefined) inputs[at] = code;
      else inputs[at + code] = 1;
      at += widthOf(column);
    }
  }
  return inputs;
}

/** Lists texts for messages: the first nine. */
export function shown(texts: readonly string[]): string {
  const more = texts.length > 9 ? ', …' : '';
  return `${texts
    .slice(0, 9)
    .map((text) => JSON.stringify(text))
    .join(', ')}${more}`;
}
