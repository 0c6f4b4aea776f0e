// @ts-check
// Shows the case that is being measured on standard error: as a bar in a terminal, otherwise as one line for each case.
import { Progress as Bar } from '../tools/progress.mjs';

export class Progress {
  #bar = new Bar({ format: '{bar} {value}/{total}  {name}', barsize: 20 });

  /** @param {{ done: number, total: number, name: string }} step */
  show({ done, total, name }) {
    this.#bar.show({ done, total, words: { name } }, () => {
      if (name !== '') console.error(`${done + 1}/${total} ${name}`);
    });
  }

  /** Removes the bar, so that lines can be printed. */
  hide() {
    this.#bar.hide();
  }
}
