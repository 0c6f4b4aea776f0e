import { byId, create } from './element.ts';
import { roughPercent } from './format.ts';

/** An answer sheet with one row for each digit. The bubble of the predicted digit is filled. */
export class Bars {
  readonly #rows: { row: HTMLLIElement; fill: HTMLElement; value: HTMLElement }[] = [];

  constructor() {
    const list = byId('bars', HTMLOListElement);
    for (let digit = 0; digit < 10; digit++) {
      const fill = create('span', { className: 'bar-fill' });
      const value = create('span', { className: 'bar-value' }, '–');
      const row = create(
        'li',
        {},
        create('span', { className: 'bubble' }, String(digit)),
        create('span', { className: 'bar' }, fill),
        value,
      );
      list.append(row);
      this.#rows.push({ row, fill, value });
    }
  }

  /** Shows a prediction. @param probabilities ten numbers that sum to 1, or null to clear the sheet */
  show(probabilities: ArrayLike<number> | null): void {
    const best = probabilities === null ? -1 : indexOfLargest(probabilities);
    this.#rows.forEach(({ row, fill, value }, digit) => {
      const probability = probabilities?.[digit] ?? 0;
      row.classList.toggle('best', digit === best);
      row.dataset.probability = probabilities === null ? '' : String(probability);
      fill.style.transform = `scaleX(${probability})`;
      value.textContent = probabilities === null ? '–' : roughPercent(probability);
    });
  }
}

export function indexOfLargest(values: ArrayLike<number>, start = 0, end: number = values.length): number {
  let best = start;
  for (let i = start + 1; i < end; i++) if ((values[i] ?? 0) > (values[best] ?? 0)) best = i;
  return best - start;
}
