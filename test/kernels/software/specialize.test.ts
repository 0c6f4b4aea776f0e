import { expect, test } from 'vitest';
import { loadShaders } from '../../../shaders/plugin.ts';
import { specialized } from '../../../src/kernels/software/specialize.js';
import { overrideSets } from '../../support/override-sets.js';

type Overrides = Readonly<Record<string, number | boolean>>;

const typeOf = (value: number | boolean): string =>
  typeof value === 'boolean' ? 'bool' : Number.isInteger(value) ? 'u32' : 'f32';
const tidy = (code: string): string => code.replaceAll(/\s+/g, ' ').trim();

/** The statements of a function that are left, in a module that declares the overrides; a fraction is an f32. */
function left(statements: string, overrides: Overrides): string {
  const declarations = Object.entries(overrides).map(([name, value]) => `override ${name}: ${typeOf(value)} = 0;\n`);
  const code = specialized(`${declarations.join('')}fn f() {${statements}}`, overrides);
  return tidy(code.slice(code.indexOf('fn f() {') + 'fn f() {'.length, -1));
}

test.each<[string, Overrides, string]>([
  // [statements, overrides, what is left]
  ['if (ON) { a(); } b();', { ON: true }, '{ a(); } b();'],
  ['if (ON) { a(); } b();', { ON: false }, '{} b();'],
  ['if(!ON){a();}else{b();}', { ON: true }, '{b();}'],
  ['if(!ON){a();}else{b();}c();', { ON: false }, '{a();}c();'],
  ['if (N > 1) { a(); }', { N: 2 }, '{ a(); }'],
  ['if (N > 1) { a(); }', { N: 1 }, '{}'],
  ['if (ON && MORE) { a(); }', { ON: true, MORE: true }, '{ a(); }'],
  ['if ON { a(); }', { ON: true }, '{ a(); }'],
  // Not theirs to decide, or only in part.
  ['if (on) { a(); }', { ON: true }, 'if (on) { a(); }'],
  ['if (ON && x > y) { a(); }', { ON: true }, 'if (ON && x > y) { a(); }'],
  ['if (ON && x > y) { a(); }', { ON: false }, '{}'],
  ['if (N < limit()) { a(); }', { N: 1 }, 'if (N < limit()) { a(); }'],
  ['if (dims.ON) { a(); }', { ON: false }, 'if (dims.ON) { a(); }'],
  // Branches in branches, and chains of them.
  ['if (ON) { if (MORE) { a(); } else { b(); } }', { ON: true, MORE: false }, '{ { b(); } }'],
  ['if (A) { a(); } else if (B) { b(); } else { c(); } d();', { A: true, B: true }, '{ a(); } d();'],
  ['if (A) { a(); } else if (B) { b(); } else { c(); } d();', { A: false, B: true }, '{ b(); } d();'],
  ['if (A) { a(); } else if (B) { b(); } else { c(); } d();', { A: false, B: false }, '{ c(); } d();'],
  ['if (x) { a(); } else if (B) { b(); } c();', { B: false }, 'if (x) { a(); } c();'],
  ['if (x) { a(); } else if (B) { b(); } else { c(); }', { B: true }, 'if (x) { a(); } else { b(); }'],
  ['if (B) { b(); } else if (x) { a(); } else { c(); }', { B: false }, 'if (x) { a(); } else { c(); }'],
  // Statements behind a return are never reached, unless it is one of several branches.
  ['if (ON) { return a; } return b;', { ON: true }, '{ return a; }'],
  ['if (ON) { return a; } return b;', { ON: false }, '{} return b;'],
  ['if (x) { a(); } else if (ON) { return b; } c();', { ON: true }, 'if (x) { a(); } else { return b; } c();'],
  ['if (x) { if (ON) { return; } a(); } b();', { ON: true }, 'if (x) { { return; } } b();'],
  ['if (OFF) { a(); } else { return b; } c();', { OFF: false }, '{ return b; }'],
  ['if (A) { if (B) { return a; } } return b;', { A: true, B: true }, '{ { return a; } }'],
  ['if (x) { return a; } else if (ON) { return b; } c();', { ON: true }, 'if (x) { return a; } else { return b; }'],
  ['if (ON) { if (x) { return; } } a();', { ON: true }, '{ if (x) { return; } } a();'],
  [
    'loop { if (ON) { continue; } a(); continuing { i++; } }',
    { ON: true },
    'loop { { continue; } continuing { i++; } }',
  ],
  ['loop { a(); continuing { break if ON; } } b();', { ON: true }, 'loop { a(); continuing { break if ON; } } b();'],
  // One case of a switch, in a block of its own.
  ['switch N { case 0: { a(); } case 1: { b(); } default: { } }', { N: 1 }, '{ b(); }'],
  ['switch n { case 0: { a(); } default: { } }', { N: 1 }, 'switch n { case 0: { a(); } default: { } }'],
  ['switch (N) { case 0, 2u: { a(); } default { b(); } }', { N: 2 }, '{ a(); }'],
  ['switch N { case 0: { a(); } case 1, default: { b(); } }', { N: 7 }, '{ b(); }'],
  ['switch N { case 0: { a(); } default: { b(); } }', { N: 7 }, '{ b(); }'],
  ['switch N { case 1: { return a; } default: { return b; } } c();', { N: 1 }, '{ return a; }'],
  ['switch N { case 1: { if (x) { a(); } } default: { } } c();', { N: 1 }, '{ if (x) { a(); } } c();'],
  ['switch N { case FIRST: { a(); } default: { } }', { N: 1 }, 'switch N { case FIRST: { a(); } default: { } }'],
  // A clause of a switch within a clause is not the outer one's.
  ['switch N { case 0: { switch n { case 1: { a(); } default: { } } } default: { b(); } }', { N: 1 }, '{ b(); }'],
  // Conditions of any form.
  ['if (ON || x) { a(); }', { ON: true }, '{ a(); }'],
  ['if (ON || x) { a(); }', { ON: false }, 'if (ON || x) { a(); }'],
  ['if (x || ON) { a(); }', { ON: true }, '{ a(); }'],
  ['if (call() || ON) { a(); }', { ON: true }, 'if (call() || ON) { a(); }'],
  ['if (ON && call()) { a(); }', { ON: false }, '{}'],
  ['if (call() && ON) { a(); }', { ON: false }, 'if (call() && ON) { a(); }'],
  ['if (ON && (MORE || x)) { a(); }', { ON: true, MORE: true }, '{ a(); }'],
  ['if (!(ON && MORE)) { a(); }', { ON: true, MORE: false }, '{ a(); }'],
  ['if ((A) && (B)) { a(); }', { A: true, B: true }, '{ a(); }'],
  ['if (N == 2u) { a(); } if (N != 2) { b(); } if (N <= 1) { c(); }', { N: 2 }, '{ a(); } {} {}'],
  ['if (1 < N) { a(); } if (M == N) { b(); }', { N: 2, M: 2 }, '{ a(); } { b(); }'],
  ['if (N - 1 == 1) { a(); }', { N: 2 }, 'if (N - 1 == 1) { a(); }'],
  [
    '@diagnostic(off, derivative_uniformity) if (ON) { a(); }',
    { ON: false },
    '@diagnostic(off, derivative_uniformity) {}',
  ],
  // As f32, as the shader has them.
  ['if (X == 0.0) { a(); } if (X == 0.1) { b(); }', { X: 1e-60 }, '{ a(); } {}'],
  ['if (X == 0.1) { a(); } if (X > 0.1f) { b(); }', { X: 0.1000000001 }, '{ a(); } {}'],
  // Comments are no code.
  ['a(); // if (ON) {\nb(); /* } */', { ON: true }, 'a(); b();'],
  ['if (/* not */ ON // yes\n) { a(); } else /* if */ { b(); }', { ON: false }, '{ b(); }'],
  ['return/**/x;', {}, 'return x;'],
])('of %s with %o is left %s', (statements, overrides, expected) => {
  expect(left(statements, overrides)).toBe(expected);
});

