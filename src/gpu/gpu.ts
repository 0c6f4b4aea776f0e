import { assertList, assertMade, assertOption, assertWord, describe } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import { checkOptions } from '../base/options.js';
import type { Device, DeviceLoss, Guarded, Replay } from '../plan/device.js';
import type { Dispatch, Program } from '../plan/dispatch.js';
import {
  type BufferCopy,
  type BufferUse,
  type DeviceBuffer,
  type MemoryReport,
  STAGING_BYTES,
} from '../plan/memory.js';
import type { StepRecords } from '../plan/step-records.js';
import type { DType, Tensor } from '../plan/tensor.js';
import { Faults } from './faults.js';
import { PipelineCache } from './pipeline.js';
import { BufferPool } from './pool.js';
import type { Profile } from './profile.js';
import { Queue } from './queue.js';
import { asGpuBuffer, type Binder, bindAll, encode, GpuReplay, type Pass } from './replay.js';
import { type GpuInfo, type GpuOptions, infoOf, requestDevice, SHARED_NAMES } from './request.js';

export type { GpuInfo, GpuOptions } from './request.js';

/** Value that `Gpu.lost` resolves to: the reason and the browser's message. */
export type GpuLoss = DeviceLoss;

/** One run of a `build` function, which the pool also uses as the key of the buffers allocated in it. */
interface BuildScope {
  /** The public function that it is a part of, for error messages. */
  readonly what: string;
  /** Functions that cancel the writes that it deferred. */
  readonly deferred: (() => void)[];
}

/**
 * A WebGPU device with this library's buffers and compiled kernels. Models, data sets and tensors are created on it.
 *
 * @example
 * const gpu = await Gpu.request();
 * const model = await Mlp.create(gpu, { inputs: 2, layers: [dense(16, 'relu'), dense(2, 'softmax')] });
 */
export class Gpu implements Device {
  /** The WebGPU device, for an app's own commands. */
  readonly device: GPUDevice;
  /** The adapter's name, features and limits, as far as the browser reveals them. */
  readonly info: GpuInfo;
  /** Resolves with the reason and a message when the device is lost or destroyed. It never rejects. */
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
  /** Scope of the `build` function that is running now, if any. */
  #scope: BuildScope | undefined;

