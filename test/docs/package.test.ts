import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from 'vite';
import { beforeAll, expect, test } from 'vitest';
import { root } from '../../tools/install.mjs';
import { buildIfStale } from '../support/package.js';

const folder = join(root, 'dist');
let files: readonly string[] = [];

const textOf = (file: string): string => readFileSync(join(folder, file), 'utf8');
const modules = (): readonly string[] => files.filter((file) => file.endsWith('.js'));

beforeAll(() => {
  buildIfStale();
  files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => file.replaceAll('\\', '/'));
});

/** A node of a syntax tree, whose fields are looked at one by one. */
type Node = Readonly<Record<string, unknown>>;

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'type' in value;

/** Nodes by which code finds a value: keys of objects and members, names, and the operands of comparisons. */
function keysOf(node: Node): readonly unknown[] {
  if (node.type === 'Property' || node.type === 'PropertyDefinition' || node.type === 'MethodDefinition')
    return [node.key];
  if (node.type === 'MemberExpression') return [node.property];
  if (node.type === 'BinaryExpression') return [node.left, node.right];
  if (node.type === 'SwitchCase') return [node.test];
  return node.type === 'Identifier' ? [node] : [];
}

/** The keys with a character outside of ASCII in a module. */
function foreignKeys(code: string): string[] {
  const found: string[] = [];
  const walk = (node: Node): void => {
    for (const key of keysOf(node).filter(isNode)) {
      const text = String(key.name ?? (key.type === 'Literal' ? key.value : ''));
      if (/[\u0080-\uffff]/.test(text)) found.push(text);
    }
    for (const child of Object.values(node).flat().filter(isNode)) walk(child);
  };
  walk(parseSync('module.js', code).program as unknown as Node);
  return [...new Set(found)];
}

test('every module is ASCII, as a page without a charset needs it', () => {
  expect(modules().length).toBeGreaterThan(100);
  expect(modules().filter((file) => /[\u0080-\uffff]/.test(textOf(file)))).toEqual([]);
});

test('no code depends on characters that a minifier may write as they are again', () => {
  expect(modules().flatMap((file) => foreignKeys(textOf(file)).map((key) => `${file}: ${key}`))).toEqual([]);
});

test('the search finds keys, comparisons, cases and names', () => {
  const code = `const a = { 'x ≥ 0': 1, \\u00e9: 2 }; a['y ≥ 0']; a.b === '²'; switch (a) { case '³': } throw Error('≥');`;
  expect(foreignKeys(code)).toEqual(['x ≥ 0', 'é', 'y ≥ 0', '²', '³']);
});

test('every declaration has its module', () => {
  const declarations = files.filter((file) => file.endsWith('.d.ts'));
  expect(declarations).toContain('webgpu-mlp.d.ts');
  expect(declarations.filter((file) => !files.includes(file.replace(/\.d\.ts$/, '.js')))).toEqual([]);
});

/** The names that a module of the build exports. */
const exportsOf = (file: string): string[] =>
  parseSync(file, textOf(file))
    .module.staticExports.flatMap(({ entries }) => entries)
    .map(({ exportName }) => String(exportName.name));

test('webgpu-mlp.js is one file with the names of both entries', () => {
  const { staticImports, dynamicImports } = parseSync('webgpu-mlp.js', textOf('webgpu-mlp.js')).module;
  expect([staticImports, dynamicImports]).toEqual([[], []]);
  const names = ['index.js', 'kernels.js'].flatMap(exportsOf);
  expect(names).toContain('Mlp');
  expect(names).toContain('matmul');
  expect(exportsOf('webgpu-mlp.js').sort()).toEqual([...new Set(names)].sort());
});
