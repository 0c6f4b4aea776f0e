import type { Device } from '../plan/device.js';
import { nextPace, STEP_CAPACITY } from './submit-pace.js';

/** Steps of the first group. Later groups take the device as long as a submit of `fit`. */
const FIRST_GROUP = 8;
/** Maximum number of bytes that a group uploads. The browser keeps a copy until the device has run the group. */
const GROUP_BYTES = 8 * 2 ** 20;
/** Number of groups that the device may not have run when another step is queued. */
const GROUPS = 2;
/** Backlog of a caller who awaits no step, in groups of any size and in groups of the largest size. */
const UNAWAITED_GROUPS = 2 * GROUPS;
const UNAWAITED_FULL_GROUPS = 4 * GROUPS;

/** Steps that are queued one by one, and the bytes that they upload. */
interface Load {
  readonly steps: number;
  readonly bytes: number;
}

/** A promise, and the functions that settle it. */
interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const NOTHING: Load = { steps: 0, bytes: 0 };

/**
 * Counts the steps that `step` has queued and that the device has not run, in groups: it asks the device once for each
 * group, not for each step.
 */
export class Backlog {
  readonly #device: Device;
  readonly #check: () => void;
  /** Steps for the next group. */
  #pace = FIRST_GROUP;
  /** The group that is not complete. */
  #group: Load = NOTHING;
  /** Everything that the device has not run. */
  #total: Load = NOTHING;
  /** Complete groups that the device has not run. */
  #groups = 0;
  #lastDone = 0;
  #warned = false;
  /** The wait for room; all callers that wait have the same promise. */
  #waiting: Deferred | undefined;

  /** @param check throws the error that callers who wait for room get, if there is one */
  constructor(device: Device, check: () => void) {
    this.#device = device;
    this.#check = check;
  }

  /** Registers a step that has been queued. */
  add(bytes: number): void {
    const step = { steps: 1, bytes };
    this.#group = sum(this.#group, step);
    this.#total = sum(this.#total, step);
    if (this.#group.steps >= this.#pace || this.#group.bytes >= GROUP_BYTES) this.#close();
    this.#warnOnce();
  }

  /** Resolves when there is room for another step: at once, unless the device is behind. @throws as `check` */
  get room(): Promise<void> {
    if (this.#groups < GROUPS) return Promise.resolve();
    this.#waiting ??= deferred();
    return this.#waiting.promise;
  }

  /** Ends the wait for room. Its promise rejects if `check` throws; callers who do not await it need not know. */
  dispose(): void {
    this.#waiting?.promise.catch(() => undefined);
    this.#settle();
  }

  /** Completes the group, and asks the device to report its end. */
  #close(): void {
    const group = this.#group;
    this.#group = NOTHING;
    // Before the only group the device had nothing to do.
    if (this.#groups === 0) this.#lastDone = performance.now();
    this.#groups += 1;
    void this.#device.idle().then(() => {
      const now = performance.now();
      this.#pace = nextPace(this.#pace, (now - this.#lastDone) / group.steps, STEP_CAPACITY);
      this.#lastDone = now;
      this.#groups -= 1;
      this.#total = { steps: this.#total.steps - group.steps, bytes: this.#total.bytes - group.bytes };
      if (this.#groups < GROUPS) this.#settle();
    });
  }

  /** Warns if steps come faster than the device runs them, which they do only if nobody awaits them. */
  #warnOnce(): void {
    const { steps, bytes } = this.#total;
    const isLarge = steps >= UNAWAITED_FULL_GROUPS * STEP_CAPACITY || bytes >= UNAWAITED_FULL_GROUPS * GROUP_BYTES;
    if (this.#warned || this.#groups < UNAWAITED_GROUPS || !isLarge) return;
    this.#warned = true;
    console.warn(
      `webgpu-mlp: the GPU has not run ${steps} steps, which occupy ${bytes} bytes. Await each step to bound them: await trainer.step(inputs, targets).`,
    );
  }

  #settle(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) return;
    try {
      this.#check();
      waiting.resolve();
    } catch (error) {
      waiting.reject(error);
    }
  }
}

function deferred(): Deferred {
  let settle: Omit<Deferred, 'promise'> = { resolve: () => undefined, reject: () => undefined };
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, ...settle };
}

const sum = (one: Load, other: Load): Load => ({ steps: one.steps + other.steps, bytes: one.bytes + other.bytes });
