import { Bars, indexOfLargest } from './bars.ts';
import { byId } from './element.ts';

type Predict = (digit: Uint8Array<ArrayBuffer>) => Promise<Float32Array | null>;

/** Predicts the digit on the pad whenever the digit or the network changes, one prediction at a time. */
export class Reading {
  readonly #bars = new Bars();
  readonly #verdict = byId('pad-verdict', HTMLParagraphElement);
  readonly #invitation = this.#verdict.textContent ?? '';
  readonly #predict: Predict;
  #digit: Uint8Array<ArrayBuffer> | null = null;
  #label: number | undefined;
  #busy = false;
  #stale = false;

  constructor(predict: Predict) {
    this.#predict = predict;
    this.#bars.show(null);
  }

  /** Sets the digit. @param label the correct class, if known */
  set(digit: Uint8Array<ArrayBuffer> | null, label?: number): void {
    this.#digit = digit;
    this.#label = label;
    void this.refresh();
  }

  async refresh(): Promise<void> {
    this.#stale = true;
    if (this.#busy) return;
    this.#busy = true;
    while (this.#stale) {
      this.#stale = false;
      this.#show(this.#digit === null ? null : await this.#predict(this.#digit));
    }
    this.#busy = false;
  }

  #show(probabilities: Float32Array | null): void {
    this.#bars.show(probabilities);
    const words =
      probabilities === null
        ? this.#invitation
        : `Read as ${indexOfLargest(probabilities)}${this.#label === undefined ? '' : `; it is ${this.#label}`}.`;
    // Set only when it changes, because a screen reader reads a live region each time it is set.
    if (this.#verdict.textContent !== words) this.#verdict.textContent = words;
  }
}
