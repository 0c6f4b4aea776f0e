// @ts-check
// Trains the demo's page in headless Chrome and prints its progress. Needs the dependencies.
import { drivePage } from '../tools/drive-page.mjs';
import { nowAndThen, Progress } from '../tools/progress.mjs';

/** @typedef {import('./session.ts').SessionEvent} SessionEvent */
/** @typedef {Exclude<SessionEvent, { type: 'state' | 'loading' | 'error' }>} TrainingEvent */
/**
 * @template {TrainingEvent['type']} T
 * @typedef {Omit<Extract<TrainingEvent, { type: T }>, 'type'>} Report
 */
/**
 * Result that --json prints.
 * @typedef {object} Result
 * @property {Report<'adapter'>} adapter
 * @property {{ sizes: readonly number[], parameterCount: number }} model
 * @property {Omit<Report<'epoch'>, 'stepsDone'>[]} epochs
 * @property {number} testAccuracy
 * @property {number} testLoss
 * @property {number} seconds
 * @property {string} weightsHash
 */

/** Milliseconds between lines if there is no terminal for a progress bar. */
const LINE_MS = 5_000;
const FORMAT = 'epoch {epoch} {bar} {value}/{total}  loss {loss}  accuracy {accuracy}  {rate}  {eta} s left';

/** @param {number} share */
export const percent = (share) => `${(100 * share).toFixed(2)} %`;

/** Prints the page's reports, and collects them into the result. */
class Recorder {
  /** @type {Partial<Result>} */
  #result = {};
  /** @type {Result['epochs']} */
  #epochs = [];
  #print;
  #progress = new Progress({ format: FORMAT, barsize: 10, etaBuffer: 200 });
  #nowAndThen = nowAndThen(LINE_MS);

  /** @param {(line: string) => void} print */
  constructor(print) {
    this.#print = print;
  }

  /** @param {Report<'progress'>} report */
  #showSteps({ epoch, epochs, step, steps, loss, accuracy, samplesPerSecond }) {
    const words = {
      epoch: `${epoch}/${epochs}`,
      loss: loss.toFixed(4),
      accuracy: percent(accuracy),
      rate: samplesPerSecond > 0 ? `${Math.round(samplesPerSecond)}/s` : '–/s',
    };
    const line = `epoch ${words.epoch}  step ${step}/${steps}  loss ${words.loss}  accuracy ${words.accuracy}  ${words.rate}`;
    this.#progress.show({ done: step, total: steps, words }, () => this.#nowAndThen(() => this.#print(line)));
  }

  /**
   * @param {TrainingEvent} event
   * @returns {Result | undefined} the result after the last event
   */
  take(event) {
    if (event.type === 'progress') {
      this.#showSteps(event);
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
 * Trains the page at an address, which must report to `globalThis.reportTraining`.
 * @param {string} url
 * @param {{ print: (line: string) => void, signal: AbortSignal, patience?: number }} options
 * @returns {Promise<Result>}
 * @throws {Error} one sentence: the page reports an error, fails, crashes, or reports nothing for too long
 */
export async function trainHeadless(url, { print, signal, patience }) {
  const recorder = new Recorder(print);
  try {
    const take = (/** @type {TrainingEvent} */ event) => recorder.take(event);
    const drive = { reportName: 'reportTraining', take, signal, ...(patience !== undefined && { patience }) };
    return (await drivePage(url, drive)).result;
  } finally {
    recorder.close();
  }
}
