import type { Link } from '../nn/output.js';

/** The meaning of a model's outputs, and its origin: the last layer's activation, an option, a loss or a file. */
export class OutputLink {
  /** The meaning that the last layer's activation sets, if it is softmax or sigmoid. */
  readonly own: Link | undefined;
  #value: Link;
  /** `assumed` from the number of outputs, or `unsaid` by the file that the weights are from. */
  #origin: 'known' | 'assumed' | 'unsaid';

  /**
   * @param value the meaning of the outputs
   * @param own the meaning that the last layer's activation sets
   * @param isGiven true if an option sets the meaning, false if it is assumed from the number of outputs
   */
  constructor(value: Link, own: Link | undefined, isGiven: boolean) {
    this.own = own;
    this.#value = value;
    this.#origin = own === undefined && !isGiven ? 'assumed' : 'known';
  }

  /** The meaning of the outputs, possibly assumed. */
  get value(): Link {
    return this.#value;
  }

  /** True if the weights are from a file that does not say what the outputs mean, and nothing else has said it. */
  get isUnsaid(): boolean {
    return this.#origin === 'unsaid';
  }

  /** Sets the meaning to that of a trainer's loss, unless the last layer's activation sets it. */
  learn(link: Link): void {
    this.#value = this.own ?? link;
    this.#origin = 'known';
  }

  /** Sets the meaning to that in the file of the weights, unless it is known already. */
  load(link: Link | undefined): void {
    if (this.#origin === 'known') return;
    if (link === undefined) this.#origin = 'unsaid';
    else this.learn(link);
  }
}
