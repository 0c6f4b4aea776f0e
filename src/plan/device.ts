import { describe } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import type { AdapterTraits, DeviceLimits, Dispatch, Program } from './dispatch.js';
import type { BufferCopy, DeviceMemory } from './memory.js';
import type { StepRecords } from './step-records.js';

/** Properties of a device. `gpu.info` has more. */
export interface DeviceInfo extends AdapterTraits {
  /** Limits of the device. */
  readonly limits: DeviceLimits;
}

/** Cause of the loss of a device. */
export interface DeviceLoss {
  /** `destroyed` if the app destroyed the device; `unknown` for all other causes, such as a crash of the driver. */
  readonly reason: 'destroyed' | 'unknown';
  /** Description by the browser; may be empty. */
  readonly message: string;
}

/** Result of `guard`. */
export interface Guarded<T> {
  /** Result of `build`. */
  readonly value: T;
  /**
   * Resolves to the error that the device reports for `build`, or to undefined. It never rejects, so it may stay
   * unawaited.
   */
  readonly fault: Promise<Error | undefined>;
}

/** Result of `guard`, or of work that the device has already accepted, which has no `fault`. */
export type Verifiable<T> = Pick<Guarded<T>, 'value'> & { readonly fault: Guarded<T>['fault'] | undefined };

/** Dispatches that are bound to memory of a device and can be replayed. */
export interface Replay {
  /** Program that the dispatch at `index` runs now. It may change once: to the program's `later`. */
  programOf(index: number): Program;
  /** Resolves when all programs are compiled. @throws {MlpError} `shader` with the compiler's message */
  ready(): Promise<void>;
  /**
   * Queues replays, followed by copies, in one submit.
   * @param what name of the operation, which begins error messages
   * @param stepOffsets byte offset of each replay's record in the plan's `StepRecords`
   */
  submit(what: string, stepOffsets: readonly number[], copies?: readonly BufferCopy[]): void;
  /** Frees the memory for the uniforms of the dispatches. */
  dispose(): void;
}

/**
 * Device that runs plans, as models, data sets and trainers use it. `Gpu` is the implementation for WebGPU. After a
 * device is lost or destroyed, `check` throws and reads reject; other calls throw the same errors or do nothing.
 */
export interface Device extends DeviceMemory {
  /** Properties of the device. */
  readonly info: DeviceInfo;
  /** Resolves with the cause when the device is lost or destroyed. */
  readonly lost: Promise<DeviceLoss>;
  /**
   * @internal True if the device chooses programs by measuring them, so that dispatches must list all of their
   * programs.
   */
  readonly tunes: boolean;
  /**
   * @internal Checks that the device can be used.
   * @throws {DisposedError} if it is destroyed
   * @throws {DeviceLostError} if it is lost
   * @throws {MlpError} once for an error that no earlier call has reported
   */
  check(): void;
  /**
   * @internal Runs `build`, and waits until the device has accepted its work. After an error, all memory that `build`
   * allocated is freed, and its deferred writes are cancelled.
   * @param what name of the operation, which begins error messages
   * @throws {MlpError} `out-of-memory` or `validation`; any error that `build` throws
   */
  guarded<T>(what: string, build: () => T): Promise<T>;
  /**
   * @internal Runs `build` without waiting for the device. If `fault` resolves to an error, the caller frees the memory
   * that `build` allocated.
   * @throws any error that `build` throws, after its memory is freed
   */
  guard<T>(what: string, build: () => T): Guarded<T>;
  /**
   * @internal Runs `work`, which writes, before the next compilation, submit, copy or read; returns a function that
   * cancels it.
   */
  defer(work: () => void): () => void;
  /**
   * @internal Binds dispatches whose tensors have memory.
   * @param steps records of the steps, if dispatches have `PER_STEP`
   * @param chosen programs that replace the device's own choice
   */
  bind(
    what: string,
    dispatches: readonly Dispatch[],
    steps: StepRecords | undefined,
    chosen: ReadonlyMap<Dispatch, Program>,
  ): Replay;
  /**
   * @internal Measures which program is the fastest for each dispatch. The map is empty if the device does not measure,
   * and has no entry for a dispatch that has no choice of programs.
   */
  tune(dispatches: readonly Dispatch[]): Promise<ReadonlyMap<Dispatch, Program>>;
  /**
   * Binds, compiles and queues dispatches, to run once.
   * @throws {MlpError} `per-step` for a dispatch that has `PER_STEP`, which only a plan can replay
   */
  run(dispatches: readonly Dispatch[]): void;
  /** @internal Resolves when all work that is queued so far has run, or the device is lost. */
  idle(): Promise<void>;
  /**
   * @internal True for a buffer of this kind of device, created by the device or by the app: on a `Gpu`, a GPUBuffer.
   */
  isBuffer(value: unknown): boolean;
}

/**
 * Checks the device that a call was given.
 * @throws {MlpError} `bad-option` if it is none; the message says how to get one
 * @throws as `check`
 */
export function assertDevice(where: string, device: Device): void {
  const given: Partial<Device & { readonly createBuffer: unknown }> = Object(device);
  if (typeof given.guard !== 'function') {
    const remedy =
      given instanceof Promise
        ? 'Await it'
        : given.createBuffer === undefined
          ? `Pass one first, as in ${where}(await Gpu.request(), …)`
          : 'Wrap a device of your own with Gpu.from()';
    throw new MlpError(
      'bad-option',
      `${where}: the first argument is ${describe(device)}; it must be a Gpu. ${remedy}.`,
    );
  }
  device.check();
}

/**
 * Runs `work` with the result of `guard` while the device checks it. Rejects with the error of the device, if it has
 * one, rather than with an error of `work`, which only follows from it.
 */
export async function verified<T, R>({ value, fault }: Verifiable<T>, work: (value: T) => Promise<R>): Promise<R> {
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
