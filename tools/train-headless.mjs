// @ts-check
// Trains the demo's page in headless Chrome and tells how it goes. Needs the dependencies.
import cliProgress from 'cli-progress';
import puppeteer from 'puppeteer';
import { findBrowser, launchOptions } from './browser.mjs';

/** @typedef {import('../demo/session.ts').SessionEvent} SessionEvent */
/** @typedef {Exclude<SessionEvent, { type: 'state' | 'loading' | 'error' }>} TrainingEvent */
/** @typedef {{ type: 'error', name: string, code: string, message: string }} Failure */
/**
 * @template {TrainingEvent['type']} T
 * @typedef {Omit<Extract<TrainingEvent, { type: T }>, 'type'>} Report
 */
/**
 * What --json prints.
 * @typedef {object} Result
 * @property {Report<'adapter'>} adapter
 * @property {{ sizes: readonly number[], parameterCount: number }} model
 * @property {Omit<Report<'epoch'>, 'stepsDone'>[]} epochs
 * @property {number} testAccuracy
 * @property {number} testLoss
 * @property {number} seconds
 * @property {string} weightsHash
 */

/** How long the page may say nothing before it counts as hanging. */
const PATIENCE_MS = 120_000;
/** How often a line is printed where there is no terminal to draw a bar in. */
const LINE_MS = 5_000;

/** @param {number} share */
export const percent = (share) => `${(100 * share).toFixed(2)} %`;

/** Shows the steps of an epoch: as a bar in a terminal, else as a line now and then. */
class Progress {
  /** @type {cliProgress.SingleBar | undefined} */
  #bar;
  #nextLine = 0;
  #print;

  /** @param {(line: string) => void} print */
  constructor(print) {
    this.#print = print;
    if (!process.stderr.isTTY || process.env.NO_COLOR) return;
    const format = 'epoch {epoch} {bar} {value}/{total}  loss {loss}  accuracy {accuracy}  {rate}  {eta} s left';
    this.#bar = new cliProgress.SingleBar(
      { format, stream: process.stderr, hideCursor: true, clearOnComplete: true, barsize: 10, etaBuffer: 200 },
      cliProgress.Presets.shades_classic,
    );
  }

  /** @param {Report<'progress'>} report */
  show({ epoch, epochs, step, steps, loss, accuracy, samplesPerSecond }) {
    const words = {
      epoch: `${epoch}/${epochs}`,
      loss: loss.toFixed(4),
      accuracy: percent(accuracy),
      rate: samplesPerSecond > 0 ? `${Math.round(samplesPerSecond)}/s` : '–/s',
    };
    if (this.#bar !== undefined) {
      if (!this.#bar.isActive) this.#bar.start(steps, 0, words);
      this.#bar.update(step, words);
      return;
    }
    const now = performance.now();
    this.#nextLine ||= now + LINE_MS;
    if (now < this.#nextLine) return;
    this.#nextLine = now + LINE_MS;
    const place = `epoch ${words.epoch}  step ${step}/${steps}`;
    this.#print(`${place}  loss ${words.loss}  accuracy ${words.accuracy}  ${words.rate}`);
  }

  /** Takes the bar away, so that lines can be printed. */
  hide() {
    if (this.#bar?.isActive) this.#bar.stop();
  }
}

/** Prints what the page reports, and puts it together. */
class Recorder {
  /** @type {Partial<Result>} */
  #result = {};
  /** @type {Result['epochs']} */
  #epochs = [];
  #print;
  #progress;

  /** @param {(line: string) => void} print */
  constructor(print) {
    this.#print = print;
    this.#progress = new Progress(print);
  }

  /**
   * @param {TrainingEvent} event
   * @returns {Result | undefined} the result, once training is done
   */
  take(event) {
    if (event.type === 'progress') {
      this.#progress.show(event);
      return undefined;
    }
    this.#progress.hide();
    switch (event.type) {
      case 'adapter': {
        const { vendor, architecture, description, software } = event;
        const names = [vendor, architecture, description].filter((name) => name !== '').join(' ');
        this.#print(`Adapter: ${names || 'unnamed'}${software ? ', a software adapter' : ''}`);
        this.#result.adapter = { vendor, architecture, description, software };
        return undefined;
      }
      case 'model': {
        const { summary, sizes, parameterCount } = event;
        this.#print(summary);
        this.#result.model = { sizes, parameterCount };
        this.#epochs = [];
        return undefined;
      }
      case 'epoch': {
        const { epoch, loss, accuracy, validation, seconds } = event;
        const training = `loss ${loss.toFixed(4)}  accuracy ${percent(accuracy)}`;
        const test = `test loss ${validation.loss.toFixed(4)}  test accuracy ${percent(validation.accuracy)}`;
        this.#print(`epoch ${epoch}: ${training}  ${test}  ${seconds.toFixed(1)} s`);
        this.#epochs.push({ epoch, loss, accuracy, validation, seconds });
        return undefined;
      }
      case 'done': {
        const { testAccuracy, testLoss, seconds, weightsHash } = event;
        const { adapter, model } = this.#result;
        if (adapter === undefined || model === undefined) throw new Error('The page names no adapter or no model.');
        return { adapter, model, epochs: this.#epochs, testAccuracy, testLoss, seconds, weightsHash };
      }
    }
  }

  close() {
    this.#progress.hide();
  }
}

/**
 * @param {import('puppeteer').Page} page
 * @param {string} url
 * @param {Recorder} recorder
 * @param {AbortSignal} signal
 * @param {number} patience how many milliseconds the page may say nothing
 * @returns {Promise<Result>}
 */
async function train(page, url, recorder, signal, patience) {
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
      const report = (/** @type {TrainingEvent | Failure} */ event) => {
        silence?.refresh();
        if (event.type === 'error') {
          fail(`${event.name}: ${event.message}`);
          return;
        }
        try {
          const result = recorder.take(event);
          if (result !== undefined) resolve(result);
        } catch (error) {
          reject(error);
        }
      };
      page
        .exposeFunction('reportTraining', report)
        .then(() => page.goto(url, { timeout: 0 }))
        .catch(reject);
    });
  } finally {
    clearTimeout(silence);
  }
}

/**
 * Trains the page at this address, which must report to `globalThis.reportTraining`.
 * @param {string} url
 * @param {{ print: (line: string) => void, signal: AbortSignal, patience?: number }} options
 * @returns {Promise<Result>}
 * @throws {Error} one sentence: the page reports an error, fails, crashes, or reports nothing for too long
 */
export async function trainHeadless(url, { print, signal, patience = PATIENCE_MS }) {
  const executablePath = await findBrowser({ install: true });
  const browser = await puppeteer.launch({ ...launchOptions(executablePath), handleSIGINT: false, timeout: 60_000 });
  const recorder = new Recorder(print);
  try {
    return await train(await browser.newPage(), url, recorder, signal, patience);
  } finally {
    recorder.close();
    await browser.close();
  }
}
