// @ts-check
// npm run bench: builds the bench and measures in headless Chrome, on Dawn for Node, or serves the page.
import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureDependencies, root } from '../tools/install.mjs';
import { failWith, UsageError } from '../tools/usage.mjs';
import { HELP, readOptions } from './options.mjs';

/** @typedef {import('./options.mjs').BenchOptions} BenchOptions */
/** @typedef {import('./case.ts').Report} Report */
/** @typedef {import('./page/main.ts').BenchEvent} BenchEvent */

const configFile = join(root, 'bench/vite.config.ts');
/** Time limit for a case in milliseconds; the page reports nothing during a case. */
const PATIENCE_MS = 1_200_000;

/**
 * Makes one script of a module and everything it imports.
 * @param {string} entry
 * @param {string} name
 * @returns {Promise<string>} its path
 */
async function bundle(entry, name) {
  const { build } = await import('vite');
  await build({
    configFile,
    logLevel: 'warn',
    ssr: { noExternal: true, external: ['webgpu'] },
    build: {
      ssr: join(root, entry),
      outDir: join(root, 'bench/dist'),
      emptyOutDir: false,
      rolldownOptions: { output: { entryFileNames: `${name}.mjs`, codeSplitting: false } },
    },
  });
  return join(root, `bench/dist/${name}.mjs`);
}

/** @returns {Promise<string>} the path of a script that needs nothing but itself, Node and Dawn's native module */
export const bundleForNode = () => bundle('bench/node.ts', 'bench-node');

/** @returns {Promise<{ url: string, close: () => Promise<void> }>} */
export async function servePage() {
  const { build, preview } = await import('vite');
  await build({ configFile, logLevel: 'warn' });
  const server = await preview({ configFile, logLevel: 'warn', preview: { host: '127.0.0.1', port: 0, open: false } });
  const url = server.resolvedUrls?.local[0];
  if (url === undefined) throw new Error('The bench is not served: vite names no address.');
  return { url, close: () => server.close() };
}

/**
 * Opens an address of the bench in a page and waits for the event that ends its work.
 * @template {'report' | 'cold'} T
 * @param {import('puppeteer').Page} page
 * @param {string} url
 * @param {T} last
 * @param {(step: { done: number, total: number, name: string }) => void} progress
 * @returns {Promise<Extract<BenchEvent, { type: T }>>}
 * @throws {Error} one sentence: the page reports an error, fails, crashes, or reports nothing for too long
 */
async function drive(page, url, last, progress) {
  /** @type {NodeJS.Timeout | undefined} */
  let silence;
  try {
    return await new Promise((resolve, reject) => {
      const fail = (/** @type {string} */ message) => reject(new Error(message));
      silence = setTimeout(() => fail(`The page has reported nothing for ${PATIENCE_MS / 1000} s.`), PATIENCE_MS);
      page.browser().once('disconnected', () => fail('The browser ended before the bench did.'));
      page.on('error', ({ message }) => fail(`The page crashed: ${message}`));
      // After its first event the page reports its own failures as events, so other failures in it are those of a peer.
      let answered = false;
      page.on('pageerror', (error) => {
        const message = `The page failed: ${error instanceof Error ? error.message : error}`;
        if (answered) console.error(message);
        else fail(message);
      });
      const hear = (/** @type {BenchEvent} */ event) => {
        silence?.refresh();
        answered = true;
        if (event.type === 'error') reject(event.usage ? new UsageError(event.message) : new Error(event.message));
        else if (event.type === 'progress') progress(event);
        else if (event.type === last) resolve(/** @type {Extract<BenchEvent, { type: T }>} */ (event));
      };
      page
        .exposeFunction('reportBench', hear)
        .then(() => page.goto(url, { timeout: 0 }))
        .catch(reject);
    });
  } finally {
    clearTimeout(silence);
  }
}

/**
 * @param {BenchOptions} options
 * @returns {Promise<Report>}
 */
async function measureInChrome({ only, quick, full, peers }) {
  const { default: puppeteer } = await import('puppeteer');
  const { findBrowser, launchOptions } = await import('../tools/browser.mjs');
  const { Progress } = await import('./progress.mjs');
  const executablePath = await findBrowser({ install: true });
  const { url, close } = await servePage();
  const browser = await puppeteer.launch({ ...launchOptions(executablePath), timeout: 60_000 });
  const progress = new Progress();
  /** @param {Record<string, string | boolean>} values */
  const address = (values) => {
    const given = Object.entries(values).filter(([, value]) => value !== false && value !== '');
    return `${url}?${new URLSearchParams(given.map(([name, value]) => [name, value === true ? '' : `${value}`]))}`;
  };
  /** Measures a first step in a new browser profile, where nothing has been compiled or cached. */
  const measureCold = async (/** @type {string} */ cold, /** @type {string} */ contender) => {
    const context = await browser.createBrowserContext();
    try {
      const { ms } = await drive(await context.newPage(), address({ cold, contender, peers }), 'cold', () => {});
      return ms;
    } finally {
      await context.close();
    }
  };
  try {
    const page = await browser.newPage();
    await page.exposeFunction('measureCold', measureCold);
    const wanted = address({ driven: true, only, quick, full, peers });
    const { report } = await drive(page, wanted, 'report', (step) => progress.show(step));
    const cpu = cpus()[0]?.model.trim() ?? 'unknown';
    const runtime = (await browser.version()).replace('/', ' ');
    return { ...report, environment: { ...report.environment, runtime, cpu } };
  } finally {
    progress.hide();
    await browser.close();
    await close();
  }
}

/**
 * @param {string} script
 * @param {readonly string[]} args
 * @returns {Promise<number>} the exit status
 */
function runScript(script, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], { stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 1));
  });
}

async function main() {
  const args = process.argv.slice(2);
  const options = readOptions(args);
  if (options.help) {
    console.log(HELP);
    return;
  }
  ensureDependencies();
  if (options.node) {
    process.exitCode = await runScript(await bundleForNode(), args);
    return;
  }
  if (options.serve) {
    const { url, close } = await servePage();
    console.error(`The bench is at ${url} until you press Ctrl-C.`);
    await new Promise((resolve) => process.once('SIGINT', resolve));
    await close();
    return;
  }
  const report = await measureInChrome(options);
  const { output } = await import(pathToFileURL(await bundle('bench/output.ts', 'output')).href);
  output(report, options);
}

if (import.meta.url === pathToFileURL(realpathSync(process.argv[1] ?? '')).href) {
  main().catch(failWith);
}
