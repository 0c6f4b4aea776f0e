import { DeviceLostError, LimitError, MlpError, ShapeError } from '../../src/base/errors.js';
import type { Device, DeviceInfo, DeviceLoss, Guarded, Replay } from '../../src/plan/device.js';
import { choose, type DeviceLimits, type Dispatch, PER_STEP, type Program } from '../../src/plan/dispatch.js';
import type { BufferCopy, BufferUse, DeviceBuffer, MemoryReport } from '../../src/plan/memory.js';
import type { StepRecord, StepRecords } from '../../src/plan/step-records.js';
import { BINDING_ALIGNMENT, type DType, type Tensor } from '../../src/plan/tensor.js';

/** Planned faults. Each number counts the calls from now on: 1 is the next call. */
export interface FaultPlan {
  /** An allocation that seems to succeed: its buffer is dead, and a later error report says so. */
  readonly outOfMemory?: number;
  /** An allocation that throws a LimitError. */
  readonly limit?: number;
  /** A `bind` that throws. */
  readonly bind?: number;
  /** A plan whose programs do not compile. */
  readonly compile?: number;
  /** A submit that loses the device. */
  readonly lost?: number;
}

/** A queued replay of a plan. */
export interface Replayed {
  /** The method that queued it. */
  readonly what: string;
  /** The name that the plan was bound under. */
  readonly plan: string;
  /** The record of the step; none for a plan without records. */
  readonly step: StepRecord | undefined;
  readonly dispatches: readonly Dispatch[];
  /** All tensors that the dispatches bind. */
  readonly tensors: readonly Tensor<DType>[];
}

/** Options of a `FakeDevice`; the defaults are those of a small GPU. */
interface FakeOptions {
  readonly software?: boolean;
  readonly limits?: Partial<DeviceLimits>;
}

const LIMITS: DeviceLimits = {
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 2 ** 15,
  maxComputeWorkgroupsPerDimension: 65535,
  maxStorageBuffersPerShaderStage: 10,
  maxStorageBufferBindingSize: 2 ** 27,
  maxBufferSize: 2 ** 28,
};

class FakeBuffer implements DeviceBuffer {
  readonly size: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  label: string;
  /** A dead buffer is one that the device had no memory for. */
  state: 'live' | 'dead' | 'freed';

  constructor(size: number, label: string, state: 'live' | 'dead') {
    this.size = size;
    this.bytes = new Uint8Array(size);
    this.label = label;
    this.state = state;
  }
}

/**
 * The first error of each kind within a guard: a device reports an out-of-memory error before the errors that it
 * causes.
 */
interface Scope {
  memory?: MlpError;
  validation?: MlpError;
}

/**
 * A device in Node that computes nothing: it keeps memory in arrays and records replays. It behaves as a `Gpu` does
 * when memory runs out or the device is lost:
 * - an allocation without memory returns a dead buffer. The guard around the call reports the error, or without a guard
 *   a later `check`;
 * - each use of a dead buffer is an error of its own, reported in the same way; a copy to the host gives zeros;
 * - a submit on a lost device does nothing, a read rejects, and `check` throws.
 *
 * Promises settle one by one, in the order in which they were requested, each in its own turn of the event loop.
 * The use of a buffer after `free` is a bug of the library, and throws.
 */
export class FakeDevice implements Device {
  readonly info: DeviceInfo;
  readonly tunes = false;
  readonly lost: Promise<DeviceLoss>;
  /** Everything that was queued, in order: `write LABEL`, `copy LABEL`, `read LABEL`, `submit WHAT`. */
  readonly log: string[] = [];
  readonly replays: Replayed[] = [];
  /** Plans that are bound. */
  readonly bound: Set<string> = new Set<string>();
  /** Called at each replay, in the order of the queue: it may write what the plan would have computed. */
  onReplay: ((replayed: Replayed) => void) | undefined;
  /** Called before each promise of the device settles. */
  onSettle: (() => void) | undefined;
  readonly #used: Set<FakeBuffer> = new Set<FakeBuffer>();
  readonly #deferred: Set<() => void> = new Set<() => void>();
  readonly #faults: Map<string, number> = new Map<string, number>();
  readonly #waiting: (() => void)[] = [];
  #held = false;
  #scope: Scope | undefined;
  #unreported: MlpError | undefined;
  #loss: DeviceLoss | undefined;
  #known = false;
  #resolveLost: ((loss: DeviceLoss) => void) | undefined;

