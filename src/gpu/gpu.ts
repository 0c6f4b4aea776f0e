import { MlpError } from '../base/errors.js';
import type { Device, DeviceLoss, Guarded, Replay } from '../plan/device.js';
import type { Dispatch, Program } from '../plan/dispatch.js';
import type { BufferCopy, BufferUse, DeviceBuffer, MemoryReport } from '../plan/memory.js';
import type { StepRecords } from '../plan/step-records.js';
import type { DType, Tensor } from '../plan/tensor.js';
import { Faults } from './faults.js';
import { PipelineCache } from './pipeline.js';
import { BufferPool } from './pool.js';
import type { Profile } from './profile.js';
import { Queue } from './queue.js';
import { asGpuBuffer, type Binder, bindAll, encode, GpuReplay, type Pass } from './replay.js';
import { type GpuInfo, type GpuOptions, infoOf, requestDevice } from './request.js';

export type { GpuInfo, GpuOptions } from './request.js';

/** The cause of a device's going away. */
export type GpuLoss = DeviceLoss;

/** Cancellations of the work that a build has put off; of its buffers the pool knows. */
interface Taken {
  readonly deferred: (() => void)[];
}

/** A WebGPU device, with the memory and the compiled kernels on it. */
export class Gpu implements Device {
  readonly device: GPUDevice;
  readonly info: GpuInfo;
  /** Resolves when the device is lost or destroyed, with the cause. */
  readonly lost: Promise<DeviceLoss>;
  /** @internal */
  readonly pipelines: PipelineCache;
  /** @internal */
  readonly tuning: Pick<GpuOptions, 'tuning' | 'tuningStorage'>;
  /** @internal */
  readonly queue: Queue;
  readonly #faults: Faults;
  readonly #pool: BufferPool;
  readonly #owned: boolean;
  /** The build that is going on. */
  #taken: Taken | undefined;

