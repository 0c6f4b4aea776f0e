import { indexOfLargest } from './bars.ts';
import { type Digits, PIXELS } from './data.ts';
import { paintDigit } from './digit-image.ts';
import { byId, create } from './element.ts';
import { integer, roughPercent } from './format.ts';

const SHOWN = 48;

interface Misreading {
  readonly index: number;
  readonly read: number;
  readonly actual: number;
  readonly confidence: number;
}

/** Test digits that the network misclassifies, the most confident mistakes first. */
export class Gallery {
  readonly #onChoose: (index: number) => void;
  readonly #list = byId('gallery', HTMLUListElement);
  readonly #summary = byId('gallery-summary', HTMLParagraphElement);
  readonly #invitation = this.#summary.textContent ?? '';

  /** @param onChoose called with the index of the chosen test digit */
  constructor(onChoose: (index: number) => void) {
    this.#onChoose = onChoose;
  }

  clear(): void {
    this.#list.replaceChildren();
    this.#summary.textContent = this.#invitation;
  }

  /** @param probabilities test.count × 10 */
  show(test: Digits, probabilities: Float32Array): void {
    const misread = findMisreadings(test, probabilities);
    const shown = misread.slice(0, SHOWN);
    this.#summary.textContent =
      misread.length === 0
        ? `All ${integer(test.count)} test digits are read rightly.`
        : `${integer(misread.length)} of ${integer(test.count)} are misread; the ${shown.length === misread.length ? '' : `${shown.length} `}surest mistakes first. Choose one to put it on the pad.`;
    this.#list.replaceChildren(...shown.map((digit) => create('li', {}, this.#card(test, digit))));
  }

  #card(test: Digits, { index, read, actual, confidence }: Misreading): HTMLButtonElement {
    const canvas = create('canvas');
    canvas.setAttribute('aria-hidden', 'true');
    paintDigit(canvas, test.images.subarray(index * PIXELS, (index + 1) * PIXELS));
    const words = `Test digit ${index}: read as ${read} with ${roughPercent(confidence)}, is ${actual}`;
    // Filled in by the style sheet: the predicted digit, crossed out, and the correct one.
    const marks = create('span', { className: 'marks' });
    Object.assign(marks.dataset, { read, actual });
    const button = create('button', { type: 'button', title: words }, canvas, marks);
    button.setAttribute('aria-label', words);
    button.addEventListener('click', () => this.#onChoose(index));
    return button;
  }
}

function findMisreadings(test: Digits, probabilities: Float32Array): Misreading[] {
  const misread: Misreading[] = [];
  for (let index = 0; index < test.count; index++) {
    const read = indexOfLargest(probabilities, 10 * index, 10 * index + 10);
    const actual = test.classes[index] ?? -1;
    if (read !== actual) misread.push({ index, read, actual, confidence: probabilities[10 * index + read] ?? 0 });
  }
  return misread.sort((a, b) => b.confidence - a.confidence);
}