  constructor({ software = false, limits }: FakeOptions = {}) {
    const features = new Set<string>();
    this.info = { software, vendor: 'fake', features, parallelWidth: 64, limits: { ...LIMITS, ...limits } };
    this.lost = new Promise((resolve) => {
      this.#resolveLost = resolve;
    });
  }

  // Controls for tests

  /** Plans faults, in place of those that were planned before. */
  plan(faults: FaultPlan): void {
    this.#faults.clear();
    for (const [kind, call] of Object.entries(faults)) this.#faults.set(kind, call);
  }

  /** True while a planned fault has not happened. */
  get isFaultAhead(): boolean {
    return this.#faults.size > 0;
  }

  /** True while a promise of the device is pending. */
  get isWaitedFor(): boolean {
    return this.#waiting.length > 0;
  }

  /** Holds all promises back: from now on `settle` settles them. */
  hold(): void {
    this.#held = true;
  }

  /** Settles the oldest pending promise. @returns false if there is none */
  settle(): boolean {
    const next = this.#waiting.shift();
    if (next === undefined) return false;
    this.onSettle?.();
    next();
    return true;
  }

  /** Ends `hold`. */
  release(): void {
    this.#held = false;
    for (const _ of this.#waiting) this.#settleSoon();
  }

  /** Loses the device; `lost` and `check` report the loss one turn later. */
  lose(message = 'The test has it lost.'): void {
    this.#loss ??= { reason: 'unknown', message };
    const loss = this.#loss;
    void this.#later(() => {
      this.#known = true;
      this.#resolveLost?.(loss);
    });
  }

  /** The memory of a tensor as float32; writes to it take effect at once. */
  floats(tensor: Tensor<DType>): Float32Array<ArrayBuffer> {
    return new Float32Array(asFake(tensor.buffer).bytes.buffer, tensor.byteOffset, tensor.length);
  }

  // The device

  get memory(): MemoryReport {
    const usedBytes = [...this.#used].reduce((sum, { size }) => sum + size, 0);
    return { allocatedBytes: usedBytes, usedBytes, pooledBytes: 0, buffers: this.#used.size };
  }

  check(): void {
    if (this.#known) throw this.#lostError();
    const unreported = this.#unreported;
    this.#unreported = undefined;
    if (unreported !== undefined) throw unreported;
  }

  guard<T>(what: string, build: () => T): Guarded<T> {
    this.check();
    const outer = this.#scope;
    const scope: Scope = {};
    this.#scope = scope;
    try {
      const value = build();
      return { value, fault: this.#later(() => this.#verdict(what, scope)) };
    } finally {
      this.#scope = outer;
    }
  }

  async guarded<T>(what: string, build: () => T): Promise<T> {
    const { value, fault } = this.guard(what, build);
    const error = await fault;
    if (error !== undefined) throw error;
    this.check();
    return value;
  }

  allocate(byteLength: number, label: string, use: BufferUse = 'storage'): DeviceBuffer {
    if (use === 'storage') this.check();
    const size = Math.ceil(byteLength / 16) * 16;
    const { maxBufferSize, maxStorageBufferBindingSize } = this.info.limits;
    const limit = use === 'storage' ? Math.min(maxBufferSize, maxStorageBufferBindingSize) : maxBufferSize;
    if (size > limit || this.#happens('limit')) {
      throw new LimitError(`"${label}" needs a buffer of ${size} bytes, but this device allows ${limit}.`);
    }
    const isDead = this.#happens('outOfMemory');
    const buffer = new FakeBuffer(size, label, isDead ? 'dead' : 'live');
    this.#used.add(buffer);
    if (isDead) this.#fail('memory', new MlpError('out-of-memory', `The GPU is out of memory for "${label}".`));
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    const fake = asFake(buffer);
    fake.state = 'freed';
    this.#used.delete(fake);
  }

  write(buffer: DeviceBuffer, byteOffset: number, data: ArrayBufferView): void {
    this.log.push(`write ${buffer.label}`);
    if (!this.#isUsable(buffer, 'write')) return;
    asFake(buffer).bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), byteOffset);
  }

  copy(copies: readonly BufferCopy[]): void {
    this.check();
    this.#catchUp();
    this.#copy(copies);
  }

  async read(buffer: DeviceBuffer, byteOffset: number, byteLength: number): Promise<ArrayBuffer> {
    this.check();
    this.#catchUp();
    this.log.push(`read ${buffer.label}`);
    const isUsable = this.#isUsable(buffer, 'read');
    const bytes = asFake(buffer).bytes.slice(byteOffset, byteOffset + byteLength).buffer;
    return await this.#later(() => {
      this.#throwIfLost();
      return isUsable ? bytes : new ArrayBuffer(byteLength);
    });
  }

  readStaging(staging: DeviceBuffer, byteLength: number): Promise<ArrayBuffer> {
    const isUsable = this.#isUsable(staging, 'map');
    const bytes = asFake(staging).bytes.slice(0, byteLength).buffer;
    return this.#later(() => {
      this.#throwIfLost();
      if (!isUsable) throw new MlpError('gpu', `"${staging.label}" cannot be mapped: there is no memory for it.`);
      return bytes;
    });
  }

  defer(work: () => void): () => void {
    this.#deferred.add(work);
    return () => this.#deferred.delete(work);
  }

  bind(
    what: string,
    dispatches: readonly Dispatch[],
    steps: StepRecords | undefined,
    chosen: ReadonlyMap<Dispatch, Program>,
  ): Replay {
    if (this.#happens('bind')) throw new MlpError('no-program', `${what}: the test has it refused.`);
    const programs = dispatches.map((dispatch) => chosen.get(dispatch) ?? choose(dispatch, this.info));
    const tensors = dispatches.flatMap((dispatch, i) => this.#bindingsOf(dispatch, programs[i], steps));
    const buffers = tensors.map(({ buffer }) => buffer);
    if (steps !== undefined) buffers.push(steps.buffer);
    // A Gpu keeps the uniforms of a plan in a buffer.
    const uniforms = this.allocate(256, 'uniforms', 'uniform');
    buffers.push(uniforms);
    for (const buffer of buffers) this.#isUsable(buffer, 'bind');
    // A label may be bound several times.
    const name = `${what} ${this.#bindings++}`;
    this.bound.add(name);
    const own = ownWords(programs);
    return {
      programOf: (index) => programs[index] ?? choose(dispatches[index] as Dispatch, this.info),
      ready: () => {
        this.#catchUp();
        const fails = this.#happens('compile');
        return this.#later(() => {
          this.#throwIfLost();
          if (fails) throw new MlpError('shader', `${what}: the test has it not compile.`);
        });
      },
      submit: (caller, offsets, copies = []) => {
        this.#catchUp();
        this.log.push(`submit ${caller}`);
        const areUsable = buffers.map((buffer) => this.#isUsable(buffer, 'submit')).every(Boolean);
        if (this.#happens('lost')) this.lose();
        if (this.#loss !== undefined) return;
        for (const offset of areUsable ? offsets : []) {
          const step = steps && decode(asFake(steps.buffer).bytes, offset, own);
          const replayed = { what: caller, plan: what, step, dispatches, tensors };
          this.replays.push(replayed);
          this.onReplay?.(replayed);
        }
        if (areUsable) this.#copy(copies);
      },
      dispose: () => {
        this.bound.delete(name);
        this.free(uniforms);
      },
    };
  }

  async tune(): Promise<ReadonlyMap<Dispatch, Program>> {
    return new Map<Dispatch, Program>();
  }

  run(dispatches: readonly Dispatch[]): void {
    this.check();
    const replay = this.bind('run', dispatches, undefined, new Map<Dispatch, Program>());
    replay.submit('run', [0]);
    replay.dispose();
  }

  idle(): Promise<void> {
    return this.#later(() => undefined);
  }

  isBuffer(value: unknown): boolean {
    return value instanceof FakeBuffer;
  }

  #bindings = 0;

  /** A promise that settles in its turn, with the value that `result` then returns or the error that it throws. */
  #later<T>(result: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(result());
        } catch (error) {
          reject(error);
        }
      });
      this.#settleSoon();
    });
  }

  #settleSoon(): void {
    setImmediate(() => {
      if (!this.#held) this.settle();
    });
  }

  #happens(kind: keyof FaultPlan): boolean {
    const left = this.#faults.get(kind);
    if (left === undefined) return false;
    if (left > 1) this.#faults.set(kind, left - 1);
    else this.#faults.delete(kind);
    return left === 1;
  }

  /** Reports an error of the device to the open guard, or without one to the next `check` after its arrival. */
  #fail(kind: keyof Scope, error: MlpError): void {
    if (this.#scope !== undefined) this.#scope[kind] ??= error;
    else {
      void this.#later(() => {
        this.#unreported ??= error;
      });
    }
  }

  #verdict(what: string, { memory, validation }: Scope): MlpError | undefined {
    if (this.#loss !== undefined) return this.#lostError();
    const error = memory ?? validation;
    return error && new MlpError(error.code, `${what}: ${error.message}`);
  }

  #isUsable(buffer: DeviceBuffer, use: string): boolean {
    const { label, state } = asFake(buffer);
    if (state === 'freed') throw new Error(`FakeDevice: ${use} of "${label}", which has been freed.`);
    if (state === 'dead') this.#fail('validation', new MlpError('validation', `${use} of "${label}", which is dead.`));
    return state === 'live';
  }

  #copy(copies: readonly BufferCopy[]): void {
    for (const { from, fromOffset, to, toOffset, byteLength } of copies) {
      this.log.push(`copy ${from.label}`);
      const areUsable = [from, to].map((buffer) => this.#isUsable(buffer, 'copy')).every(Boolean);
      if (!areUsable) continue;
      asFake(to).bytes.set(asFake(from).bytes.subarray(fromOffset, fromOffset + byteLength), toOffset);
    }
  }

  #catchUp(): void {
    for (const work of this.#deferred) {
      this.#deferred.delete(work);
      work();
    }
  }

  /** The tensors that a dispatch binds. @throws as a Gpu does */
  #bindingsOf(
    { label, uniforms, buffers }: Dispatch,
    program: Program | undefined,
    steps: StepRecords | undefined,
  ): Tensor<DType>[] {
    if (steps === undefined && Object.values(uniforms).includes(PER_STEP)) {
      throw new MlpError('per-step', `${label}: its step is PER_STEP, but nothing replays it here.`);
    }
    const most = this.info.limits.maxComputeWorkgroupsPerDimension;
    if (program !== undefined && Math.max(...program.workgroups) > most) {
      throw new LimitError(`${label} needs ${program.workgroups.join(' × ')} workgroups; ${most} are allowed.`);
    }
    return Object.keys(program?.shader.buffers ?? {}).flatMap((name) => {
      const tensor = buffers[name];
      if (tensor === undefined || program?.unused.includes(name) === true) return [];
      if (tensor.byteOffset % BINDING_ALIGNMENT !== 0) {
        throw new ShapeError(`${label}: "${tensor.label}" begins at byte ${tensor.byteOffset}.`);
      }
      return [tensor];
    });
  }

  #throwIfLost(): void {
    if (this.#loss !== undefined) throw this.#lostError();
  }

  #lostError(): DeviceLostError {
    const { message, reason } = this.#loss ?? { message: '', reason: 'unknown' };
    return new DeviceLostError(`The GPU device was lost (${reason}): ${message}`, reason);
  }
}

const asFake = (buffer: DeviceBuffer): FakeBuffer => buffer as FakeBuffer;

/** Number of words that programs read after the four words of a step: the optimizer's own numbers. */
const ownWords = (programs: readonly Program[]): number =>
  Math.max(4, ...programs.map(({ shader }) => Object.keys(shader.uniforms.step?.fields ?? {}).length)) - 4;

function decode(bytes: Uint8Array<ArrayBuffer>, offset: number, own: number): StepRecord {
  const view = new DataView(bytes.buffer, offset);
  return {
    first: view.getUint32(0, true),
    rows: view.getUint32(4, true),
    index: view.getUint32(8, true),
    learning_rate: view.getFloat32(12, true),
    ...(own > 0 && { own: Array.from({ length: own }, (_, i) => view.getFloat32(16 + 4 * i, true)) }),
  };
}
