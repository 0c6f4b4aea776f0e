const WINDOW_MS = 2000;

/** Samples per second over the last two seconds: reports come in bunches, so that single intervals say little. */
export class Speedometer {
  #rate = 0;
  #seen: { readonly time: number; readonly samples: number }[] = [];

  /** After a pause, which is not to count. */
  restart(): void {
    this.#seen = [];
  }

  /** @param samples how many have been trained on in all; @returns 0 while it is not known */
  read(time: number, samples: number): number {
    this.#seen.push({ time, samples });
    while (this.#seen.length > 2 && (this.#seen[1]?.time ?? time) <= time - WINDOW_MS) this.#seen.shift();
    const first = this.#seen[0];
    // Reports of one bunch have one time.
    if (first !== undefined && time - first.time >= 50)
      this.#rate = (1000 * (samples - first.samples)) / (time - first.time);
    return this.#rate;
  }
}
