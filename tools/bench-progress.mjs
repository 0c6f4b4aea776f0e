// @ts-check
// Which case is being measured: as a bar in a terminal, else as a line each; on standard error.
import cliProgress from 'cli-progress';

export class Progress {
  /** @type {cliProgress.SingleBar | undefined} */
  #bar;

  constructor() {
    if (!process.stderr.isTTY || process.env.NO_COLOR) return;
    this.#bar = new cliProgress.SingleBar(
      {
        format: '{bar} {value}/{total}  {name}',
        stream: process.stderr,
        hideCursor: true,
        clearOnComplete: true,
        barsize: 20,
      },
      cliProgress.Presets.shades_classic,
    );
  }

  /** @param {{ done: number, total: number, name: string }} step */
  show({ done, total, name }) {
    if (this.#bar === undefined) {
      if (name !== '') console.error(`${done + 1}/${total} ${name}`);
      return;
    }
    if (!this.#bar.isActive) this.#bar.start(total, done, { name });
    this.#bar.update(done, { name });
  }

  /** Takes the bar away, so that lines can be printed. */
  hide() {
    if (this.#bar?.isActive) this.#bar.stop();
  }
}
