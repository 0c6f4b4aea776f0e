import { DataError, MlpError } from '../base/errors.js';

/** Options of `Dataset.fromCsv`. Pass `target` or `targets`. */
export interface CsvOptions {
  /**
   * Column of the labels: its name, or its index, counted from 0; negative indices count from the end, −1 is the last.
   * Without it, pass `targets`.
   */
  readonly target?: string | number;
  /** Several columns of numbers, to regress on. Without it, pass `target`. */
  readonly targets?: readonly (string | number)[];
  /** Type of the labels in `target`: `class`, or `value`, a number to regress on. Default: `class`. */
  readonly type?: 'class' | 'value';
  /**
   * True if the first line has the names of the columns. Default: true if `target` or `targets` has a name, or if no
   * cell of the first line is a number.
   */
  readonly header?: boolean;
  /** Character between the cells of a line. Default: a comma. */
  readonly delimiter?: string;
}

/** Contents of a CSV file, as options of `Dataset.create`. */
export interface CsvSamples {
  readonly inputs: Float32Array<ArrayBuffer>;
  readonly features: number;
  readonly classes?: Uint32Array<ArrayBuffer>;
  readonly classNames?: readonly string[];
  readonly targets?: Float32Array<ArrayBuffer>;
}

/** Record of a CSV file, and the number of the line where it begins, counted from 1. */
interface CsvRecord {
  readonly line: number;
  readonly cells: readonly string[];
}

const NUMBER = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i;

/**
 * Reads samples from CSV (RFC 4180) in UTF-8, plain or gzip: one record per line, lines ending in LF or CRLF. A cell
 * with a delimiter, a quote or a line break is in quotes as a whole, and quotes in it are doubled. Empty lines are
 * skipped, and spaces around names and numbers are ignored. If all labels of type `class` are integers ≥ 0 and below
 * 2³¹, they are class indices; otherwise they are class names, numbered in order of first appearance. All other cells
 * must be numbers.
 * @param name name of the file, for messages
 * @throws {DataError} with the line and the column where the file is malformed
 * @throws {MlpError} `bad-option` if a column does not exist, or an option is not allowed
 */
export async function readCsv(
  source: string | Uint8Array | ArrayBuffer,
  options: CsvOptions,
  name = 'The CSV file',
): Promise<CsvSamples> {
  const { delimiter = ',' } = options;
  if (delimiter.length !== 1 || /["\r\n]/.test(delimiter)) {
    throw new MlpError(
      'bad-option',
      `${name}: delimiter = ${JSON.stringify(delimiter)}; it must be one character, not a quote or a line break.`,
    );
  }
  const text = typeof source === 'string' ? source : await decodeText(source, name);
  if (/^\s*<(?:!doctype|html)/i.test(text)) {
    throw new DataError(`${name} is a web page, not CSV. Check the URL that it came from.`);
  }
  const { value: first } = parse(text, delimiter, name).next();
  if (first === undefined) throw new DataError(`${name} is empty.`);
  return collectSamples(parse(text, delimiter, name), findColumns(first, options, name), text);
}

/** Decompresses and decodes a file. @throws {DataError} if it is corrupt gzip, or is not UTF-8 */
async function decodeText(source: Uint8Array | ArrayBuffer, name: string): Promise<string> {
  const bytes = source instanceof Uint8Array ? (source as Uint8Array<ArrayBuffer>) : new Uint8Array(source);
  let plain: ArrayBuffer | Uint8Array = bytes;
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    plain = await new Response(stream).arrayBuffer().catch((cause: unknown) => {
      throw new DataError(`${name} is gzip that is truncated or corrupt. Download it again.`, { cause });
    });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(plain);
  } catch (cause) {
    throw new DataError(`${name} is not text in UTF-8. Save it as UTF-8.`, { cause });
  }
}

