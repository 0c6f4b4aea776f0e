import { byId } from './element.ts';
import * as format from './format.ts';
import type { SessionEvent } from './session.ts';

type Progress = Extract<SessionEvent, { type: 'progress' }>;

/** The progress track and the numbers below it. */
export class Readout {
  readonly #track = byId('track', HTMLDivElement);
  readonly #fill = byId('track-fill', HTMLDivElement);
  readonly #epochs = byId('track-epochs', HTMLDivElement);
  readonly #test = byId('figure-test', HTMLElement);
  readonly #loss = byId('figure-loss', HTMLElement);
  readonly #speed = byId('figure-speed', HTMLElement);
  readonly #epoch = byId('figure-epoch', HTMLElement);
  readonly #step = byId('figure-step', HTMLElement);
  readonly #announcement = byId('announcement', HTMLParagraphElement);

  clear(epochs: number): void {
    for (const figure of [this.#test, this.#loss, this.#speed, this.#epoch, this.#step]) figure.textContent = '–';
    this.#epochs.style.setProperty('--epochs', String(epochs));
    this.#advance(0, 'Not started');
  }

  /** Shows the progress. @param meanLoss mean over the latest steps */
  show({ epoch, epochs, step, steps, singleSteps, samplesPerSecond }: Progress, meanLoss: number): void {
    this.#loss.textContent = format.loss(meanLoss);
    if (samplesPerSecond > 0) this.#speed.textContent = format.integer(samplesPerSecond);
    this.#epoch.textContent = `${epoch} of ${epochs}`;
    this.#step.textContent = `${format.integer(step)} of ${format.integer(steps)}${singleSteps > 0 ? ` + ${singleSteps}` : ''}`;
    this.#advance((epoch - 1 + step / steps) / epochs, `Epoch ${epoch} of ${epochs}, step ${step} of ${steps}`);
  }

  showEpoch({ epoch, loss, validation, seconds }: Extract<SessionEvent, { type: 'epoch' }>): void {
    this.#test.textContent = format.percent(validation.accuracy);
    this.#announcement.textContent = `Epoch ${epoch} took ${format.duration(seconds)}. Training loss ${format.loss(
      loss,
    )}, test accuracy ${format.percent(validation.accuracy)}.`;
  }

  #advance(fraction: number, words: string): void {
    const value = Math.min(1, fraction);
    this.#fill.style.setProperty('--done', String(value));
    this.#track.setAttribute('aria-valuenow', String(Math.round(100 * value)));
    this.#track.setAttribute('aria-valuetext', words);
  }
}
