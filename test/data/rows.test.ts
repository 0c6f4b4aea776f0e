import { describe, expect, test } from 'vitest';
import { DataError, MlpError } from '../../src/base/errors.js';
import { type CsvOptions, readCsv } from '../../src/data/csv.js';
import type { Encoder } from '../../src/data/encoder.js';
import type { TableOptions, TableSamples } from '../../src/data/labelled-table.js';
import { encodeRows, readRows } from '../../src/data/rows.js';

const fruits = [
  { id: 1, size: 3, color: 'red', ripe: true, kind: 'plum' },
  { id: 2, size: 9, color: 'green', ripe: false, kind: 'melon' },
  { id: 3, size: 6, color: 'red', ripe: true, kind: 'apple' },
];
const lines = 'id,size,color,ripe,kind\n1,3,red,true,plum\n2,9,green,false,melon\n3,6,red,true,apple';
const chosen: TableOptions = { target: 'kind', drop: ['id'], categories: ['color', 'ripe'] };
/** size; red, green; true, false. */
const inputs = Float32Array.of(3, 1, 0, 1, 0, 9, 0, 1, 0, 1, 6, 1, 0, 1, 0);
const encoder: Encoder = {
  columns: [
    { name: 'size' },
    { name: 'color', categories: ['red', 'green'] },
    { name: 'ripe', categories: ['true', 'false'] },
  ],
  targets: ['kind'],
  type: 'class',
};

const rowsOf = (rows: unknown, options: TableOptions): TableSamples => readRows(rows, options, 'fromRows');

/** Reads the same cells as rows of objects and as CSV. */
async function both(
  header: string,
  cells: readonly (readonly unknown[])[],
  options: CsvOptions,
): Promise<TableSamples[]> {
  const names = header.split(',');
  const rows = cells.map((row) => Object.fromEntries(row.map((cell, i) => [names[i], cell])));
  const text = [header, ...cells.map((row) => row.map((cell) => cell ?? '').join(','))].join('\n');
  return [rowsOf(rows, options), await readCsv(text, options)];
}

describe('reads', () => {
  test('numbers, and categories one-hot in the place of their column', async () => {
    expect(rowsOf(fruits, chosen)).toEqual({
      inputs,
      features: 5,
      classes: Uint32Array.of(2, 1, 0),
      classNames: ['apple', 'melon', 'plum'],
      encoder,
    });
    expect(await readCsv(lines, chosen)).toEqual({
      inputs,
      features: 5,
      classes: Uint32Array.of(0, 1, 2),
      classNames: ['plum', 'melon', 'apple'],
      encoder,
    });
  });

  test('chosen columns in their order', async () => {
    for (const columns of [
      ['ripe', 'size'],
      [3, 1],
      [-2, 1],
    ]) {
      for (const samples of [
        rowsOf(fruits, { target: 'kind', columns, categories: ['ripe'] }),
        await readCsv(lines, { target: 'kind', columns, categories: ['ripe'] }),
      ]) {
        expect(samples.inputs).toEqual(Float32Array.of(1, 0, 3, 0, 1, 9, 1, 0, 6));
        expect(samples.encoder.columns.map(({ name }) => name)).toEqual(['ripe', 'size']);
      }
    }
  });

  test('values to regress on', () => {
    const { targets, classes, encoder } = rowsOf(fruits, {
      targets: ['size', 'id'],
      columns: ['color'],
      categories: ['color'],
    });
    expect([targets, classes, encoder.type]).toEqual([Float32Array.of(3, 1, 9, 2, 6, 3), undefined, 'value']);
  });

  test('rows that are arrays, by index', () => {
    const samples = rowsOf(
      [
        [5, 'a', 0],
        [6, 'b', 1],
      ],
      { target: -1, categories: [1] },
    );
    expect(samples.inputs).toEqual(Float32Array.of(5, 1, 0, 6, 0, 1));
    expect(samples.encoder).toEqual({
      columns: [{ name: 0 }, { name: 1, categories: ['a', 'b'] }],
      targets: [2],
      type: 'class',
    });
  });

  test.for<
    [what: string, labels: readonly unknown[], classes: readonly number[], names: readonly string[] | undefined]
  >([
    ['integers', [2, 0, 1], [2, 0, 1], undefined],
    ['strings, sorted', ['b', 'a', 'b'], [1, 0, 1], ['a', 'b']],
    ['booleans', [true, false, true], [1, 0, 1], ['false', 'true']],
    ['strings of digits, which are names', ['10', '9', '10'], [1, 0, 1], ['9', '10']],
    ['one boolean', [true], [1], ['false', 'true']],
    ['negative integers, which are names', [1, -1, 1], [1, 0, 1], ['-1', '1']],
  ])('labels that are %s', ([, labels, classes, names]) => {
    const samples = rowsOf(
      labels.map((label, x) => ({ x, label })),
      { target: 'label' },
    );
    expect([[...(samples.classes ?? [])], samples.classNames]).toEqual([classes, names]);
  });

  test('columns that are named like members of every object', () => {
    const rows = [
      { constructor: 1, length: 2, ['__proto__']: 3, label: 0 },
      JSON.parse('{"constructor":4,"length":5,"__proto__":6,"label":1}'),
    ];
    expect(rowsOf(rows.slice(1), { target: 'label' }).inputs).toEqual(Float32Array.of(4, 5, 6));
    expect(() => rowsOf([{ toString: 1, label: 0 }, { label: 1 }], { target: 'label' })).toThrow(
      'row 1, column "toString" is undefined',
    );
  });
});

