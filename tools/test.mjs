// @ts-check
// npm test: installs what is missing, then tests up to `N passed, N failed`. Built-in modules only until that is installed.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { findBrowser, probeAdapter } from './browser.mjs';
import { check } from './check.mjs';
import { ensureDependencies, execute, root } from './install.mjs';

const KINDS = ['check', 'unit', 'gpu', 'page'];
const HELP = `npm test -- [--only check|unit|gpu|page]... [-t name] [file]...

Installs what is missing, finds a Chrome, checks the tree, then runs the tests.
  --only kind   one kind only; may be repeated
  -t name       only tests whose name matches
  file          only test files whose path contains this
The last line says how many tests passed and failed.`;

/** @typedef {{ passed: number, failed: number }} Count */

/**
 * A report of vitest's JSON reporter, as far as it is read here.
 * @typedef {{ name: string, status: string, startTime: number, endTime: number, assertionResults: { status: string }[] }} FileReport
 * @typedef {{ testResults: FileReport[] }} Report
 */

/** The number of files that the run names as its slowest. */
const SLOWEST = 10;

/**
 * Prints the files whose tests took longest.
 * @param {Report} report
 */
function printSlowest({ testResults }) {
  const files = testResults.map(({ name, startTime, endTime }) => ({ name, seconds: (endTime - startTime) / 1000 }));
  const slowest = files.sort((a, b) => b.seconds - a.seconds).slice(0, SLOWEST);
  console.log(`\nThe slowest of ${files.length} files:`);
  for (const { name, seconds } of slowest) console.log(`${seconds.toFixed(1).padStart(7)} s  ${relative(root, name)}`);
}

/**
 * @param {Report} report
 * @param {boolean} filtered true if tests were skipped on purpose
 * @returns {Count}
 */
function count(report, filtered) {
  let passed = 0;
  let failed = 0;
  for (const { name, status, assertionResults } of report.testResults) {
    const statuses = assertionResults.map((test) => test.status);
    const wrong = statuses.filter((test) => test === 'failed').length;
    const left = statuses.filter((test) => test !== 'failed' && test !== 'passed').length;
    passed += statuses.length - wrong - left;
    failed += wrong;
    if (left > 0 && !filtered) {
      failed += left;
      console.error(`${relative(root, name)}: ${left} tests were skipped, which counts as failed.`);
    }
    if (status === 'failed' && wrong === 0) {
      failed += 1;
      console.error(`${relative(root, name)} failed outside its tests.`);
    }
  }
  return { passed, failed };
}

/**
 * @param {readonly string[]} projects
 * @param {readonly string[]} files
 * @param {string | undefined} pattern
 * @param {string | undefined} browser path of the browser, if one is needed
 * @returns {Count}
 */
function runTests(projects, files, pattern, browser) {
  const folder = mkdtempSync(join(tmpdir(), 'webgpu-mlp-'));
  const output = join(folder, 'report.json');
  try {
    const args = ['--no-install', 'vitest', 'run', ...files, ...projects.flatMap((name) => ['--project', name])];
    args.push('--reporter=default', '--reporter=json', `--outputFile.json=${output}`);
    if (pattern !== undefined) args.push('-t', pattern);
    const status = execute('npx', args, browser === undefined ? {} : { env: { PUPPETEER_EXECUTABLE_PATH: browser } });
    const result = { passed: 0, failed: 0 };
    if (existsSync(output)) {
      /** @type {Report} */
      const report = JSON.parse(readFileSync(output, 'utf8'));
      printSlowest(report);
      Object.assign(result, count(report, pattern !== undefined));
    }
    if (status !== 0 && result.failed === 0) {
      console.error(`Vitest ended with status ${status} although no test failed; its messages are above.`);
      result.failed = 1;
    } else if (result.passed + result.failed === 0) {
      console.error('No test ran.');
      result.failed = 1;
    }
    return result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns {Promise<Count | undefined>} undefined if only the help was requested */
async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string', multiple: true },
      testNamePattern: { type: 'string', short: 't' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return undefined;
  }
  const unknown = values.only?.find((kind) => !KINDS.includes(kind));
  if (unknown !== undefined) throw new Error(`--only ${unknown} is not known. Known: ${KINDS.join(', ')}.`);
  const narrowed = positionals.length > 0 || values.testNamePattern !== undefined;
  const kinds = values.only ?? KINDS.filter((kind) => kind !== 'check' || !narrowed);

  ensureDependencies();
  const total = { passed: 0, failed: 0 };
  const projects = kinds.filter((kind) => kind !== 'check');
  /** @type {string | undefined} */
  let browser;
  if (projects.includes('gpu') || projects.includes('page')) {
    browser = await findBrowser({ install: true });
    console.log(`Browser: ${browser}`);
    const adapter = await probeAdapter(browser);
    if (adapter === null) throw new Error(`${browser} has no WebGPU adapter, so nothing could be tested.`);
    const { vendor, architecture, description, software } = adapter;
    const words = [vendor, architecture, description].filter((word) => word !== '').join(' ');
    console.log(`Adapter: ${words}, ${software ? 'software' : 'hardware'}`);
  }
  if (kinds.includes('check')) {
    // A failed check counts as one failed test, and the tests run nevertheless.
    if (check() !== undefined) total.failed += 1;
  }
  if (projects.length > 0) {
    const { passed, failed } = runTests(projects, positionals, values.testNamePattern, browser);
    total.passed += passed;
    total.failed += failed;
  }
  return total;
}

try {
  const total = await main();
  if (total !== undefined) {
    process.exitCode = total.failed === 0 ? 0 : 1;
    console.log(`\n${total.passed} passed, ${total.failed} failed`);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
  console.log('0 passed, 1 failed');
}
