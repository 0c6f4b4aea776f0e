import { readFileSync } from 'node:fs';
import { parseHTML } from 'linkedom';
import { describe, expect, test } from 'vitest';
import { type ExampleRecord, pictureOf, withOutputs } from '../../docs/tools/example-page.js';
import { EXAMPLES } from '../../examples/options.mjs';

const textOf = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
const names = Object.keys(EXAMPLES);
const records = names.map((name): ExampleRecord => JSON.parse(textOf(`examples/${name}.json`)));
const recordOf = <Result>(name: string): ExampleRecord<Result> => records[names.indexOf(name)] as ExampleRecord<Result>;

describe('docs/examples', () => {
  test('has the outputs that were recorded; `npm run docs` writes them', () => {
    const page = textOf('examples.md');
    expect(page).toBe(withOutputs(page, records));
    for (const name of names) expect(page).toContain(`\n## ${name}\n`);
  });

  test.each(records.filter((record) => pictureOf(record) !== undefined))(
    'has the picture of $example that was recorded; `npm run docs` writes it',
    (record) => {
      expect(textOf(`examples/${record.example}.svg`) === pictureOf(record)).toBe(true);
      expect(textOf('examples.md')).toContain(`](examples/${record.example}.svg)`);
    },
  );

  test('what was recorded keeps the promises', () => {
    const fashion = recordOf<{ testAccuracy: number[] }[]>('fashion-mnist').result;
    expect(fashion.map(({ testAccuracy }) => testAccuracy.length)).toEqual([5, 5, 5]);
    for (const { testAccuracy } of fashion) expect(testAccuracy[4]).toBeGreaterThanOrEqual(0.87);
    const { testAccuracy } = recordOf<{ testAccuracy: number[] }>('mnist-dropout').result;
    expect(testAccuracy.length).toBe(15);
    // 98.4 % is what to expect; of 10,000 digits a share has a standard deviation of √(0.984 · 0.016 / 10,000), 0.13 %.
    expect(testAccuracy[14]).toBeGreaterThanOrEqual(0.984 - Math.sqrt((0.984 * 0.016) / 10_000));
  });

  test('a page without a place for an output is refused', () => {
    expect(() => withOutputs('# Examples\n', records)).toThrow('no place between');
  });
});

test('every line of a picture is drawn, within its plot', () => {
  const expected = { sine: 8, 'dying-relu': 2, 'fashion-mnist': 3, 'mnist-dropout': 2 };
  for (const [name, count] of Object.entries(expected)) {
    const { document } = parseHTML(pictureOf(recordOf(name)) ?? '');
    const paths = [...document.querySelectorAll('path')].map((path) => path.getAttribute('d') ?? '');
    const drawn = paths.filter((d) => d.split('L').length > 3);
    expect(drawn.length, name).toBe(count);
    for (const d of drawn) expect(d, name).not.toContain('NaN');
  }
});