describe('like', () => {
  const train = { encoder, classNames: ['plum', 'melon', 'apple'] };

  test('gives a further table the columns, categories and class names of the first', async () => {
    const test = { kind: 'apple', color: 'green', ripe: true, size: 2, more: 'x' };
    const expected = { inputs: Float32Array.of(2, 0, 1, 1, 0), features: 5, classes: Uint32Array.of(2), ...train };
    expect(rowsOf([test], { like: train })).toEqual(expected);
    expect(await readCsv('kind,color,more,size,ripe\napple,green,x,2,true', { like: train })).toEqual(expected);
  });

  test('refuses a class and a category that the first table does not have', async () => {
    const kind = { ...fruits[0], kind: 'pear' };
    expect(() => rowsOf([kind], { like: train })).toThrow(
      'fromRows: row 0, column "kind" is "pear" (a string), which is not one of the 3 classes: "plum", "melon", "apple".',
    );
    await expect(readCsv('size,color,ripe,kind\n1,blue,true,plum', { like: train })).rejects.toThrow(
      'line 2, column "color" is "blue", which is not one of the 2 categories of the training set: "red", "green".',
    );
    await expect(readCsv('size,color,kind\n1,red,plum', { like: train })).rejects.toThrow('has no column "ripe".');
  });

  test('labels may be indices of known names', () => {
    const rows = [
      { x: 1, label: 1 },
      { x: 2, label: 0 },
    ];
    const options = { target: 'label', classNames: ['cat', 'dog'] };
    expect(rowsOf(rows, options)).toMatchObject({ classes: Uint32Array.of(1, 0), classNames: ['cat', 'dog'] });
    expect(() => rowsOf([...rows, { x: 3, label: 2 }], options)).toThrow('column "label" is "1"');
  });

  test('labels from 1 are names, if the names are such numbers', async () => {
    expect(await readCsv('x,y\n1,3\n2,1', { target: 'y', classNames: ['1', '2', '3'] })).toMatchObject({
      classes: Uint32Array.of(2, 0),
    });
  });
});

