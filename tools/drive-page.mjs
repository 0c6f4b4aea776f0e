// @ts-check
// Opens a page in headless Chrome and receives its reports. Needs the dependencies.
import puppeteer from 'puppeteer';
import { findBrowser, launchOptions } from './browser.mjs';

/**
 * Report of a page that has failed and cannot continue.
 * @typedef {{ type: 'error', name: string, message: string }} Failure
 */

/** Milliseconds without a report after which a page counts as hanging. */
const PATIENCE_MS = 120_000;

/**
 * @template {{ type: string }} E the page's reports other than failures
 * @template T
 * @typedef {object} Drive
 * @property {string} reportName name of the global function that the page calls with each report
 * @property {(event: E) => T | undefined} take called with each report; returns the result for the last one
 * @property {AbortSignal} signal
 * @property {number} [patience] milliseconds without a report after which the page counts as hanging
 */

/**
 * @template {{ type: string }} E
 * @template T
 * @param {import('puppeteer').Page} page
 * @param {string} url
 * @param {Drive<E, T>} drive
 * @returns {Promise<T>}
 */
async function listen(page, url, { reportName, take, signal, patience = PATIENCE_MS }) {
  /** @type {NodeJS.Timeout | undefined} */
  let silence;
  try {
    return await new Promise((resolve, reject) => {
      const fail = (/** @type {string} */ message) => reject(new Error(message));
      const interrupt = () => reject(signal.reason);
      if (signal.aborted) interrupt();
      signal.addEventListener('abort', interrupt);
      silence = setTimeout(() => fail(`The page has reported nothing for ${patience / 1000} s.`), patience);
      page.browser().once('disconnected', () => fail('The browser ended before the training did.'));
      page.on('error', ({ message }) => fail(`The page crashed: ${message}`));
      page.on('pageerror', (error) => fail(`The page failed: ${error instanceof Error ? error.message : error}`));
      page.on('console', (message) => {
        const { url: source } = message.location();
        if (message.type() === 'error') fail(`The page reports an error: ${message.text()}${source && ` (${source})`}`);
      });
      const report = (/** @type {E | Failure} */ event) => {
        silence?.refresh();
        if (isFailure(event)) {
          fail(`${event.name}: ${event.message}`);
          return;
        }
        try {
          const result = take(event);
          if (result !== undefined) resolve(result);
        } catch (error) {
          reject(error);
        }
      };
      page
        .exposeFunction(reportName, report)
        .then(() => page.goto(url, { timeout: 0 }))
        .catch(reject);
    });
  } finally {
    clearTimeout(silence);
  }
}

/**
 * @template {{ type: string }} E
 * @param {E | Failure} event
 * @returns {event is Failure}
 */
function isFailure(event) {
  return event.type === 'error';
}

/**
 * Opens an address in headless Chrome and waits for the report that ends its work.
 * @template {{ type: string }} E
 * @template T
 * @param {string} url
 * @param {Drive<E, T>} drive
 * @returns {Promise<{ result: T, browser: string }>} the result, and the browser's name and version
 * @throws {Error} one sentence: the page reports an error, fails, crashes, or reports nothing for too long
 */
export async function drivePage(url, drive) {
  const executablePath = await findBrowser({ install: true });
  const browser = await puppeteer.launch({ ...launchOptions(executablePath), handleSIGINT: false, timeout: 60_000 });
  try {
    const result = await listen(await browser.newPage(), url, drive);
    return { result, browser: (await browser.version()).replace('/', ' ') };
  } finally {
    await browser.close();
  }
}
