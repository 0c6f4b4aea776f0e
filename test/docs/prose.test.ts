import { expect, test } from 'vitest';
import { questions } from '../../tools/prose.mjs';

/** The lines of a text, joined so that this file has no such comments of its own. */
const code = (...lines: readonly string[]): string => lines.join('\n');

test('comments that begin with a question word are found with their lines', () => {
  const text = code(
    '/** What it holds. More. */',
    'export const held = "// What a string says";',
    '/**',
    ' * @internal',
    ' * Whether it is open.',
    ' * @param name which one',
    ' * @returns - whose it is; or nothing',
    ' */',
    'export function open(name: string): string {',
    '  // The first. The rest of the comment',
    '  // when it goes on is one with it.',
    '  return name; // How it ends.',
    '}',
    '// Where K is shorter.',
  );
  expect(questions('a.ts', text)).toEqual([
    { line: 1, text: 'What it holds.' },
    { line: 4, text: 'Whether it is open.' },
    { line: 6, text: 'which one' },
    { line: 7, text: 'whose it is;' },
    { line: 12, text: 'How it ends.' },
    { line: 14, text: 'Where K is shorter.' },
  ]);
});

test('WGSL is read too, and words that only look alike are let pass', () => {
  const text = code('/* When it ends. */', 'var x = 0; // However it is, `where` is a name.', '// Whatever is left.');
  expect(questions('a.wgsl', text).map(({ line }) => line)).toEqual([1, 3]);
});
