import type { DeviceMemory } from './memory.js';
import { TensorStorage } from './tensor.js';

/** Bytes that a plan holds, together with those that it shares memory with. */
export interface PlanMemory {
  /** Of what lives from replay to replay, such as an optimizer's velocity. */
  readonly state: number;
  /** Of what lives within a replay: whole buffers, each lent to one tensor after the other. */
  readonly transient: number;
}

/**
 * Memory that plans have in common, if they run one after the other: state that outlives a replay, found again by its
 * label, and buffers lent to what lives within one.
 */
export class Workspace {
  readonly #states: Map<string, TensorStorage> = new Map<string, TensorStorage>();
  readonly #contents: Map<TensorStorage, readonly number[]> = new Map<TensorStorage, readonly number[]>();
  #lent: readonly TensorStorage[] = [];
  readonly #allocated: Set<TensorStorage> = new Set<TensorStorage>();

  /** The state of this name, which the first who asks for it makes. */
  state(name: string, label: string, byteLength: number): TensorStorage {
    const storage = this.#states.get(name) ?? new TensorStorage(label, byteLength);
    this.#states.set(name, storage);
    return storage;
  }

  /** Everything that outlives a replay, by its name. */
  get states(): ReadonlyMap<string, TensorStorage> {
    return this.#states;
  }

  /** What a state holds as soon as it has memory, instead of zeros. */
  fill(state: TensorStorage, values: readonly number[]): void {
    this.#contents.set(state, values);
  }

  /**
   * Lends whole buffers, one to several storages where no two of them live at the same time.
   * @param lives the first and the last dispatch of a replay that need each storage
   */
  lend(lives: ReadonlyMap<TensorStorage, readonly [number, number]>): void {
    const taken = new Map<TensorStorage, (readonly [number, number])[]>();
    // The largest first, each in the first buffer that is large enough and free: the same plan takes the same buffers again.
    for (const [storage, life] of [...lives].sort(([a], [b]) => b.byteLength - a.byteLength)) {
      const [first, last] = life;
      const isFree = (host: TensorStorage): boolean =>
        host.byteLength >= storage.byteLength &&
        (taken.get(host) ?? []).every(([from, to]) => last < from || to < first);
      let host = this.#lent.find(isFree);
      if (host === undefined) {
        host = new TensorStorage('transient', storage.byteLength);
        this.#lent = [...this.#lent, host];
      }
      taken.set(host, [...(taken.get(host) ?? []), life]);
      storage.place(host);
    }
  }

  /** Gives memory to everything that has none yet, all of it or nothing. @returns what has been given memory */
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

  get bytes(): PlanMemory {
    const sum = (storages: Iterable<TensorStorage>): number =>
      [...storages].reduce((bytes, { byteLength }) => bytes + byteLength, 0);
    return { state: sum(this.#states.values()), transient: sum(this.#lent) };
  }

  /** Gives memory back, all of it unless told otherwise. */
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
