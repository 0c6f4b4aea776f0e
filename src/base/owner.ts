import { DisposedError } from './errors.js';

/** Anything that gives memory back. A second call does nothing. */
export interface Disposable {
  dispose(): void;
}

/** Owns parts that are freed together, the last one first. */
export class Owner implements Disposable {
  readonly #parts: Set<Disposable> = new Set<Disposable>();
  readonly #message: string;
  #disposed = false;

  /** @param message of the error that everybody gets after `dispose` */
  constructor(message = 'This has been disposed.') {
    this.#message = message;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** @throws {DisposedError} after `dispose` */
  check(): void {
    if (this.#disposed) throw new DisposedError(this.#message);
  }

  /** Takes a part over. @throws {DisposedError} after `dispose`, and frees the part */
  own<Part extends Disposable>(part: Part): Part {
    if (this.#disposed) part.dispose();
    this.check();
    this.#parts.add(part);
    return part;
  }

  /** Frees a part before the others. */
  free(part: Disposable): void {
    this.#parts.delete(part);
    part.dispose();
  }

  dispose(): void {
    this.#disposed = true;
    for (const part of [...this.#parts].reverse()) {
      // A part may have freed others.
      if (this.#parts.has(part)) this.free(part);
    }
  }
}
