import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileApp, emitDeclarations, type Lack, lacksOf, reachedModules } from '../support/published-types.js';

const folder = mkdtempSync(join(tmpdir(), 'published-types-'));

beforeAll(() => emitDeclarations(folder));
afterAll(() => rmSync(folder, { recursive: true }));

/** The list as a report: the path of each file, and below it a line for each lack. */
function report(lacks: readonly Lack[]): string {
  const lines = lacks.map(({ file, line, name, lack }, i) => {
    const heading = file === lacks[i - 1]?.file ? '' : `${file}\n`;
    return `${heading}  ${line}: ${name}: ${lack}`;
  });
  return lines.join('\n');
}

test('an app with a layer, a loss, an optimizer, a metric and a schedule of its own compiles', () => {
  compileApp(folder, 'test/docs/typed-app.ts');
});

test('no member that is marked @internal is published', () => {
  expect(reachedModules(folder).filter(({ text }) => text.includes('@internal'))).toEqual([]);
});

test('every published name and member has a docstring, with an example or a default where it needs one', () => {
  expect(report(lacksOf(folder))).toBe('');
});
