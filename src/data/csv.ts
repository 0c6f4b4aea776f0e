import { DataError, MlpError } from '../base/errors.js';

export interface CsvOptions {
  /** The column of labels: its name, or its number from 0 on; −1 is the last. */
  readonly target?: string | number;
  /** Several such columns, of numbers, in place of `target`. */
  readonly targets?: readonly (string | number)[];
  /** The kind of labels: `class` by default, or a `value` to regress on. */
  readonly type?: 'class' | 'value';
  /** True if the first line has names; by default it is if none of its cells is a number, or a column is called by name. */
  readonly header?: boolean;
  /** The separator of cells; a comma by default. */
  readonly delimiter?: string;
}

/** A CSV file's contents, as `Dataset.create` takes them. */
export interface CsvSamples {
  readonly inputs: Float32Array<ArrayBuffer>;
  readonly features: number;
  readonly classes?: Uint32Array<ArrayBuffer>;
  readonly classNames?: readonly string[];
  readonly targets?: Float32Array<ArrayBuffer>;
}

/** A record, and the line that it begins in, from 1 on. */
interface CsvRecord {
  readonly line: number;
  readonly cells: readonly string[];
}

const NUMBER = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i;

/**
 * Reads samples from CSV (RFC 4180), plain or gzip, in UTF-8: a record a line, LF or CRLF, cells in quotes where they hold
 * a delimiter, a quote (doubled) or a line break. Empty lines are skipped, and
 * spaces around names and numbers do not count. Labels of type `class` are the indices themselves where all are
 * integers ≥ 0 and below 2³¹; else they are names, and get indices in order of first appearance. All else is numbers.
 * @throws {DataError} that says in which line and column the file does not hold together
 * @throws {MlpError} `bad-option` if a column is not there, or the delimiter is none
 */
export async function readCsv(
  source: string | Uint8Array | ArrayBuffer,
  options: CsvOptions,
  name = 'The CSV file',
): Promise<CsvSamples> {
  const { delimiter = ',' } = options;
  if (delimiter.length !== 1 || /["\r\n]/.test(delimiter)) {
    throw new MlpError('bad-option', `${name}: delimiter = ${JSON.stringify(delimiter)}; it is one character.`);
  }
  const text = typeof source === 'string' ? source : await decoded(source, name);
  if (/^\s*<(?:!doctype|html)/i.test(text)) {
    throw new DataError(`${name} is a web page, not CSV. Look at the address that it came from.`);
  }
  const { value: first } = parse(text, delimiter, name).next();
  if (first === undefined) throw new DataError(`${name} is empty.`);
  return collect(parse(text, delimiter, name), findColumns(first, options, name), text);
}

/** @throws {DataError} for gzip that is broken, or text that is not UTF-8 */
async function decoded(source: Uint8Array | ArrayBuffer, name: string): Promise<string> {
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
    throw new DataError(`${name} is not text in UTF-8. Save it as that.`, { cause });
  }
}

/** The records of a text, in order. @throws {DataError} where quotes are not as RFC 4180 has them */
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
          `${name}: line ${line}, column ${record.cells.length - 1}: ${JSON.stringify(text.slice(begin, at + 1))} is no cell; one with quotes or line breaks is in quotes as a whole, and quotes in it are doubled.`,
        );
      }
    }
    line += 1;
    if (record.cells.length > 1 || record.cells[0] !== '') yield record;
  }
}

/** Where the quote is that closes what was opened before `start`; −1 if nowhere. */
function closingQuote(text: string, start: number): number {
  let at = text.indexOf('"', start);
  while (at >= 0 && text[at + 1] === '"') at = text.indexOf('"', at + 2);
  return at;
}

/** The columns by their contents. */
interface Columns {
  readonly file: string;
  readonly count: number;
  /** Names, if the first record holds them. */
  readonly names: readonly string[] | undefined;
  readonly inputs: readonly number[];
  readonly labels: readonly number[];
  readonly areClasses: boolean;
}