describe('missing cells', () => {
  const cells = [
    [1, 'a', 0],
    [null, 'b', 1],
    [4, null, 0],
    [7, 'a', 1],
  ];

  test('are an error by default, with the place and the remedies', async () => {
    await expect(both('x,c,y', cells, { target: 'y', categories: ['c'] })).rejects.toThrow(
      'fromRows: row 1, column "x" is null, a missing value. Fill it, or pass { missing: "mean" } or { missing: "drop" }',
    );
    await expect(readCsv('x,y\n,0', { target: 'y' })).rejects.toThrow(
      'line 2, column "x" is "", an empty cell. Fill it, leave the line out, or pass { missing: "mean" } or { missing: "drop" }.',
    );
  });

  test('become the means of the inputs of their columns', async () => {
    for (const { inputs, encoder } of await both('x,c,y', cells, { target: 'y', categories: ['c'], missing: 'mean' })) {
      const [a, b] = [Math.fround(2 / 3), Math.fround(1 / 3)];
      expect([...inputs]).toEqual([1, 1, 0, 4, 0, 1, 4, a, b, 7, 1, 0]);
      expect(encoder.columns).toEqual([
        { name: 'x', means: [4] },
        { name: 'c', categories: ['a', 'b'], means: [2 / 3, 1 / 3] },
      ]);
    }
  });

  test('become the means of the training set in a further table', async () => {
    const [train] = await both('x,c,y', cells, { target: 'y', categories: ['c'], missing: 'mean' });
    if (train === undefined) throw new Error('no table');
    for (const { inputs } of await both('x,c,y', [[null, 'b', 1]], { like: train }))
      expect([...inputs]).toEqual([4, 0, 1]);
    for (const { inputs } of await both(
      'x,c,y',
      [
        [null, 'b', 1],
        [3, 'a', 0],
      ],
      { like: train, missing: 'drop' },
    )) {
      expect([...inputs]).toEqual([3, 1, 0]);
    }
    await expect(both('x,c,y', [[null, 'b', 1]], { like: train, missing: 'error' })).rejects.toThrow('a missing value');
    const plain = { encoder: { ...train.encoder, columns: [{ name: 'x' }] } };
    expect(() => rowsOf([{ x: null, y: 1 }], { like: plain, missing: 'mean' })).toThrow('a missing value');
  });

  test('drop their rows', async () => {
    for (const { inputs, classes } of await both('x,c,y', cells, { target: 'y', categories: ['c'], missing: 'drop' })) {
      // The only row with the category b is dropped.
      expect([...inputs]).toEqual([1, 1, 7, 1]);
      expect([...(classes ?? [])]).toEqual([0, 1]);
    }
    for (const { inputs } of await both(
      'x,y',
      [
        [1, null],
        [2, 0],
      ],
      { target: 'y', missing: 'drop' },
    )) {
      expect([...inputs]).toEqual([2]);
    }
  });

  test('of labels have no mean', async () => {
    await expect(both('x,y', [[1, null]], { target: 'y', missing: 'mean' })).rejects.toThrow(
      'row 0, column "y" is null',
    );
  });

  test.for(['NA', 'n/a', 'NaN', 'null', 'None', '?', ' '])('of a file may be %j', async (cell) => {
    const { inputs } = await readCsv(`x,y\n${cell},0\n3,1`, { target: 'y', missing: 'mean' });
    expect([...inputs]).toEqual([3, 3]);
  });

  test('of rows are null, undefined, NaN, an empty string and an absent key', () => {
    const gaps = [{ x: null }, { x: undefined }, { x: Number.NaN }, { x: '' }, {}];
    const rows = [{ x: 5, y: 0 }, ...gaps.map((row) => ({ ...row, y: 1 }))];
    expect([...rowsOf(rows, { target: 'y', missing: 'mean' }).inputs]).toEqual([5, 5, 5, 5, 5, 5]);
  });

  test('without a mean are refused', async () => {
    await expect(both('x,y', [[null, 1]], { target: 'y', missing: 'mean' })).rejects.toThrow(
      'column "x" has no value, and therefore no mean. Drop the column.',
    );
  });
});