  private constructor(device: GPUDevice, info: GpuInfo, owned: boolean, tuning: Gpu['tuning']) {
    this.device = device;
    this.info = info;
    this.tuning = tuning;
    this.#owned = owned;
    this.#pool = new BufferPool(device);
    this.pipelines = new PipelineCache(device, info.software);
    this.#faults = new Faults(device, owned, this.#pool);
    this.queue = new Queue(device, this.#faults);
    this.lost = this.#faults.lost;
  }

  /**
   * A device of our own, with limits as high as its adapter allows.
   * @throws {WebGpuUnavailableError} that says which of: no secure context, no `navigator.gpu`, no adapter, device refused
   */
  static async request(options: GpuOptions = {}): Promise<Gpu> {
    const { device, adapter } = await requestDevice(options);
    return new Gpu(device, infoOf(device, adapter), true, options);
  }

  /**
   * The app's own device, shared. It is never destroyed here, and its event handlers stay the app's.
   * @throws {MlpError} `bad-option` for what is no device, such as a promise of one
   */
  static from(device: GPUDevice, options: Pick<GpuOptions, 'tuning' | 'tuningStorage'> = {}): Gpu {
    if (typeof (device as Partial<GPUDevice> | undefined)?.createBuffer !== 'function') {
      throw new MlpError('bad-option', `Gpu.from: device is ${String(device)}; it must be a GPUDevice.`);
    }
    return new Gpu(device, infoOf(device), false, options);
  }

  /** Bytes and buffers on this device that were allocated through this object. */
  get memory(): MemoryReport {
    return this.#pool.report;
  }

  /**
   * Compiles and queues kernel calls, in order. Nothing is waited for.
   * @throws {MlpError} `per-step` for a call of a plan's step, `bad-dispatch` for one that leaves out what its shader declares
   */
  run(dispatches: readonly Dispatch[]): void {
    this.check();
    const { commands, uniforms } = bindAll(this, dispatches);
    try {
      this.submit('run', (pass) => encode(pass, commands));
    } finally {
      this.free(uniforms);
    }
  }

  /** The memory of a tensor as a GPUBuffer, for an app's own commands; the tensor begins at `byteOffset`. */
  bufferOf(tensor: Tensor<DType>): GPUBuffer {
    return asGpuBuffer(tensor.buffer);
  }

  /**
   * GPU time of each kernel while `work` runs: of everything that is dispatched on this Gpu meanwhile, by `work` or others.
   * Results have the same bits; each dispatch gets a compute pass of its own between two timestamps, so `work` is slower.
   * Repeat what is short: a browser's clock may be as coarse as 65.5 µs. Times are `null` without `timestamp-query`.
   *
   *     console.log(`${await gpu.profile(() => trainer.fit(train, { epochs: 1 }))}`);
   *
   * @param work need not wait for the GPU
   * @throws {MlpError} `busy` while another profile is taken; and whatever `work` throws
   */
  async profile(work: () => unknown): Promise<Profile> {
    this.check();
    const { profile } = await import('./profile.js');
    return await profile(this, this.#pool, work);
  }

  /** Frees everything that was made on it; the device too, if it is our own. A second call does nothing. */
  destroy(): void {
    if (this.#faults.destroyed) return;
    this.#faults.destroyed = true;
    this.#pool.destroy();
    if (this.#owned) this.device.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  /** @internal */
  get tunes(): boolean {
    return (this.tuning.tuning ?? 'off') !== 'off';
  }

  /** @internal */
  check(): void {
    this.#faults.check();
  }

  /** @internal */
  async guarded<T>(what: string, build: () => T): Promise<T> {
    const taken: Taken = { deferred: [] };
    try {
      return await this.#faults.guarded(what, () => this.#within(taken, build));
    } catch (error) {
      this.#giveBack(taken);
      throw error;
    }
  }

  /** @internal */
  guard<T>(what: string, build: () => T): Guarded<T> {
    this.check();
    const taken: Taken = { deferred: [] };
    try {
      return this.#faults.guard(what, () => this.#within(taken, build));
    } catch (error) {
      this.#giveBack(taken);
      throw error;
    }
  }

  /** @internal */
  defer(work: () => void): () => void {
    const cancel = this.queue.defer(work);
    this.#taken?.deferred.push(cancel);
    return cancel;
  }

  /** Runs a build, and notes what it takes. */
  #within<T>(taken: Taken, build: () => T): T {
    const outer = this.#taken;
    this.#taken = taken;
    try {
      return build();
    } finally {
      this.#taken = outer;
    }
  }

  /** Frees what a build that failed has allocated, and cancels what it has put off. */
  #giveBack(taken: Taken): void {
    this.#pool.discardAll(taken);
    for (const cancel of taken.deferred) cancel();
  }

  /** @internal */
  bind(
    what: string,
    dispatches: readonly Dispatch[],
    steps: StepRecords | undefined,
    chosen: ReadonlyMap<Dispatch, Program>,
  ): Replay {
    return new GpuReplay(this, what, bindAll(this, dispatches, steps?.buffer, chosen));
  }

  /** @internal Few apps measure: the tuner is loaded where one does. */
  async tune(dispatches: readonly Dispatch[]): Promise<ReadonlyMap<Dispatch, Program>> {
    if (!this.tunes) return new Map<Dispatch, Program>();
    const { tune } = await import('./tuner.js');
    return await tune(this, dispatches);
  }

  /** @internal */
  async compiled(what: string, compilations: readonly Promise<void>[]): Promise<void> {
    const all = Promise.all(compilations);
    this.queue.catchUp();
    await all.catch((cause: unknown) => this.#faults.explain(what, cause));
    this.check();
  }

  /** @internal */
  submit(label: string, record: (pass: Pass) => void, copies?: readonly BufferCopy[]): void {
    this.queue.submit(label, record, copies);
  }

  /** @internal */
  copy(copies: readonly BufferCopy[]): void {
    this.queue.copy(copies);
  }

  /** @internal */
  get unused(): Binder['unused'] {
    return this.#pool.unused;
  }

  /** @internal */
  allocate(byteLength: number, label: string, use: BufferUse = 'storage'): GPUBuffer {
    if (use === 'storage') this.check();
    return this.#pool.acquire(byteLength, use, label, this.#taken);
  }

  /** @internal */
  free(buffer: DeviceBuffer): void {
    this.#pool.release(asGpuBuffer(buffer));
  }

  /** @internal */
  write(buffer: DeviceBuffer, byteOffset: number, data: ArrayBufferView): void {
    this.queue.write(buffer, byteOffset, data);
  }

  /** @internal */
  async read(buffer: DeviceBuffer, byteOffset: number, byteLength: number): Promise<ArrayBuffer> {
    this.check();
    const first = byteOffset - (byteOffset % 4);
    const size = Math.ceil((byteOffset + byteLength - first) / 4) * 4;
    const staging = this.allocate(size, 'read', 'staging');
    try {
      this.queue.copy([{ from: buffer, fromOffset: first, to: staging, toOffset: 0, byteLength: size }], 'read');
      const bytes = await this.readStaging(staging, size, true);
      return bytes.slice(byteOffset - first, byteOffset - first + byteLength);
    } finally {
      this.free(staging);
    }
  }

  /** @internal */
  readStaging(staging: DeviceBuffer, byteLength: number, awaited?: boolean): Promise<ArrayBuffer> {
    return this.queue.readStaging(staging, byteLength, awaited);
  }

  /** @internal */
  idle(): Promise<void> {
    return this.queue.idle();
  }

  /** @internal */
  isBuffer(value: unknown): boolean {
    return typeof GPUBuffer !== 'undefined' && value instanceof GPUBuffer;
  }
}
