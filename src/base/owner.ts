import { DisposedError } from './errors.js';

/** Object that holds memory. */
export interface Disposable {
  /** Frees the memory. A second call does nothing. */
  dispose(): void;
}

/** Owns parts that are freed together, in reverse order of `own`. */
export class Owner implements Disposable {
  readonly #parts: Set<Disposable> = new Set<Disposable>();
  readonly #message: string;
  #disposed = false;

  /** @param message text of the errors that `check` and `own` throw after `dispose` */
  constructor(message = 'This has been disposed.') {
    this.#message = message;
  }

  /** True after `dispose`. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /** Checks that the owner is in use. @throws {DisposedError} after `dispose` */
  check(): void {
    if (this.#disposed) throw new DisposedError(this.#message);
  }

  /** Adds a part, and returns it. @throws {DisposedError} after `dispose`; the part is then freed at once */
  own<Part extends Disposable>(part: Part): Part {
    if (this.#disposed) part.dispose();
    this.check();
    this.#parts.add(part);
    return part;
  }

  /** Frees one part now. */
  free(part: Disposable): void {
    this.#parts.delete(part);
    part.dispose();
  }

  /** Frees all parts. A second call does nothing. */
  dispose(): void {
    this.#disposed = true;
    for (const part of [...this.#parts].reverse()) {
      // A part that was freed in this loop may have freed others.
      if (this.#parts.has(part)) this.free(part);
    }
  }
}
