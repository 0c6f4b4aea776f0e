import { describe, expect, test } from 'vitest';
import { codeOf, sources, textOf } from '../support/tree.js';

const [, section = ''] = textOf('docs/vocabulary.md').split('\n## Errors\n');
const rows = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'));
const quoted = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);
const listed = rows
  .map((row) => row.split('|'))
  .flatMap(([, name, codes]) => quoted(codes).map((code) => [quoted(name)[0], code]));

const code = sources.map((file) => codeOf(`src/${file}`)).join('\n');
const errors = codeOf('src/base/errors.ts');
/** The classes with a code of their own. */
const classes = [...errors.matchAll(/class (\w+) extends MlpError \{([\s\S]*?)^\}/gm)].flatMap(
  ([, name = '', body = '']) => [...body.matchAll(/super\('([\w-]+)'/g)].map(([, own = '']) => [name, own]),
);
const [, reasons = ''] = /type UnavailableReason =([^;]*);/.exec(errors) ?? [];
/** The codes that calls give to MlpError, by themselves or through a function that checks something. */
const given = [...code.matchAll(/MlpError\(\s*'([\w-]+)'|'(bad-[\w-]+)'/g)].map(
  ([, direct, checked]) => direct ?? checked ?? '',
);

describe('the table of errors in docs/vocabulary.md', () => {
  test('has every class and every code that src/ throws, and no other', () => {
    const expected = [
      ...[...reasons.matchAll(/'([\w-]+)'/g)].map(([, reason = '']) => ['WebGpuUnavailableError', reason]),
      ...classes,
      ...[...new Set(given)].map((each) => ['MlpError', each]),
    ];
    const sorted = (pairs: readonly (readonly (string | undefined)[])[]): string[] =>
      pairs.map((pair) => pair.join(' ')).sort();
    expect(sorted(listed)).toEqual(sorted(expected));
  });
});