test.each([
  ['a parameter', 'override K: u32 = 4;\nfn f(K: u32) { if (K > 1) { a(); } }\n'],
  ['a constant', 'override K: u32 = 4;\nfn f() { if (x) { let K = 0u; if (K > 1) { a(); } } }\n'],
  ['a variable', 'override K: u32 = 4;\nfn f() { var<function> K: u32; switch K { case 4: { a(); } default: { } } }\n'],
  ['a loop', 'override K: bool = true;\nfn f() { for (var K = false; !K; K = true) { if (K) { a(); } } }\n'],
])('an override that is hidden by %s is not it', (_what, code) => {
  expect(specialized(code, { K: 4 })).toBe(code);
  // Elsewhere it is.
  const other = 'fn g() { if (K == 4) { b(); } if (!K) { c(); } }';
  expect(tidy(specialized(code + other, { K: 4 }))).toMatch(/fn g\(\) { (?:{ b\(\); }|.*{}) /);
});

test('a name that the text does not declare as an override is no override', () => {
  const code = 'const K = 1;\nfn f() { if (K == 4) { a(); } }\n';
  expect(specialized(code, { K: 4 })).toBe(code);
});

test('a break leaves the switch that is no longer there, not the loop around it', () => {
  const loop = (clause: string): string =>
    left(`for (;;) { switch N { case 1: { ${clause} } default: { } } b(); }`, { N: 1, ON: true });
  expect(loop('a(); break;')).toBe('for (;;) { { a(); } b(); }');
  expect(loop('if (x) { break; } a();')).toBe(
    'for (;;) { switch N { case 1: { if (x) { break; } a(); } default: { } } b(); }',
  );
  expect(loop('for (;;) { break; }')).toBe('for (;;) { { for (;;) { break; } } b(); }');
  expect(loop('switch n { case 0: { break; } default: { } }')).toBe(
    'for (;;) { { switch n { case 0: { break; } default: { } } } b(); }',
  );
  // These two are the loop's.
  expect(loop('continue;')).toBe('for (;;) { { continue; } }');
  expect(left('for (;;) { if (ON) { break; } b(); } c();', { ON: true })).toBe('for (;;) { { break; } } c();');
});

test('clauses that declare the same name do not meet', () => {
  const one = 'switch N { case 1: { let a = 1; b(a); } default: { } }';
  expect(left(one + one, { N: 1 })).toBe('{ let a = 1; b(a); }{ let a = 1; b(a); }');
});

test('block comments nest', () => {
  expect(left('/* a(); /* b(); */ if (ON) { c(); } */ d();', { ON: true })).toBe('d();');
  expect(left('/* // */ a(); // /* */\nb();', {})).toBe('a(); b();');
});

test('each line that is left stays where it was', () => {
  const code = `override ON: bool = true; override N: u32 = 1; fn f() {
    if (ON) {
      a();
    } else if (
      N == 1
    ) {
      return;
    }
    /* eight
    /* nine */
    ten */ switch N {
      case 0: {
        b();
      }
      case 1: {
        c();
        break;
      }
      default: {
      }
    }
    d();
  }
  // last`;
  for (const [ON, N] of [
    [true, 1],
    [false, 1],
    [true, 0],
    [false, 2],
  ] as const) {
    const lines = specialized(code, { ON, N }).split('\n');
    expect(lines).toHaveLength(code.split('\n').length);
    for (const [number, statement] of [...code.split('\n').entries()].filter(([, line]) => /\w\(\);/.test(line))) {
      expect(['', statement.trim()], String(number)).toContain(lines[number]?.trim());
    }
    expect(lines.join('').includes('d();')).toBe(ON || N !== 1);
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