describe('refuses', () => {
  const row = { x: 1, c: 'a', y: 0 };
  test.for<[what: string, rows: unknown, options: TableOptions, message: string]>([
    ['no array', { 0: row }, { target: 'y' }, 'rows is an object; it must be an array of objects.'],
    ['no rows', [], { target: 'y' }, 'there are no rows.'],
    ['a row that is a number', [row, 3], { target: 'y' }, 'row 1 is 3; each row must be an object.'],
    ['a shorter array', [[1, 2], [1]], { target: 1 }, 'row 1 has 1 cells, but row 0 has 2 cells.'],
    [
      'a number in a string',
      [{ x: '3', y: 0 }],
      { target: 'y' },
      'row 0, column "x" is "3" (a string); it must be a finite float32 number. To encode texts, pass { categories: ["x"] }; to leave the column out, { drop: ["x"] }.',
    ],
    ['a boolean', [{ x: true, y: 0 }], { target: 'y' }, 'row 0, column "x" is true (a boolean); it must be'],
    ['an object in a cell', [{ x: {}, y: 0 }], { target: 'y' }, 'row 0, column "x" is an object; it must be'],
    ['a date', [{ x: new Date(0), y: 0 }], { target: 'y' }, 'row 0, column "x" is a Date; it must be'],
    ['infinity', [{ x: Infinity, y: 0 }], { target: 'y' }, 'row 0, column "x" is Infinity; it must be'],
    ['more than float32 has', [{ x: 1e39, y: 0 }], { target: 'y' }, 'row 0, column "x" is 1e+39; it must be'],
    [
      'an object as a category',
      [{ x: [1], y: 0 }],
      { target: 'y', categories: ['x'] },
      'row 0, column "x" is an array; a category is',
    ],
    ['an object as a class', [{ x: 1, y: {} }], { target: 'y' }, 'row 0, column "y" is an object; a class is a string'],
    [
      'a text to regress on',
      [{ x: 1, y: '2' }],
      { target: 'y', type: 'value' },
      'row 0, column "y" is "2" (a string); it must be',
    ],
  ])('%s', ([, rows, options, message]) => {
    expect(() => rowsOf(rows, options)).toThrow(DataError);
    expect(() => rowsOf(rows, options)).toThrow(`fromRows: ${message}`);
  });

  const like = { encoder, classNames: ['plum', 'melon', 'apple'] };
  test.for<[what: string, options: TableOptions, message: string]>([
    ['no such column', { target: 'z' }, 'has no column "z". The rows have 3: x, c, y.'],
    ['no such column to drop', { target: 'y', drop: ['z'] }, 'has no column "z".'],
    ['no target', {}, 'target must be one of its 3 columns'],
    ['an input that is the label', { target: 'y', columns: ['x', 'y'] }, 'column "y" is an input and a label.'],
    [
      'a category that is no input',
      { target: 'y', drop: ['c'], categories: ['c'] },
      'categories has column "c", which is not an input.',
    ],
    [
      'an unknown reaction',
      { target: 'y', missing: 'median' as 'mean' },
      'missing = "median" (a string); it must be "error", "mean" or "drop".',
    ],
    ['a list that is none', { target: 'y', drop: 'c' as never }, 'drop is "c" (a string); it must be an array.'],
    ['a name of two classes', { target: 'y', classNames: ['a', 'a'] }, 'classNames has a name twice: "a", "a".'],
    ['like without anything', { like: {} }, 'like has no encoder and no classNames.'],
    ['like and columns', { like, drop: ['x'] }, 'drop and like cannot be combined'],
    [
      'like and other names',
      { like, classNames: ['plum', 'apple', 'melon'] },
      'classNames has "plum", "apple", "melon", but like has "plum", "melon", "apple".',
    ],
  ])('options: %s', ([, options, message]) => {
    const error = (() => {
      try {
        return rowsOf([row], options);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(MlpError);
    expect(error).toMatchObject({ code: 'bad-option', message: expect.stringContaining(message) });
  });

  test('two columns of one name, unless one is left out', async () => {
    const text = 'a,a,kind\n1,2,x\n3,4,y';
    await expect(readCsv(text, { target: 'kind' })).rejects.toThrow(
      'columns 0 and 1 have the same name, "a". Rename one, or leave it out by its index: { drop: [1] }.',
    );
    await expect(readCsv(text, { target: 'kind', columns: ['a'] })).rejects.toThrow(DataError);
    await expect(readCsv(text, { target: 'a' })).rejects.toThrow(DataError);
    await expect(readCsv(text, { target: 'kind', drop: [1] })).rejects.toThrow(DataError);
  });
});

describe('encodes rows for a model', () => {
  test('by the names of the columns; other keys do not matter', () => {
    const rows = [{ ripe: false, color: 'green', size: 5, other: {} }, fruits[0] ?? {}];
    expect(encodeRows(rows, encoder, 'predict')).toEqual(Float32Array.of(5, 0, 1, 0, 1, 3, 1, 0, 1, 0));
  });

  test('with the means of the training set', () => {
    const columns = [
      { name: 'x', means: [7] },
      { name: 'c', categories: ['a', 'b'], means: [0.25, 0.75] },
    ];
    expect([...encodeRows([{}, { x: 1, c: 'b' }], { ...encoder, columns }, 'predict')]).toEqual([
      7, 0.25, 0.75, 1, 0, 1,
    ]);
  });

  test('of a table without names by index', () => {
    const columns = [{ name: 0 }, { name: 2 }];
    expect([...encodeRows([{ 0: 5, 2: 6 }], { ...encoder, columns }, 'predict')]).toEqual([5, 6]);
  });

  test.for<[what: string, rows: readonly unknown[], message: string]>([
    [
      'an unknown category',
      [{ ...fruits[0], color: 'blue' }],
      'predict: row 0, column "color" is "blue" (a string), which is not one of the 2 categories of the training set: "red", "green".',
    ],
    [
      'a missing cell',
      [fruits[0], { color: 'red', ripe: true }],
      'predict: row 1, column "size" is undefined, a missing value.',
    ],
    [
      'text for a number',
      [{ ...fruits[0], size: '3' }],
      'predict: row 0, column "size" is "3" (a string); it must be a finite float32 number.',
    ],
    ['an array among objects', [fruits[0], [1, 2]], 'predict: row 1 is an array, but row 0 is an object.'],
  ])('refuses %s', ([, rows, message]) => {
    expect(() => encodeRows(rows, encoder, 'predict')).toThrow(DataError);
    expect(() => encodeRows(rows, encoder, 'predict')).toThrow(message);
  });
});
