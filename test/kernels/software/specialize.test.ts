import { expect, test } from 'vitest';
import { loadShaders } from '../../../shaders/plugin.ts';
import { specialized } from '../../../src/kernels/software/specialize.js';
import { overrideSets } from '../../support/override-sets.js';

const left = (code: string, overrides: Record<string, number | boolean>): string =>
  specialized(code, overrides).replaceAll(/\s+/g, ' ').trim();

test.each([
  // [text, overrides, what is left]
  ['if (ON) { a(); } b();', { ON: true }, '{ a(); } b();'],
  ['if (ON) { a(); } b();', { ON: false }, '{} b();'],
  ['if(!ON){a();}else{b();}', { ON: true }, '{b();}'],
  ['if(!ON){a();}else{b();}c();', { ON: false }, '{a();}c();'],
  ['if (N > 1) { a(); }', { N: 2 }, '{ a(); }'],
  ['if (N > 1) { a(); }', { N: 1 }, '{}'],
  ['if (N == 0.0) { a(); }', { N: 0 }, '{ a(); }'],
  ['if (ON && MORE) { a(); }', { ON: true, MORE: true }, '{ a(); }'],
  // Not theirs to decide, or only in part.
  ['if (on) { a(); }', { ON: true }, 'if (on) { a(); }'],
  ['if (ON && x > y) { a(); }', { ON: true }, 'if (ON && x > y) { a(); }'],
  ['if (ON && x > y) { a(); }', { ON: false }, '{}'],
  ['if (ON || x) { a(); }', { ON: true }, 'if (ON || x) { a(); }'],
  ['if (N < limit()) { a(); }', { N: 1 }, 'if (N < limit()) { a(); }'],
  // Branches in branches, and chains of them.
  ['if (ON) { if (MORE) { a(); } else { b(); } }', { ON: true, MORE: false }, '{ { b(); } }'],
  ['if (A) { a(); } else if (B) { b(); } else { c(); } d();', { A: true, B: true }, '{ a(); } d();'],
  ['if (A) { a(); } else if (B) { b(); } else { c(); } d();', { A: false, B: true }, '{ b(); } d();'],
  ['if (A) { a(); } else if (B) { b(); } else { c(); } d();', { A: false, B: false }, '{ c(); } d();'],
  ['if (x) { a(); } else if (B) { b(); } c();', { B: false }, 'if (x) { a(); } else {} c();'],
  // What follows a return is never reached, but for where it is one of several branches.
  ['fn f() { if (ON) { return a; } return b; } fn g() {}', { ON: true }, 'fn f() { { return a; }} fn g() {}'],
  ['fn f() { if (ON) { return a; } return b; } fn g() {}', { ON: false }, 'fn f() { {} return b; } fn g() {}'],
  ['if (x) { a(); } else if (ON) { return b; } c();', { ON: true }, 'if (x) { a(); } else { return b; } c();'],
  ['if (x) { if (ON) { return; } a(); } b();', { ON: true }, 'if (x) { { return; }} b();'],
  // One case of a switch.
  ['switch N { case 0: { return a; } case 1: { return b; } default: { return c; } }', { N: 1 }, 'return b;'],
  ['switch n { case 0: { a(); } default: { } }', { N: 1 }, 'switch n { case 0: { a(); } default: { } }'],
  // Comments are no code.
  ['a(); // if (ON) {\nb(); /* } */', { ON: true }, 'a(); b();'],
])('of %s with %o is left %s', (code, overrides, expected) => {
  expect(left(code, overrides)).toBe(expected);
});

test('each line that is left stays where it was', () => {
  const code = '// one\nif (ON) {\n  a();\n} else {\n  b();\n}\n/* seven\neight */ c();\n';
  for (const ON of [true, false]) {
    const lines = specialized(code, { ON }).split('\n');
    expect(lines).toHaveLength(code.split('\n').length);
    expect(lines[7]?.trim()).toBe('c();');
  }
});

test('no shader keeps a branch that its overrides decide', () => {
  for (const shader of loadShaders()) {
    for (const overrides of overrideSets(shader)) {
      const code = specialized(shader.code, { ...shader.overrides, ...overrides });
      expect(
        code.match(/\bif \(!?[A-Z][A-Z0-9_]*\)|\bif \([A-Z][A-Z0-9_]* (?:==|>) [\d.]+\)|switch [A-Z]+/g),
      ).toBeNull();
    }
  }
});
