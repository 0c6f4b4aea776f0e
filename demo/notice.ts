import { DeviceLostError } from 'webgpu-mlp';
import { byId } from './element.ts';

/** Message about the failure that stopped the training, at the top of the page, with a button to start again. */
export class Notice {
  /** Called when the user starts again. */
  onAgain: () => void = () => {};
  readonly #notice = byId('notice', HTMLDivElement);

  constructor() {
    byId('notice-action', HTMLButtonElement).addEventListener('click', () => this.onAgain());
  }

  show(error: unknown): void {
    const lost = error instanceof DeviceLostError;
    byId('notice-title', HTMLHeadingElement).textContent = lost ? 'The GPU went away' : 'Training stopped';
    const words = error instanceof Error ? error.message : String(error);
    byId('notice-text', HTMLParagraphElement).textContent = lost
      ? `${words} The curves so far stay; the weights are gone.`
      : words;
    this.#notice.hidden = false;
  }

  hide(): void {
    this.#notice.hidden = true;
  }
}
