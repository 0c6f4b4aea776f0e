// @ts-check
// The options of `npm run bench`. Built-in modules only, because the bundled script for Node contains this file too.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { checkWritable, parsed, UsageError } from '../tools/usage.mjs';
import { ReportError, readReport } from './report/read.mjs';

export const HELP = `npm run bench -- [options]

Measures the GPU, every kernel on it, whole training steps, and other libraries at the same work, in headless Chrome.
The table goes to standard output, all else to standard error.

  --node          on Dawn for Node instead: bench/dist/bench-node.mjs, which also runs alone on another machine
                  (DAWN_NODE names Dawn's native module where the npm package webgpu is not installed)
  --serve         only serves the page, to measure in a browser of yours, until Ctrl-C
  --only NAME     only cases whose name contains NAME (x stands for ×), or one of NAME,NAME; a name that is nowhere lists
                  them all
  --quick         few and short samples: for a look, not for a claim
  --full          large shapes on a software adapter too; on hardware they are always measured
  --no-peers      without the other libraries
  --json FILE     writes the report as JSON
  --html FILE     writes the report as a page with plots
  --compare FILE  compares with an earlier report's JSON
  --help          this text`;

/**
 * @typedef {object} BenchOptions
 * @property {boolean} help
 * @property {boolean} node
 * @property {boolean} serve
 * @property {string} only '' for all cases
 * @property {boolean} quick
 * @property {boolean} full
 * @property {boolean} peers
 * @property {string | undefined} json
 * @property {string | undefined} html
 * @property {import('./case.ts').Report | undefined} earlier the report that --compare names
 * @property {{ caseName: string, contender: string } | undefined} cold set by the bench itself, to measure one first step only
 */

/**
 * @param {string} path
 * @returns {import('./case.ts').Report}
 */
function readEarlier(path) {
  if (!existsSync(path) || statSync(path).isDirectory()) {
    throw new UsageError(`--compare is "${path}", and there is no such file. Name one that --json wrote.`);
  }
  try {
    return readReport(readFileSync(path, 'utf8'), `--compare "${path}"`);
  } catch (error) {
    throw error instanceof ReportError ? new UsageError(error.message) : error;
  }
}

/** @param {string[]} args */
function parse(args) {
  const string = /** @type {const} */ ({ type: 'string' });
  const boolean = /** @type {const} */ ({ type: 'boolean' });
  const flags = { help: boolean, node: boolean, serve: boolean, quick: boolean, full: boolean, 'no-peers': boolean };
  const options = {
    ...flags,
    only: string,
    json: string,
    html: string,
    compare: string,
    cold: string,
    contender: string,
  };
  return parsed('npm run bench', () => parseArgs({ args, options }).values);
}

/**
 * @param {string[]} args
 * @returns {BenchOptions}
 * @throws {UsageError} an option is unknown, or names a file or folder that does not exist
 */
export function readOptions(args) {
  const { help = false, node = false, serve = false, quick = false, full = false, only = '', ...rest } = parse(args);
  const { json, html, compare, cold, contender = '' } = rest;
  if (node && serve)
    throw new UsageError('--node and --serve exclude each other: one runs in Node, the other is a page.');
  checkWritable('json', json);
  checkWritable('html', html);
  return {
    help,
    node,
    serve,
    only,
    quick,
    full,
    peers: rest['no-peers'] !== true,
    json,
    html,
    earlier: compare === undefined ? undefined : readEarlier(compare),
    cold: cold === undefined ? undefined : { caseName: cold, contender },
  };
}
