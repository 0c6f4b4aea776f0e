import { type ByteSource, bytesOf } from '../base/bytes.js';
import { assertOption, describe } from '../base/check.js';
import { DataError, MlpError } from '../base/errors.js';
import { checkOptions, type OptionNames } from '../base/options.js';
import { namesColumns, readTable, TABLE_NAMES, type TableOptions, type TableSamples } from './labelled-table.js';
import type { Table } from './table.js';

/** Options of `Dataset.fromCsv`: those of `Dataset.fromRows`, and the form of the file. */
export interface CsvOptions extends TableOptions {
  /**
   * True if the first line has the names of the columns. Default: true if an option names a column by its name, or if
   * the first line differs from the others: no cell of it is a number, it has a text in a column of numbers, or it
   * counts its columns (`0,1,label`).
   * Example: `header: false`.
   */
  readonly header?: boolean | undefined;
  /** Character between the cells of a line. Default: a comma. Example: `delimiter: ';'`. */
  readonly delimiter?: string | undefined;
}

const NAMES: OptionNames<CsvOptions> = { ...TABLE_NAMES, header: 1, delimiter: 1 };

/** Record of a CSV file, and the number of the line where it begins, counted from 1. */
interface CsvRecord {
  readonly line: number;
  readonly cells: readonly string[];
}

const NUMBER = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i;

/** Texts that stand for a missing number, in lower case. */
const MISSING: ReadonlySet<string> = new Set(['', 'na', 'n/a', 'nan', 'null', 'none', '?']);
/** Number of records that are compared with the first one to tell if it is a header. */
const COMPARED = 1000;

/**
 * Reads samples from CSV (RFC 4180) in UTF-8, plain or gzip: one record per line, lines ending in LF or CRLF. A cell
 * with a delimiter, a quote or a line break is in quotes as a whole, and quotes in it are doubled. Empty lines are
 * skipped, and spaces around cells are ignored. If all labels of type `class` are integers ≥ 0 and below 2³¹, they are
 * class indices; otherwise they are class names, numbered in order of first appearance.
 * @param name name of the file, for messages
 * @throws {DataError} with the line and the column where the file is malformed
 * @throws {MlpError} `bad-option` if a column does not exist, or an option is not allowed; `fetch` if the file cannot be
 * fetched
 */
export async function readCsv(
  source: string | ByteSource,
  options: CsvOptions,
  name = 'The CSV file',
): Promise<TableSamples> {
  const known = checkOptions(name, options, NAMES);
  const { delimiter = ',' } = known;
  if (typeof delimiter !== 'string' || delimiter.length !== 1 || /["\r\n]/.test(delimiter)) {
    throw new MlpError(
      'bad-option',
      `${name}: delimiter = ${typeof delimiter === 'string' ? JSON.stringify(delimiter) : describe(delimiter)}; it must be one character, not a quote or a line break.`,
    );
  }
  const text = typeof source === 'string' ? source : await decodeText(source, name);
  if (/^\s*<(?:!doctype|html)/i.test(text)) {
    throw new DataError(`${name} is a web page, not CSV. Check the URL that it came from.`);
  }
  const { value: first } = parse(text, delimiter, name).next();
  if (first === undefined) throw new DataError(`${name} is empty.`);
  const records = (): Iterable<CsvRecord> => parse(text, delimiter, name);
  const { header = namesColumns(known) || isHeader(first.cells, records()) } = known;
  assertOption(`${name}:`, { header }, 'true or false');
  return readTable(tableOf(first, records, header, text, name), known);
}

/** Decompresses and decodes a file. @throws {DataError} if it is corrupt gzip, or is not UTF-8 */
async function decodeText(source: ByteSource, name: string): Promise<string> {
  const bytes = await bytesOf(name, source);
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

/**
 * Guesses if the first record has the names of the columns.
 * @param records all records, with the first one
 */
function isHeader(first: readonly string[], records: Iterable<CsvRecord>): boolean {
  const numbers = first.filter((cell) => NUMBER.test(cell));
  if (numbers.length === 0) return true;
  if (numbers.length === first.length) return false;
  /** For each column, true as long as all other cells are numbers, and as long as the first cell does not recur. */
  const areNumbers = first.map((cell) => !NUMBER.test(cell));
  const areUnique = first.map((cell) => !NUMBER.test(cell));
  let count = -1;
  for (const { cells } of records) {
    count += 1;
    if (count === 0) continue;
    if (count > COMPARED) break;
    for (const [column, cell] of cells.entries()) {
      areNumbers[column] &&= NUMBER.test(cell) || MISSING.has(cell.trim().toLowerCase());
      areUnique[column] &&= cell !== first[column];
    }
  }
  if (count === 0) return false;
  const counts = numbers.length > 1 && numbers.every((cell, index) => cell.trim() === `${index}`);
  return areNumbers.includes(true) || (counts && first.every((cell, i) => NUMBER.test(cell) || areUnique[i] === true));
}

/** The table of a file. @param records parses the file */
function tableOf(
  { line, cells }: CsvRecord,
  records: () => Iterable<CsvRecord>,
  header: boolean,
  text: string,
  name: string,
): Table {
  const width = cells.length;
  const names = header ? cells.map((cell) => cell.trim()) : undefined;
  return {
    name,
    names,
    width,
    columnsText: `Line ${line} has ${width}: ${cells.slice(0, 9).join(', ')}${width > 9 ? ' …' : ''}. If the cells are not separated correctly, pass { delimiter }.`,
    unit: 'line',
    most: countLines(text),
    records: {
      *[Symbol.iterator]() {
        let isFirst = header;
        for (const { line: at, cells: found } of records()) {
          if (found.length !== width) {
            throw new DataError(`${name}: line ${at} has ${found.length} cells, but the first has ${width}.`);
          }
          if (!isFirst) yield { at, cells: found };
          isFirst = false;
        }
      },
    },
    missingRemedy: 'Fill it, leave the line out, or pass { missing: "mean" } or { missing: "drop" }.',
    classNamesOf: (texts) => [...texts],
    toNumber,
    toText: (cell) => `${cell}`.trim(),
    show: (cell) => JSON.stringify(cell),
    hintFor: (at) => (header || at > line ? '' : ' If the first line has names, pass { header: true }.'),
  };
}

/** Number of line breaks + 1. */
function countLines(text: string): number {
  let lines = 1;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines += 1;
  return lines;
}

/** Number in a cell after rounding to float32; NaN if it has something else, undefined if it is missing. */
function toNumber(cell: unknown): number | undefined {
  const text = `${cell}`;
  if (!NUMBER.test(text)) return MISSING.has(text.trim().toLowerCase()) ? undefined : Number.NaN;
  const value = Math.fround(Number(text));
  return Number.isFinite(value) ? value : Number.NaN;
}
