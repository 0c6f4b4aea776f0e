import type { BufferCopy, DeviceBuffer, DeviceMemory } from '../plan/memory.js';
import type { DType, Tensor } from '../plan/tensor.js';

/** The tensors' contents after the submit with this tag. */
export interface Readback {
  readonly tag: number;
  /** The time of its arrival, as `performance.now()` tells. */
  readonly time: number;
  readonly values: readonly ArrayBuffer[];
}

const RING = 3;

/**
 * Reads a few small tensors again and again without anybody waiting: each submit copies them into a free staging buffer
 * of a ring, if there is one, and the values turn up when the GPU has got there.
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
      // One more than the ring: kept for a copy that must not be left out.
      for (let i = 0; i <= RING; i++) this.#free.push(memory.allocate(bytes, 'report', 'staging'));
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** The copies to be made behind a submit's work, if a staging buffer is free. @param must take the buffer that is kept back, if no other is free */
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

  /** Asks for the latest copies, after their submit. */
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

  /** Contents that have arrived since the last call, oldest first. @throws the error of a readback that failed */
  take(): Readback[] {
    if (this.#failure !== undefined) throw this.#failure.error;
    const landed = this.#landed;
    this.#landed = [];
    return landed;
  }

  /** Resolves when everything that was asked for has arrived. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  /** Frees the staging buffers; those still being mapped, when that is over. */
  dispose(): void {
    this.#disposed = true;
    // A copy whose submit failed was never asked for.
    if (this.#next !== undefined) this.#free.push(this.#next.staging);
    this.#next = undefined;
    for (const staging of this.#free) this.#memory.free(staging);
    this.#free.length = 0;
  }
}
