const WINDOW_MS = 2000;

/** Samples per second over the last two seconds: reports come in bursts, so single intervals are too noisy. */
export class Speedometer {
  #rate = 0;
  #seen: { readonly time: number; readonly samples: number }[] = [];

  /** Starts again after a pause, so that the pause is not counted. */
  restart(): void {
    this.#seen = [];
  }

  /** @param samples total number of samples trained so far; @returns samples per second, 0 until it is known */
  read(time: number, samples: number): number {
    this.#seen.push({ time, samples });
    while (this.#seen.length > 2 && (this.#seen[1]?.time ?? time) <= time - WINDOW_MS) this.#seen.shift();
    const first = this.#seen[0];
    // Reports of one burst have the same time.
    if (first !== undefined && time - first.time >= 50)
      this.#rate = (1000 * (samples - first.samples)) / (time - first.time);
    return this.#rate;
  }
}