/** @throws {MlpError} for a column that is not there */
function findColumns({ line, cells }: CsvRecord, options: CsvOptions, file: string): Columns {
  const { target, targets, type = 'class' } = options;
  const wanted = targets ?? (target === undefined ? [] : [target]);
  const called = wanted.some((column) => typeof column === 'string');
  const { header = called || !cells.some((cell) => NUMBER.test(cell)) } = options;
  const names = header ? cells.map((cell) => cell.trim()) : undefined;
  const count = cells.length;
  const labels = wanted.map((column) => {
    const index = typeof column === 'string' ? (names ?? []).indexOf(column) : column < 0 ? count + column : column;
    if (cells[index] !== undefined) return index;
    const found = `${cells.slice(0, 9).join(', ')}${count > 9 ? ' …' : ''}`;
    throw new MlpError(
      'bad-option',
      `${file} has no column ${JSON.stringify(column)}. Line ${line} has ${count}: ${found}. If they are not told apart, pass { delimiter }.`,
    );
  });
  const inputs = cells.flatMap((_, index) => (labels.includes(index) ? [] : [index]));
  if (labels.length === 0 || inputs.length === 0 || !['class', 'value'].includes(type)) {
    throw new MlpError(
      'bad-option',
      `${file}: target is one of its ${count} columns, targets are several, but not all; type is "class" or "value".`,
    );
  }
  return { file, count, names, inputs, labels, areClasses: type === 'class' && targets === undefined };
}

/** Numbers and labels of all records. @throws {DataError} */
function collect(records: Iterable<CsvRecord>, columns: Columns, text: string): CsvSamples {
  const { file, count, names, inputs: numbers, labels, areClasses } = columns;
  const features = numbers.length;
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
      for (const [i, column] of numbers.entries()) inputs[rows * features + i] = numberIn(cell(column), columns);
      if (areClasses) texts.push(filled(cell(labels[0] ?? 0), columns));
      else for (const column of labels) targets.push(numberIn(cell(column), columns));
    }
    rows += 1;
  }
  const samples = { inputs: inputs.slice(0, Math.max(rows, 0) * features), features };
  return areClasses
    ? { ...samples, ...asClasses(texts, columns) }
    : { ...samples, targets: Float32Array.from(targets) };
}

interface Cell {
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

/** Says where and what. */
function wrong({ text, line, column }: Cell, { file, names }: Columns, what: string): DataError {
  const name = names?.[column] ? JSON.stringify(names[column]) : `${column}`;
  return new DataError(`${file}: line ${line}, column ${name} is ${JSON.stringify(text)}${what}`);
}

/** @throws {DataError} for an empty cell */
function filled(cell: Cell, columns: Columns): Cell {
  if (cell.text.trim() === '') throw wrong(cell, columns, ', an empty cell. Fill it, or leave the line out.');
  return cell;
}

/** @throws {DataError} for what is no finite float32 number */
function numberIn(cell: Cell, columns: Columns): number {
  const value = Math.fround(Number(filled(cell, columns).text));
  if (NUMBER.test(cell.text) && Number.isFinite(value)) return value;
  const hint =
    columns.names === undefined && cell.line === 1 ? ' If the first line has names, pass { header: true }.' : '';
  throw wrong(cell, columns, `; it must be a finite float32 number.${hint}`);
}

/** Larger integers are no indices: what 32 bits leave of them would be another class. */
const MOST_CLASSES = 2 ** 31;

/** Indices as they are, or names by number. @throws {DataError} for numbers that are none of both */
function asClasses(cells: readonly Cell[], columns: Columns): Pick<CsvSamples, 'classes' | 'classNames'> {
  const values = cells.map(({ text }) => (NUMBER.test(text) ? Number(text) : Number.NaN));
  if (values.every((value) => Number.isInteger(value) && value >= 0 && value < MOST_CLASSES)) {
    return { classes: Uint32Array.from(values) };
  }
  const fraction = cells[values.findIndex((value) => value % 1 !== 0)];
  if (fraction !== undefined && !values.some(Number.isNaN)) {
    throw wrong(fraction, columns, `, which is no class. To regress on it, pass { type: 'value' }.`);
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
