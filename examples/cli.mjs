// @ts-check
// npm run example: runs an example in headless Chrome and prints its result.
// Built-in modules only until the dependencies are installed.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDependencies, root } from '../tools/install.mjs';
import { interruptible } from '../tools/interrupt.mjs';
import { serve } from '../tools/serve.mjs';
import { failWith } from '../tools/usage.mjs';
import { HELP, readOptions } from './options.mjs';

/** @typedef {import('./page/main.ts').ExampleEvent} ExampleEvent */

/** Milliseconds without a report: on a software adapter an evaluation is slow, and so is the conversion of a data set. */
const PATIENCE_MS = 300_000;
/** Milliseconds between lines if there is no terminal for a progress bar. */
const LINE_MS = 5_000;

/**
 * @param {string} url
 * @param {AbortSignal} signal
 */
async function runInChrome(url, signal) {
  const [{ drivePage }, { nowAndThen, Progress }] = await Promise.all([
    import('../tools/drive-page.mjs'),
    import('../tools/progress.mjs'),
  ]);
  const progress = new Progress({ format: '{where} {bar} {value}/{total}  loss {loss}', barsize: 20 });
  const seldom = nowAndThen(LINE_MS);
  let adapter = '';
  const take = (/** @type {Exclude<ExampleEvent, { type: 'error' }>} */ event) => {
    if (event.type === 'done') return event;
    if (event.type === 'adapter') {
      adapter = event.adapter;
      console.error(`Adapter: ${adapter}`);
      return undefined;
    }
    const { what, epoch, step = event.steps, steps } = event;
    const words = { where: `${what} epoch ${epoch}`.trim(), loss: event.loss.toPrecision(4) };
    const line = `${words.where}  step ${step}/${steps}  loss ${words.loss}`;
    progress.show({ done: step, total: steps, words }, () => seldom(() => console.error(line)));
    return undefined;
  };
  try {
    const { result, browser } = await drivePage(url, {
      reportName: 'reportExample',
      take,
      signal,
      patience: PATIENCE_MS,
    });
    return { ...result, adapter, browser };
  } finally {
    progress.hide();
  }
}

/**
 * Rounds all numbers to six digits, which suffice for a curve.
 * @param {unknown} value
 */
function rounded(value) {
  return typeof value === 'number' ? Number(value.toPrecision(6)) : value;
}

async function main() {
  const { help, name, epochs, seed, json } = readOptions(process.argv.slice(2));
  if (help) {
    console.log(HELP);
    return;
  }
  ensureDependencies();
  const signal = interruptible();
  const { url, close } = await serve(join(root, 'examples/page/vite.config.ts'));
  try {
    const query = new URLSearchParams({
      name,
      ...(epochs !== undefined && { epochs }),
      ...(seed !== undefined && { seed }),
    });
    const { table, result, seconds, adapter, browser } = await runInChrome(`${url}?${query}`, signal);
    console.log(table);
    console.error(`${seconds.toFixed(1)} s on ${adapter}, ${browser}`);
    if (json !== undefined) {
      const record = { example: name, adapter, browser, seconds, table, result };
      writeFileSync(json, `${JSON.stringify(record, (_, value) => rounded(value))}\n`);
    }
  } finally {
    await close();
  }
}

try {
  await main();
} catch (error) {
  failWith(error);
}
