import type { AdapterTraits, DeviceLimits, Dispatch, Program } from './dispatch.js';
import type { BufferCopy, DeviceMemory } from './memory.js';
import type { StepRecords } from './step-records.js';

/** The properties of a device that everything above it may depend on. */
export interface DeviceInfo extends AdapterTraits {
  readonly limits: DeviceLimits;
}

/** The cause of a device's going away. */
export interface DeviceLoss {
  readonly reason: 'destroyed' | 'unknown';
  readonly message: string;
}

/** The result of `guard`, and the device's verdict on what was allocated for it. */
export interface Guarded<T> {
  readonly value: T;
  /**
   * Resolves to nothing, or to the error that the device had. It never rejects, so that nobody need wait for it.
   */
  readonly fault: Promise<Error | undefined>;
}

/** Dispatches bound to a device's memory, ready to be replayed. */
export interface Replay {
  /** The program that a dispatch runs with now, by its place in the list; another may take over later. */
  programOf(index: number): Program;
  /** Resolves when every program is compiled. @throws {MlpError} `shader`, with the compiler's words */
  ready(): Promise<void>;
  /**
   * Queues replays, and copies behind them, in one submit.
   * @param stepOffsets of each replay the byte offset of its record in the plan's `StepRecords`
   */
  submit(what: string, stepOffsets: readonly number[], copies?: readonly BufferCopy[]): void;
  dispose(): void;
}

/**
 * A device that runs plans: everything that models, data sets and trainers need of one. `Gpu` implements it. A device that is
 * lost or destroyed throws from `check` and rejects reads; everything else does nothing on it.
 */
export interface Device extends DeviceMemory {
  readonly info: DeviceInfo;
  /** Resolves with the cause when the device is lost or destroyed. */
  readonly lost: Promise<DeviceLoss>;
  /** @internal True if plans choose their programs by measuring them, so that all must be there. */
  readonly tunes: boolean;
  /** @internal @throws {DisposedError|DeviceLostError|MlpError} if the device is gone, or has a fault that nobody was told of yet */
  check(): void;
  /**
   * @internal
   * Runs `build`, and waits for the device's verdict. If it fails, everything that `build` allocated is freed, and what it put off
   * is cancelled.
   * @throws {MlpError} `out-of-memory` or `validation`; and what `build` throws
   */
  guarded<T>(what: string, build: () => T): Promise<T>;
  /**
   * @internal
   * Runs `build` for a caller that cannot wait; the verdict follows, and after a bad one the caller frees what `build` allocated.
   * @throws what `build` throws; then everything is freed already
   */
  guard<T>(what: string, build: () => T): Guarded<T>;
  /** @internal Puts off writes until the next compilation, submit, copy or read; returns a function that cancels them. */
  defer(work: () => void): () => void;
  /** @internal Binds dispatches whose tensors have memory. @param chosen programs to take instead of the device's own choice */
  bind(
    what: string,
    dispatches: readonly Dispatch[],
    steps: StepRecords | undefined,
    chosen: ReadonlyMap<Dispatch, Program>,
  ): Replay;
  /** @internal Measures which program each dispatch is fastest with; none where the rules decide. */
  tune(dispatches: readonly Dispatch[]): Promise<ReadonlyMap<Dispatch, Program>>;
  /** Binds, compiles and queues dispatches once. @throws {MlpError} `per-step` for a dispatch that only a plan can replay */
  run(dispatches: readonly Dispatch[]): void;
  /** @internal Resolves when everything queued so far has run, or never will. */
  idle(): Promise<void>;
  /** @internal True for a buffer of this kind of device, which an app may have made itself. */
  isBuffer(value: unknown): boolean;
}

/**
 * Goes on with the result of `guard` while the device's verdict is on its way. An error of the device comes before one of
 * `work`, which follows from it.
 */
export async function verified<T, R>({ value, fault }: Guarded<T>, work: (value: T) => Promise<R>): Promise<R> {
  let result: R;
  try {
    result = await work(value);
  } catch (error) {
    throw (await fault) ?? error;
  }
  const error = await fault;
  if (error !== undefined) throw error;
  return result;
}
