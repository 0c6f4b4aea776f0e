import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
  compileApp(folder, 'test/support/typed-app.ts');
});

test('no member that is marked @internal is published', () => {
  expect(reachedModules(folder).filter(({ text }) => text.includes('@internal'))).toEqual([]);
});

test('every published name and member has a docstring, with an example or a default where it needs one; what is optional may be undefined', () => {
  expect(report(lacksOf(folder))).toBe('');
});

test('the walk finds what is planted', () => {
  const planted = join(folder, 'planted');
  mkdirSync(planted);
  const index = `
export { Gpu, type Options } from './kernels.js';
/** Adds. */
export declare function add(a: number, options?: { readonly b?: number }): { sum: number };
`;
  const kernels = `
interface Base {
  /** Documented. Default: 1. */
  readonly size?: number;
  readonly bare: string;
}
/** Options. */
export interface Options extends Base {
  /** Text. */
  readonly label?: string;
  /** Text, none at first. */
  readonly text?: string;
  nested: readonly { readonly inner: Inner }[];
}
/** Reached from a member. */
interface Inner {
  readonly type: 'inner';
  (x: number): number;
  readonly deep: number;
}
/**
 * A device.
 * @example new Gpu()
 */
export declare class Gpu implements Base {
    #private;
    private readonly own;
    readonly size?: number;
    readonly bare: string;
    static from(): Gpu;
    get memory(): number;
    [Symbol.dispose](): void;
}
export declare class Other {
}
`;
  writeFileSync(join(planted, 'index.d.ts'), index);
  writeFileSync(join(planted, 'kernels.d.ts'), kernels);
  expect(lacksOf(planted).map(({ name, lack }) => `${name}: ${lack}`)).toEqual([
    'add: @example',
    'add.b: docstring',
    'add.b: | undefined',
    'add.sum: docstring',
    'Base: docstring',
    'Base.bare: docstring',
    'Base.size: | undefined',
    'Gpu.bare: docstring',
    'Gpu.from: docstring',
    'Gpu.memory: docstring',
    'Gpu.size: | undefined',
    'Inner.deep: docstring',
    'Options.label: default',
    'Options.label: example',
    'Options.label: | undefined',
    'Options.nested: docstring',
    'Options.nested: example',
    'Options.nested.inner: docstring',
    'Options.text: example',
    'Options.text: | undefined',
    'Other: docstring',
    'Other: @example',
  ]);
});
