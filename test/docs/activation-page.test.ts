import { readFileSync } from 'node:fs';
import { parseHTML } from 'linkedom';
import { describe, expect, test } from 'vitest';
import { activationPicture, withActivationTable } from '../../docs/tools/activation-page.js';
import { activationNames } from '../../src/kernels/activations.js';

const textOf = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

describe('docs/activations', () => {
  test('has the table that src/kernels/activations.ts says; `npm run docs` writes it', () => {
    const page = textOf('activations.md');
    expect(page).toBe(withActivationTable(page));
    for (const name of activationNames)
      expect(page).toContain(name === 'geluTanh' ? "approximate: 'tanh'" : `'${name}'`);
  });

  test('has the picture that the formulas say; `npm run docs` writes it', () => {
    expect(textOf('activations.svg') === activationPicture()).toBe(true);
  });

  test('a page without a place for the table is refused', () => {
    expect(() => withActivationTable('# Activations\n')).toThrow('no place between');
  });
});

test('the picture has a title, a value and a derivative for every row and for maxout, and no line leaves its plot', () => {
  const { document } = parseHTML(activationPicture());
  const lines = [...document.querySelectorAll('path.value, path.derivative, g.value path, g.derivative path')];
  const titles = [...document.querySelectorAll('text')].map(({ textContent }) => textContent);
  for (const name of [...activationNames, 'maxout'].filter((row) => row !== 'geluTanh')) {
    expect(
      titles.some((title) => title?.startsWith(name)),
      name,
    ).toBe(true);
  }
  const drawn = lines.map((path) => path.getAttribute('d') ?? '').filter((d) => d.includes('L'));
  expect(drawn.length).toBe(2 * (activationNames.length + 1));
  for (const d of drawn) {
    expect(d).not.toContain('NaN');
    const places = [...d.matchAll(/[ML](-?[\d.]+),(-?[\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);
    const height = Math.max(...places.map(([, y = 0]) => y)) - Math.min(...places.map(([, y = 0]) => y));
    expect(height).toBeLessThan(170);
  }
});
