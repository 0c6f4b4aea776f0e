// @ts-check
// npm run bench:readme -- FILE: writes a report's numbers into README.md and docs/bench.md, between the comments that name it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { ensureDependencies, root } from '../tools/install.mjs';
import { readReport } from './report/read.mjs';

const USAGE = 'npm run bench:readme -- FILE, where FILE is a report that npm run bench -- --json FILE has written.';

/**
 * @param {string | undefined} path
 * @returns {Promise<string>} a sentence for the user
 */
async function writeNumbers(path) {
  if (path === undefined) throw new Error(`No report is named. ${USAGE}`);
  if (!existsSync(path)) throw new Error(`"${path}" does not exist. ${USAGE}`);
  const report = readReport(readFileSync(path, 'utf8'), path);
  ensureDependencies();
  const { runnerImport } = await import('vite');
  /** @type {{ module: typeof import('./report/readme.ts') }} */
  const { module } = await runnerImport(join(root, 'bench/report/readme.ts'));
  const file = relative(root, resolve(path)).replaceAll('\\', '/');
  // All pages are composed before the first is written: a page without a place for the numbers leaves the others alone.
  const pages = module.PAGES.map((page) => {
    const place = join(root, page.path);
    return { place, text: module.withReport(readFileSync(place, 'utf8'), page, file, report) };
  });
  for (const { place, text } of pages) writeFileSync(place, text);
  return `${module.PAGES.map((page) => page.path).join(' and ')} have the numbers of ${file}.`;
}

try {
  console.log(await writeNumbers(process.argv[2]));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
