// @ts-check
// npm run check: all checks that do not run the library. Stops at the first failure.
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureDependencies, execute, root } from './install.mjs';

/** @typedef {{ name: string, what: string, run: () => number }} Step */

/**
 * @param {string} command
 * @param {...string} args
 */
const npx = (command, ...args) => execute('npx', ['--no-install', command, ...args]);

/**
 * Checks that the published types need neither Node's types nor shaders.d.ts, which users may lack, nor @webgpu/types, except
 * those for TypeScript 5.
 */
function declarationsStandAlone() {
  const forbidden = /@webgpu\/types|types="node"|\.wgsl['"]|shaders\.d/;
  const files = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.d.ts') && !file.startsWith('ts5'),
  );
  const bad = files.filter((file) => forbidden.test(readFileSync(join(root, 'dist', file), 'utf8')));
  for (const file of bad) console.error(`dist/${file} refers to types that users do not have (${forbidden.source}).`);
  if (bad.length > 0) return 1;
  const options = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2022', '--module', 'esnext'];
  options.push('--moduleResolution', 'bundler', '--lib', 'es2022,dom', '--types', '');
  return npx('tsc', '--ignoreConfig', ...options, 'dist/index.d.ts', 'dist/kernels.d.ts');
}

/** @type {readonly Step[]} */
export const steps = [
  { name: 'tsc', what: 'types of the whole tree', run: () => npx('tsc', '-p', 'tsconfig.json') },
  { name: 'biome', what: 'format and lint', run: () => npx('biome', 'ci', '--colors=off', '--error-on-warnings', '.') },
  { name: 'prose', what: 'comments name their thing first', run: () => execute('node', ['tools/prose.mjs']) },
  { name: 'knip', what: 'files, exports and dependencies that nobody uses', run: () => npx('knip') },
  { name: 'build', what: 'dist: JavaScript and types', run: () => execute('npm', ['run', '--silent', 'build']) },
  { name: 'declarations', what: 'the published types stand alone', run: declarationsStandAlone },
  { name: 'publint', what: 'package.json says what the package holds', run: () => npx('publint', '--strict') },
  {
    name: 'attw',
    what: 'both entry points resolve with their types',
    run: () => npx('attw', '--pack', '.', '--profile', 'esm-only'),
  },
  { name: 'size', what: 'bytes that a user downloads', run: () => npx('size-limit') },
];

/**
 * @returns {string | undefined} the name of the step that failed
 */
export function check() {
  for (const { name, what, run } of steps) {
    console.log(`\n── ${name}: ${what}`);
    const start = performance.now();
    const status = run();
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    if (status !== 0) {
      console.error(`── ${name} failed after ${seconds} s (status ${status}).`);
      return name;
    }
    console.log(`── ${name}: passed in ${seconds} s`);
  }
  return undefined;
}

if (import.meta.url === pathToFileURL(realpathSync(process.argv[1] ?? '')).href) {
  ensureDependencies();
  process.exitCode = check() === undefined ? 0 : 1;
}
