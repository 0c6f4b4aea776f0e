/** Measuring of kernel variants: never, within a second for each plan, or all of them thoroughly. */
export type Tuning = 'off' | 'auto' | 'full';

/** Storage that outlives the page: `localStorage`, or any object with these two methods. */
export interface TuningStorage {
  /** The value stored under the key, or null. */
  getItem(key: string): string | null;
  /** Stores a value under the key. An exception, as from a full storage, is ignored. */
  setItem(key: string, value: string): void;
}

/** The fastest variant of each kernel and shape, on one adapter in one browser. */
export class TuningCache {
  readonly #adapter: string;
  readonly #storage: TuningStorage | undefined;
  readonly #known: Map<string, string> = new Map<string, string>();

  constructor(
    { vendor, architecture, description }: { vendor: string; architecture: string; description: string },
    storage?: TuningStorage,
  ) {
    const [browser = ''] =
      /(?:Chrome|Firefox|Version)\/\d+/.exec(typeof navigator === 'undefined' ? '' : navigator.userAgent) ?? [];
    this.#adapter = ['webgpu-mlp', vendor, architecture, description, browser].join(' ');
    this.#storage = storage;
  }

  /** The fastest variant, if known. @param label the kernel and the shapes of its operands */
  recall(label: string): string | undefined {
    return this.#known.get(label) ?? this.#storage?.getItem(`${this.#adapter} ${label}`) ?? undefined;
  }

  /** Stores the fastest variant. */
  remember(label: string, variant: string): void {
    this.#known.set(label, variant);
    try {
      this.#storage?.setItem(`${this.#adapter} ${label}`, variant);
    } catch {
      // The storage is full: the next visit measures again.
    }
  }
}
