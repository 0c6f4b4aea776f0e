import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, posix } from 'node:path';
import { SNIPPETS } from '../../shaders/plugin.js';

const root = new URL('../../', import.meta.url);

/** The files below a folder, by their paths from there. */
export const filesIn = (folder: string): string[] =>
  readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .sort();

/** A file's text. @param path from the root of the repository */
export const textOf = (path: string): string => readFileSync(new URL(path, root), 'utf8');

/** A module's text without its comments. */
export const codeOf = (path: string): string => textOf(path).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');

/**
 * The rooms of src/, which are folders and files of the root, in floors from top to bottom. A file imports from its own
 * room or from floors below; rooms of one floor do not import each other.
 */
export const FLOORS: readonly (readonly string[])[] = [
  ['index.ts', 'kernels.ts'],
  ['mlp.ts', 'gpu'],
  ['train'],
  ['model'],
  ['fusion', 'nn', 'data'],
  ['kernels'],
  ['plan'],
  ['base'],
];

export const shaderFiles: readonly string[] = filesIn('shaders').filter((path) => path.endsWith('.wgsl'));
/** Modules of src/, by their paths from there. */
export const sources: readonly string[] = filesIn('src').filter((path) => path.endsWith('.ts'));
export const tests: readonly string[] = filesIn('test').filter((path) => path.endsWith('.ts'));

/** The room that a file of src is in: a folder, or the file itself in the root. */
export const roomOf = (file: string): string => file.split('/')[0] ?? file;

/** The names of modules in a module's `import … from`, `export … from` and `import(…)`, including type imports. */
export const importsOf = (file: string): string[] => {
  const statements =
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;
  return [...textOf(`src/${file}`).matchAll(statements)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
};

/** The file of src/, or a path beside it, that an import names. */
export const resolved = (file: string, name: string): string => posix.join(dirname(file), name).replace(/\.js$/, '.ts');

/** Shaders but for snippets, which are appended to others. */
export const shaders: readonly string[] = shaderFiles
  .map((path) => basename(path, '.wgsl'))
  .filter((name) => !SNIPPETS.includes(name));

/** matmul has several shaders, for CPUs and for GPUs, others one for each half: their kernel has one name. */
const VARIANTS = /^(matmul|batch-norm|layer-norm)-(?:gemv|quad|tiled|parts|backward|parameters)$/;

/** The name of a shader's kernel. */
export const kernelOf = (shader: string): string => VARIANTS.exec(shader)?.[1] ?? shader;
