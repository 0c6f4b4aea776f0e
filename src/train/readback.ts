import type { BufferCopy, DeviceBuffer, DeviceMemory } from '../plan/memory.js';
import type { DType, Tensor } from '../plan/tensor.js';

/** The contents of the tensors after a submit. */
export interface Readback {
  /** The number that was passed to `copies` for the submit. */
  readonly tag: number;
  /** Time of arrival on the host, from `performance.now()`. */
  readonly time: number;
  /** The bytes of each tensor. */
  readonly values: readonly ArrayBuffer[];
}

/** Staging buffers for copies that may be skipped. */
const RING = 3;

/**
 * Reads a few small tensors repeatedly, without blocking the steps. Each submit copies the tensors into a free staging
 * buffer; if none is free, the copy is skipped. `take` returns the values after the device has run the submit.
 */
export class Readbacks {
  readonly #memory: DeviceMemory;
  readonly #tensors: readonly Tensor<DType>[];
  readonly #free: DeviceBuffer[] = [];
  readonly #pending: Set<Promise<void>> = new Set<Promise<void>>();
  #landed: Readback[] = [];
  #failure: { readonly error: unknown } | undefined;
  #next: { readonly staging: DeviceBuffer; readonly tag: number } | undefined;
  #disposed = false;

  constructor(memory: DeviceMemory, tensors: readonly Tensor<DType>[]) {
    this.#memory = memory;
    this.#tensors = tensors;
    const bytes = tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
    try {
      // One buffer more than the ring is reserved for a copy that must not be skipped.
      for (let i = 0; i <= RING; i++) this.#free.push(memory.allocate(bytes, 'report', 'staging'));
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /**
   * The copies that a submit makes after its work; none if no staging buffer is free.
   * @param tag number of the submit, returned with the values
   * @param must true to use the reserved buffer if no other is free
   */
  copies(tag: number, must: boolean): BufferCopy[] {
    if (this.#free.length <= (must ? 0 : 1)) return [];
    const staging = this.#free.pop();
    if (staging === undefined) return [];
    this.#next = { staging, tag };
    let end = 0;
    return this.#tensors.map(({ buffer: from, byteOffset: fromOffset, byteLength }) => {
      end += byteLength;
      return { from, fromOffset, to: staging, toOffset: end - byteLength, byteLength };
    });
  }

  /** Begins to read the staging buffer of the latest copies. Called after their submit. */
  map(): void {
    if (this.#next === undefined) return;
    const { staging, tag } = this.#next;
    this.#next = undefined;
    const pending = this.#memory
      .readStaging(staging, staging.size)
      .then((bytes) => {
        let offset = 0;
        const values = this.#tensors.map(({ byteLength }) => {
          offset += byteLength;
          return bytes.slice(offset - byteLength, offset);
        });
        this.#landed.push({ tag, time: performance.now(), values });
      })
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#pending.delete(pending);
        if (this.#disposed) this.#memory.free(staging);
        else this.#free.push(staging);
      });
    this.#pending.add(pending);
  }

  /**
   * Returns the contents that have arrived since the last call, oldest first.
   * @throws the error of a readback that failed
   */
  take(): Readback[] {
    if (this.#failure !== undefined) throw this.#failure.error;
    const landed = this.#landed;
    this.#landed = [];
    return landed;
  }

  /** Resolves when all readbacks in flight have arrived. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  /** Frees the staging buffers. A buffer that is still mapped is freed when its readback ends. */
  dispose(): void {
    this.#disposed = true;
    // If a submit failed, `map` was not called for its copies.
    if (this.#next !== undefined) this.#free.push(this.#next.staging);
    this.#next = undefined;
    for (const staging of this.#free) this.#memory.free(staging);
    this.#free.length = 0;
  }
}
