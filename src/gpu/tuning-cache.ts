/** Whether candidates are measured: never, within a second for each plan, or all of them thoroughly. */
export type Tuning = 'off' | 'auto' | 'full';

/** Where choices outlive the page: `localStorage`, or anything with these two methods. */
export interface TuningStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** Which variant was the fastest for what, on one adapter in one browser. */
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

  /** @param label the kernel and the shape it runs on */
  recall(label: string): string | undefined {
    return this.#known.get(label) ?? this.#storage?.getItem(`${this.#adapter} ${label}`) ?? undefined;
  }

  remember(label: string, variant: string): void {
    this.#known.set(label, variant);
    try {
      this.#storage?.setItem(`${this.#adapter} ${label}`, variant);
    } catch {
      // A full storage costs another measurement, no more.
    }
  }
}
