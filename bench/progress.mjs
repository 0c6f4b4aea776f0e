// @ts-check
// Which case is being measured: as a bar in a terminal, else as a line each; on standard error.
import { Progress as Bar } from '../tools/progress.mjs';

export class Progress {
  #bar = new Bar({ format: '{bar} {value}/{total}  {name}', barsize: 20 });

  /** @param {{ done: number, total: number, name: string }} step */
  show({ done, total, name }) {
    this.#bar.show({ done, total, words: { name } }, () => {
      if (name !== '') console.error(`${done + 1}/${total} ${name}`);
    });
  }

  /** Takes the bar away, so that lines can be printed. */
  hide() {
    this.#bar.hide();
  }
}