/** Yields the records of a text in order. @throws {DataError} if quotes are not used as RFC 4180 specifies */
function* parse(text: string, delimiter: string, name: string): Generator<CsvRecord, undefined> {
  const code = delimiter.charCodeAt(0).toString(16).padStart(4, '0');
  const plain = new RegExp(`[^"\\r\\n\\u${code}]*`, 'y');
  let at = text.startsWith('\ufeff') ? 1 : 0;
  let line = 1;
  while (at < text.length) {
    const record = { line, cells: [] as string[] };
    for (let more = true; more; ) {
      const begin = at;
      if (text[at] === '"') {
        const end = closingQuote(text, at + 1);
        const place = `${name}: line ${line}, column ${record.cells.length}`;
        if (end < 0) throw new DataError(`${place}: the quote that opens here is never closed.`);
        const cell = text.slice(at + 1, end).replaceAll('""', '"');
        record.cells.push(cell);
        line += cell.split('\n').length - 1;
        at = end + 1;
      } else {
        plain.lastIndex = at;
        record.cells.push(plain.exec(text)?.[0] ?? '');
        at = plain.lastIndex;
      }
      more = text[at] === delimiter;
      if (more) at += 1;
      else if (text.startsWith('\r\n', at)) at += 2;
      else if (text[at] === '\n') at += 1;
      else if (at < text.length) {
        throw new DataError(
          `${name}: line ${line}, column ${record.cells.length - 1}: ${JSON.stringify(text.slice(begin, at + 1))} is not a valid cell. Put a cell that has quotes or line breaks in quotes as a whole, and double the quotes in it.`,
        );
      }
    }
    line += 1;
    if (record.cells.length > 1 || record.cells[0] !== '') yield record;
  }
}

/** Position of the quote that closes the cell whose text begins at `start`; −1 if no quote closes it. */
function closingQuote(text: string, start: number): number {
  let at = text.indexOf('"', start);
  while (at >= 0 && text[at + 1] === '"') at = text.indexOf('"', at + 2);
  return at;
}

/** Roles of the columns of a file. */
interface Columns {
  /** Name of the file, for messages. */
  readonly file: string;
  /** Number of columns. */
  readonly count: number;
  /** Names of the columns, if the first record has them. */
  readonly names: readonly string[] | undefined;
  /** Indices of the columns of inputs. */
  readonly inputs: readonly number[];
  /** Indices of the columns of labels. */
  readonly labels: readonly number[];
  /** True if the labels are classes, not numbers. */
  readonly areClasses: boolean;
}

/**
 * Finds the columns that the options name.
 * @throws {MlpError} `bad-option` if one does not exist, or no inputs are left
 */
function findColumns({ line, cells }: CsvRecord, options: CsvOptions, file: string): Columns {
  const { target, targets, type = 'class' } = options;
  const wanted = targets ?? (target === undefined ? [] : [target]);
  const hasNames = wanted.some((column) => typeof column === 'string');
  const { header = hasNames || !cells.some((cell) => NUMBER.test(cell)) } = options;
  const names = header ? cells.map((cell) => cell.trim()) : undefined;
  const count = cells.length;
  const labels = wanted.map((column) => {
    const index = typeof column === 'string' ? (names ?? []).indexOf(column) : column < 0 ? count + column : column;
    if (cells[index] !== undefined) return index;
    const found = `${cells.slice(0, 9).join(', ')}${count > 9 ? ' …' : ''}`;
    throw new MlpError(
      'bad-option',
      `${file} has no column ${JSON.stringify(column)}. Line ${line} has ${count}: ${found}. If the cells are not separated correctly, pass { delimiter }.`,
    );
  });
  const inputs = cells.flatMap((_, index) => (labels.includes(index) ? [] : [index]));
  if (labels.length === 0 || inputs.length === 0 || !['class', 'value'].includes(type)) {
    throw new MlpError(
      'bad-option',
      `${file}: target must be one of its ${count} columns, or targets some of them, but not all; type must be "class" or "value".`,
    );
  }
  return { file, count, names, inputs, labels, areClasses: type === 'class' && targets === undefined };
}

