import type { DeviceMemory } from './memory.js';
import { TensorStorage } from './tensor.js';

/** Bytes that a plan and the plans that share its workspace use. */
export interface PlanMemory {
  /** Bytes of states, which keep their values between replays, such as an optimizer's velocity. */
  readonly state: number;
  /**
   * Bytes of the buffers for transient tensors, which are needed within one replay; several tensors use a buffer in
   * turn.
   */
  readonly transient: number;
}

/**
 * Memory that plans share, provided that they run one after the other: states, which keep their values between replays
 * and are identified by name, and buffers for transient tensors, which are needed within one replay.
 */
export class Workspace {
  readonly #states: Map<string, TensorStorage> = new Map<string, TensorStorage>();
  /** Initial values of states that do not begin with zeros. */
  readonly #contents: Map<TensorStorage, readonly number[]> = new Map<TensorStorage, readonly number[]>();
  /** Buffers for transient tensors. */
  #lent: readonly TensorStorage[] = [];
  readonly #allocated: Set<TensorStorage> = new Set<TensorStorage>();

  /** Returns the state of this name; the first call for a name creates it. */
  state(name: string, label: string, byteLength: number): TensorStorage {
    const storage = this.#states.get(name) ?? new TensorStorage(label, byteLength);
    this.#states.set(name, storage);
    return storage;
  }

  /** States by name. */
  get states(): ReadonlyMap<string, TensorStorage> {
    return this.#states;
  }

  /** Sets the values that a state gets when its memory is allocated, instead of zeros. */
  fill(state: TensorStorage, values: readonly number[]): void {
    this.#contents.set(state, values);
  }

  /**
   * Assigns transient storages to buffers. Storages share a buffer if no two of them are needed at the same time.
   * @param lives index of the first and the last dispatch that use each storage
   */
  lend(lives: ReadonlyMap<TensorStorage, readonly [number, number]>): void {
    const livesOf = new Map<TensorStorage, (readonly [number, number])[]>();
    // Largest first, each in the first free buffer that is large enough: the same plan always gets the same buffers.
    for (const [storage, life] of [...lives].sort(([a], [b]) => b.byteLength - a.byteLength)) {
      const [first, last] = life;
      const isFree = (host: TensorStorage): boolean =>
        host.byteLength >= storage.byteLength &&
        (livesOf.get(host) ?? []).every(([from, to]) => last < from || to < first);
      let host = this.#lent.find(isFree);
      if (host === undefined) {
        host = new TensorStorage('transient', storage.byteLength);
        this.#lent = [...this.#lent, host];
      }
      livesOf.set(host, [...(livesOf.get(host) ?? []), life]);
      storage.place(host);
    }
  }

  /**
   * Allocates memory for all storages that have none: for all of them, or after an error for none.
   * @returns the storages that were allocated
   */
  allocate(memory: DeviceMemory): readonly TensorStorage[] {
    const fresh = this.#storages.filter((storage) => !this.#allocated.has(storage));
    try {
      for (const storage of fresh) {
        this.#allocated.add(storage.allocate(memory));
        const values = this.#contents.get(storage);
        if (values !== undefined) memory.write(storage.buffer, 0, Float32Array.from(values));
      }
    } catch (error) {
      this.dispose(fresh);
      throw error;
    }
    return fresh;
  }

  /** Bytes of states and of transient buffers. */
  get bytes(): PlanMemory {
    const sum = (storages: Iterable<TensorStorage>): number =>
      [...storages].reduce((bytes, { byteLength }) => bytes + byteLength, 0);
    return { state: sum(this.#states.values()), transient: sum(this.#lent) };
  }

  /** Frees the memory of the given storages. Default: of all. */
  dispose(storages: Iterable<TensorStorage> = this.#storages): void {
    for (const storage of storages) {
      storage.dispose();
      this.#allocated.delete(storage);
      for (const [name, state] of this.#states) if (state === storage) this.#states.delete(name);
      this.#lent = this.#lent.filter((lent) => lent !== storage);
    }
  }

  get #storages(): readonly TensorStorage[] {
    return [...this.#states.values(), ...this.#lent];
  }
}