  private constructor(device: GPUDevice, info: GpuInfo, owned: boolean, tuning: Gpu['tuning']) {
    assertMade('Gpu', info, 'parallelWidth', 'await Gpu.request() or Gpu.from(device)');
    this.device = device;
    this.info = info;
    this.tuning = tuning;
    this.#owned = owned;
    this.#pool = new BufferPool(device, owned);
    this.pipelines = new PipelineCache(device, info.software);
    this.#faults = new Faults(device, owned, this.#pool);
    this.queue = new Queue(device, this.#faults);
    this.lost = this.#faults.lost;
  }

  /**
   * Requests a new device, with limits as high as the adapter allows. `destroy` destroys this device.
   * @throws {WebGpuUnavailableError} if the page is not secure, the browser has no WebGPU, no adapter is found, or the adapter
   * refuses the device; `reason` says which of these
   * @throws {MlpError} `bad-option` if `options.adapter` is not a GPUAdapter
   *
   * @example
   * const gpu = await Gpu.request({ powerPreference: 'high-performance' });
   */
  static async request(options: GpuOptions = {}): Promise<Gpu> {
    const { device, adapter } = await requestDevice(options);
    return new Gpu(device, infoOf(device, adapter), true, options);
  }

  /**
   * Shares a device that the app created. `destroy` frees this library's buffers but keeps the device. The library adds no
   * `uncapturederror` listener to it.
   * @param options `tuning` and `tuningStorage`, as in `Gpu.request`
   * @throws {MlpError} `bad-option` if `device` is not a GPUDevice, such as a promise of one
   *
   * @example
   * const gpu = Gpu.from(await adapter.requestDevice());
   */
  static from(device: GPUDevice, options: Pick<GpuOptions, 'tuning' | 'tuningStorage'> = {}): Gpu {
    if (typeof (device as Partial<GPUDevice> | undefined)?.createBuffer !== 'function') {
      throw new MlpError('bad-option', `Gpu.from: device is ${describe(device)}; it must be a GPUDevice.`);
    }
    const { tuning = 'off' } = checkOptions('Gpu.from', options, SHARED_NAMES);
    assertWord('Gpu.from:', { tuning }, ['off', 'auto', 'full']);
    return new Gpu(device, infoOf(device), false, options);
  }

  /** Bytes and number of the buffers that this `Gpu` has allocated, for example `gpu.memory.usedBytes`. */
  get memory(): MemoryReport {
    return this.#pool.report;
  }

  /**
   * Compiles and queues kernel calls in order, without waiting for the GPU. `await tensor.read()` waits for the results.
   * @throws {LimitError} if a dispatch needs more workgroups than the device allows in one dimension
   * @throws {ShapeError} if a tensor does not begin at a multiple of 256 bytes in its buffer
   * @throws {MlpError} `per-step` if a dispatch has PER_STEP uniforms, which only a plan can fill in; `bad-dispatch` if it lacks
   * a tensor or a uniform that its shader declares
   * @throws {DisposedError|DeviceLostError} if the device is destroyed or lost
   *
   * @example
   * gpu.run([matmul(A, B, C)]);
   * const values = await C.read();
   */
  run(dispatches: readonly Dispatch[]): void {
    this.check();
    assertList('gpu.run:', 'dispatches', dispatches, '[matmul(A, B, C)]', 'bad-dispatch');
    const { commands, uniforms } = bindAll(this, dispatches);
    try {
      this.submit('run', (pass) => encode(pass, commands));
    } finally {
      this.free(uniforms);
    }
  }

  /**
   * The GPUBuffer of a tensor, for an app's own commands. The tensor begins at `tensor.byteOffset` bytes in it.
   * @throws {DisposedError} if the tensor has no memory, before its plan is compiled or after `dispose`
   *
   * @example
   * const entry = { binding: 0, resource: { buffer: gpu.bufferOf(tensor), offset: tensor.byteOffset } };
   */
  bufferOf(tensor: Tensor<DType>): GPUBuffer {
    return asGpuBuffer(tensor.buffer);
  }

  /**
   * Measures the GPU time of each kernel that this `Gpu` runs during `work`, dispatched by `work` or by other code.
   * Results have the same bits as without a profile. `work` is slower, because each dispatch gets its own compute pass between
   * two timestamps. Repeat short work: a browser's clock may have steps of 65.5 µs. Times are `null` if the device lacks the
   * feature `timestamp-query`.
   * @param work function to profile; it does not need to wait for the GPU
   * @throws {MlpError} `busy` while another profile is being taken
   * @throws {DisposedError|DeviceLostError} if the device is destroyed or lost
   * @throws whatever `work` throws
   *
   * @example
   * console.log(`${await gpu.profile(() => trainer.fit(train, { epochs: 1 }))}`);
   */
  async profile(work: () => unknown): Promise<Profile> {
    this.check();
    assertOption('gpu.profile:', { work }, 'a function');
    const { profile } = await import('./profile.js');
    return await profile(this, this.#pool, work);
  }

  /**
   * Frees all buffers of this `Gpu`; models, trainers and data sets on it can no longer be used. A device from `Gpu.request` is
   * destroyed, one passed to `Gpu.from` is not. A second call does nothing.
   */
  destroy(): void {
    if (this.#faults.destroyed) return;
    this.#faults.destroyed = true;
    this.#pool.destroy();
    if (this.#owned) this.device.destroy();
  }

  /** Calls `destroy` at the end of a block: `using gpu = await Gpu.request()`. */
  [Symbol.dispose](): void {
    this.destroy();
  }

  /** @internal Vue reads it: `ref()` and `reactive()` then make no proxy, which could not reach the private members. */
  get __v_skip(): true {
    return true;
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
    const scope: BuildScope = { what, deferred: [] };
    try {
      return await this.#faults.guarded(what, () => this.#runIn(scope, build));
    } catch (error) {
      this.#rollBack(scope);
      throw error;
    }
  }

  /** @internal */
  guard<T>(what: string, build: () => T): Guarded<T> {
    this.check();
    const scope: BuildScope = { what, deferred: [] };
    try {
      return this.#faults.guard(what, () => this.#runIn(scope, build));
    } catch (error) {
      this.#rollBack(scope);
      throw error;
    }
  }

  /** @internal */
  defer(work: () => void): () => void {
    const cancel = this.queue.defer(work);
    this.#scope?.deferred.push(cancel);
    return cancel;
  }

  /** Runs a build, and records in `scope` the buffers that it allocates and the writes that it defers. */
  #runIn<T>(scope: BuildScope, build: () => T): T {
    const outer = this.#scope;
    this.#scope = scope;
    try {
      return build();
    } finally {
      this.#scope = outer;
    }
  }

  /** Frees the buffers that a failed build allocated, and cancels the writes that it deferred. */
  #rollBack(scope: BuildScope): void {
    this.#pool.discardAll(scope);
    for (const cancel of scope.deferred) cancel();
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

  /** @internal The tuner is loaded on demand, because few apps use it. */
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
    return this.#pool.acquire(byteLength, use, label, this.#scope);
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
    const before = byteOffset % 4;
    const size = Math.ceil((before + byteLength) / 4) * 4;
    const parts: { readonly staging: DeviceBuffer; readonly start: number; readonly size: number }[] = [];
    try {
      for (let start = 0; start < size; start += STAGING_BYTES) {
        const length = Math.min(STAGING_BYTES, size - start);
        parts.push({ staging: this.allocate(length, 'read', 'staging'), start, size: length });
      }
      // One submit copies all parts, so that they are of the same moment.
      this.queue.copy(
        parts.map(({ staging: to, start, size: length }) => ({
          from: buffer,
          fromOffset: byteOffset - before + start,
          to,
          toOffset: 0,
          byteLength: length,
        })),
        'read',
      );
      const bytes = new Uint8Array(size);
      for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
        try {
          bytes.set(new Uint8Array(await this.readStaging(part.staging, part.size, true)), part.start);
        } finally {
          this.free(part.staging);
        }
      }
      return before === 0 && size === byteLength ? bytes.buffer : bytes.buffer.slice(before, before + byteLength);
    } finally {
      for (const { staging } of parts) this.free(staging);
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