/**
 * Collects the inputs and labels of all records.
 * @throws {DataError} if a record is too short or long, or a cell is not allowed
 */
function collectSamples(records: Iterable<CsvRecord>, columns: Columns, text: string): CsvSamples {
  const { file, count, names, inputs: inputColumns, labels, areClasses } = columns;
  const features = inputColumns.length;
  const inputs = new Float32Array(text.split('\n').length * features);
  const targets: number[] = [];
  const texts: Cell[] = [];
  let rows = names === undefined ? 0 : -1;
  for (const { line, cells } of records) {
    if (cells.length !== count) {
      throw new DataError(`${file}: line ${line} has ${cells.length} cells, but the first has ${count}.`);
    }
    if (rows >= 0) {
      const cell = (column: number): Cell => ({ text: cells[column] ?? '', line, column });
      for (const [i, column] of inputColumns.entries()) inputs[rows * features + i] = toNumber(cell(column), columns);
      if (areClasses) texts.push(requireText(cell(labels[0] ?? 0), columns));
      else for (const column of labels) targets.push(toNumber(cell(column), columns));
    }
    rows += 1;
  }
  const samples = { inputs: inputs.slice(0, Math.max(rows, 0) * features), features };
  return areClasses
    ? { ...samples, ...toClasses(texts, columns) }
    : { ...samples, targets: Float32Array.from(targets) };
}

/** Text of a cell and its place: `line` counts from 1, `column` from 0. */
interface Cell {
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

/** Makes the error for a cell: its place and text, and then `what` is wrong. */
function cellError({ text, line, column }: Cell, { file, names }: Columns, what: string): DataError {
  const name = names?.[column] ? JSON.stringify(names[column]) : `${column}`;
  return new DataError(`${file}: line ${line}, column ${name} is ${JSON.stringify(text)}${what}`);
}

/** Returns the cell. @throws {DataError} if it is empty */
function requireText(cell: Cell, columns: Columns): Cell {
  if (cell.text.trim() === '') throw cellError(cell, columns, ', an empty cell. Fill it, or leave the line out.');
  return cell;
}

/** Converts a cell to a number. @throws {DataError} if it is not a finite float32 number */
function toNumber(cell: Cell, columns: Columns): number {
  const value = Math.fround(Number(requireText(cell, columns).text));
  if (NUMBER.test(cell.text) && Number.isFinite(value)) return value;
  const hint =
    columns.names === undefined && cell.line === 1 ? ' If the first line has names, pass { header: true }.' : '';
  throw cellError(cell, columns, `; it must be a finite float32 number.${hint}`);
}

/** Bound of class indices: larger integers become names, because their low 32 bits would be another class. */
const MAX_CLASSES = 2 ** 31;

/**
 * Converts labels to class indices: integers stay as they are, names are numbered.
 * @throws {DataError} if all labels are numbers, but some of them are fractions
 */
function toClasses(cells: readonly Cell[], columns: Columns): Pick<CsvSamples, 'classes' | 'classNames'> {
  const values = cells.map(({ text }) => (NUMBER.test(text) ? Number(text) : Number.NaN));
  if (values.every((value) => Number.isInteger(value) && value >= 0 && value < MAX_CLASSES)) {
    return { classes: Uint32Array.from(values) };
  }
  const fraction = cells[values.findIndex((value) => value % 1 !== 0)];
  if (fraction !== undefined && !values.some(Number.isNaN)) {
    throw cellError(fraction, columns, `, which is not a class. To regress on it, pass { type: 'value' }.`);
  }
  const numbers = new Map<string, number>();
  const classes = Uint32Array.from(cells, ({ text }) => {
    const name = text.trim();
    const number = numbers.get(name) ?? numbers.size;
    numbers.set(name, number);
    return number;
  });
  return { classes, classNames: [...numbers.keys()] };
}
