import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../tools/install.mjs';

/** Files and folders that `npm run build` reads. */
const BUILT_FROM = [
  'src',
  'shaders',
  'package.json',
  'tsconfig.build.json',
  'tsconfig.json',
  'vite.config.ts',
  'tools/library-plugins.ts',
];

/** Runs a program to its end and returns its standard output. @throws {Error} with all that it printed, if it fails */
export function runProgram(program: string, args: readonly string[], folder: string, env = process.env): string {
  const shell = process.platform === 'win32' && program === 'npm';
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: folder, encoding: 'utf8', shell, env });
  if (status === 0) return stdout;
  throw new Error(`${[program, ...args].join(' ')} failed with status ${status}.\n${stdout}${stderr}`, {
    cause: error,
  });
}

/** The latest modification of a file, or of anything in a folder: a file that was removed changes its folder. */
function modified(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return 0;
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(stats.mtimeMs, ...readdirSync(path).map((name) => modified(join(path, name))));
}

/** Builds `dist/`, unless its files are newer than all that they are built from. */
export function buildIfStale(): void {
  const built = ['index.js', 'kernels.js', 'webgpu-mlp.js', 'index.d.ts', 'kernels.d.ts'].map((name) => `dist/${name}`);
  const oldest = Math.min(...built.map((file) => modified(join(root, file))));
  if (BUILT_FROM.some((path) => modified(join(root, path)) >= oldest)) runProgram('npm', ['run', 'build'], root);
}

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

function pack(...options: readonly string[]): Packed {
  const [packed] = JSON.parse(runProgram('npm', ['pack', '--json', '--ignore-scripts', ...options], root)) as Packed[];
  if (packed === undefined) throw new Error('npm pack --json has listed no package.');
  return packed;
}

/** The paths of the files that `npm publish` would upload, except those of `dist/`. */
export function packedFiles(): string[] {
  return pack('--dry-run')
    .files.map(({ path }) => path)
    .filter((path) => !path.startsWith('dist/'));
}

/** Installs the library into `folder/node_modules` from the tarball that `npm publish` would upload. */
export function installPackage(folder: string): void {
  buildIfStale();
  const { filename } = pack('--pack-destination', folder);
  const place = join(folder, 'node_modules', 'webgpu-mlp');
  mkdirSync(place, { recursive: true });
  runProgram('tar', ['-xzf', join(folder, filename), '-C', place, '--strip-components', '1'], folder);
}
