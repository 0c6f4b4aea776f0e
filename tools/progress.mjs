// @ts-check
// Shows progress on standard error: as a bar in a terminal, otherwise as lines.
import cliProgress from 'cli-progress';

export class Progress {
  /** @type {cliProgress.SingleBar | undefined} */
  #bar;
  #total = 0;

  /** @param {Pick<cliProgress.Options, 'format' | 'barsize' | 'etaBuffer'>} options */
  constructor(options) {
    if (!process.stderr.isTTY || process.env.NO_COLOR) return;
    this.#bar = new cliProgress.SingleBar(
      { stream: process.stderr, hideCursor: true, clearOnComplete: true, ...options },
      cliProgress.Presets.shades_classic,
    );
  }

  /**
   * @param {{ done: number, total: number, words: Record<string, string> }} step with the values of the words in the format
   * @param {() => void} otherwise called instead if there is no terminal
   */
  show({ done, total, words }, otherwise) {
    const bar = this.#bar;
    if (bar === undefined) {
      otherwise();
      return;
    }
    if (!bar.isActive) bar.start(total, done, words);
    if (total !== this.#total) bar.setTotal(total);
    this.#total = total;
    bar.update(done, words);
  }

  /** Removes the bar, so that lines can be printed. */
  hide() {
    if (this.#bar?.isActive) this.#bar.stop();
  }
}

/**
 * Returns a function that runs its argument at most once in each period, for the first time after one period.
 * @param {number} milliseconds
 * @returns {(work: () => void) => void}
 */
export function nowAndThen(milliseconds) {
  let next = performance.now() + milliseconds;
  return (work) => {
    const now = performance.now();
    if (now < next) return;
    next = now + milliseconds;
    work();
  };
}
