import { DeviceLostError, DisposedError, MlpError, WebGpuUnavailableError } from '../base/errors.js';
import { type AdapterTraits, choose, type Dispatch } from '../plan/dispatch.js';
import type { DType, Memory, Tensor } from '../plan/tensor.js';
import { type Binder, bind, encode, type Pass, uploadUniforms } from './command.js';
import { PipelineCache } from './pipeline.js';
import { BufferPool, type MemoryReport } from './pool.js';
import type { Profile, Profiler } from './profile.js';
import type { Tuning, TuningStorage } from './tuning-cache.js';
import type { Missing } from './unavailable.js';

/** What `Gpu.request` may be told. */
export interface GpuOptions {
  readonly powerPreference?: GPUPowerPreference;
  /** An adapter that the app has requested itself, as in Node, where there is no `navigator.gpu`. */
  readonly adapter?: GPUAdapter;
  /** Device features that must be there; `timestamp-query` and `subgroups` are taken where they are. */
  readonly features?: readonly GPUFeatureName[];
  readonly label?: string;
  /**
   * Whether a plan measures which variant of a kernel is the fastest here: `off` (by default) goes by rules, `auto` takes
   * up to a second for each plan, `full` as long as it takes. Other variants round otherwise, so other bits.
   */
  readonly tuning?: Tuning;
  /** Where such choices are kept for the next visit, such as `localStorage`. */
  readonly tuningStorage?: TuningStorage;
}

/** The adapter, as far as a browser tells. */
export interface GpuInfo extends AdapterTraits {
  readonly architecture: string;
  readonly description: string;
  /** A CPU adapter, such as SwiftShader: right, and slow. */
  readonly software: boolean;
  readonly limits: GPUSupportedLimits;
}

/** Why a device went away. */
export interface GpuLoss {
  readonly reason: 'destroyed' | 'unknown';
  readonly message: string;
}

/** The limits that kernels and data sets can use more of than WebGPU's defaults. */
const RAISED_LIMITS = /^max(Compute|.*Buffer)/;
const WELCOME_FEATURES: readonly GPUFeatureName[] = ['timestamp-query', 'subgroups'];
/** A guess at `parallelWidth` by vendor: the cores of a middling model. WebGPU tells no adapter's own. */
const PARALLEL_WIDTHS: Readonly<Record<string, number>> = { nvidia: 64, amd: 32, apple: 16, intel: 16 };
const PARALLEL_WIDTH = 8;
/** How long an adapter may take to answer. */
const ADAPTER_PATIENCE_MS = 10_000;
/** How long after a failed call a loss may still become known. */
const LOSS_PATIENCE_MS = 500;
/** Large uploads go in slices, so that the browser's staging memory stays bounded. */
const UPLOAD_SLICE_BYTES = 16 * 2 ** 20;

/**
 * Chrome's GPU process looks for finished work when commands come, and 2 ms after it has last looked. While somebody waits
 * for a value, empty submits make it look sooner: after so many milliseconds, then as many more. Turns of the event loop
 * instead of timers would take a core from whoever computes.
 */
const NUDGES_MS: readonly number[] = [0, 1, 1, 1];

/** A WebGPU device, with the memory and the compiled kernels on it. */
export class Gpu implements Memory, Binder {
  readonly device: GPUDevice;
  readonly info: GpuInfo;
  /** Resolves when the device is lost or destroyed, with the cause. */
  readonly lost: Promise<GpuLoss>;
  /** @internal */
  readonly pipelines: PipelineCache;
  /** @internal */
  readonly tuning: Pick<GpuOptions, 'tuning' | 'tuningStorage'>;
  /** @internal While a profile is taken. */
  profiler: Profiler | undefined;
  readonly #pool: BufferPool;
  readonly #owned: boolean;
  readonly #deferred: Set<() => void> = new Set<() => void>();
  #unused: Binder['unused'] | undefined;
  #loss: GpuLoss | undefined;
  #fault: MlpError | undefined;
  #destroyed = false;

  private constructor(device: GPUDevice, owned: boolean, tuning: Gpu['tuning']) {
    this.device = device;
    this.tuning = tuning;
    this.#owned = owned;
    this.#pool = new BufferPool(device);
    const { vendor, architecture, description, isFallbackAdapter } = device.adapterInfo;
    this.info = {
      vendor,
      architecture,
      description,
      software:
        isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${architecture} ${description}`),
      features: device.features as ReadonlySet<string>,
      limits: device.limits,
      parallelWidth: PARALLEL_WIDTHS[vendor] ?? PARALLEL_WIDTH,
    };
    this.pipelines = new PipelineCache(device, this.info.software);
    this.lost = device.lost.then(({ reason, message }) => {
      this.#loss = { reason: reason === 'destroyed' ? 'destroyed' : 'unknown', message };
      return this.#loss;
    });
    if (owned) {
      device.addEventListener('uncapturederror', (event) => {
        this.#fault ??= asMlpError(event.error);
      });
    }
  }

  /**
   * A device of our own, with limits as high as its adapter allows.
   * @throws {WebGpuUnavailableError} that says which of: no secure context, no `navigator.gpu`, no adapter, device refused
   */
  static async request(options: GpuOptions = {}): Promise<Gpu> {
    const adapter = options.adapter ?? (await requestAdapter(options));
    const device = await requestDevice(adapter, options)
      // An adapter gives one device; a second request needs a fresh adapter.
      .catch(async (cause: unknown) => {
        if (options.adapter !== undefined && typeof navigator === 'undefined') throw cause;
        return await requestDevice(await requestAdapter(options), options);
      })
      .catch((cause: unknown) => {
        throw cause instanceof WebGpuUnavailableError ? cause : refused(cause);
      });
    const gpu = new Gpu(device, true, options);
    // A device may be born lost: give `lost` its turn before anybody builds on it.
    await Promise.race([gpu.lost, Promise.resolve()]);
    if (gpu.#loss !== undefined) throw refused(gpu.#loss.message);
    return gpu;
  }

  /** The app's own device, shared. It is never destroyed here, and its event handlers stay the app's. */
  static from(device: GPUDevice, options: Gpu['tuning'] = {}): Gpu {
    return new Gpu(device, false, options);
  }

  /** Bytes and buffers on this device that were allocated through this object. */
  get memory(): MemoryReport {
    return this.#pool.report;
  }

  /** Compiles and queues kernel calls, in order. Nothing is waited for. */
  run(dispatches: readonly Dispatch[]): void {
    this.check();
    const { buffer, offsets } = uploadUniforms(this, dispatches);
    const commands = dispatches.map((call, index) =>
      bind(this, call, choose(call, this.info), buffer, offsets[index] ?? {}),
    );
    this.submit('run', (pass) => encode(pass, commands));
    this.free(buffer);
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
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#pool.destroy();
    this.#unused?.read.destroy();
    this.#unused?.read_write.destroy();
    if (this.#owned) this.device.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  /** @internal @throws {DisposedError|DeviceLostError|MlpError} if no further work can be done on this device */
  check(): void {
    if (this.#destroyed) throw new DisposedError('This Gpu has been destroyed. Make a new one with Gpu.request().');
    if (this.#loss !== undefined) {
      const { reason, message } = this.#loss;
      throw new DeviceLostError(
        `The GPU device was lost (${reason}): ${message} Make a new Gpu and build the model on it again.`,
        reason,
      );
    }
    if (this.#fault !== undefined) throw this.#fault;
  }

  /**
   * Puts off writes that have time until a plan is being compiled, or a kernel or a copy next reads a buffer. Whoever writes
   * to the same buffer before takes them back.
   * @internal @returns what takes it back
   */
  defer(work: () => void): () => void {
    this.#deferred.add(work);
    return () => this.#deferred.delete(work);
  }

  /** @internal Does now what was put off. */
  catchUp(): void {
    for (const work of this.#deferred) {
      this.#deferred.delete(work);
      work();
    }
  }

  /** @internal One compute pass in one submit; `after` may add copies behind it. */
  submit(label: string, record: (pass: Pass) => void, after?: (encoder: GPUCommandEncoder) => void): void {
    this.catchUp();
    const encoder = this.device.createCommandEncoder({ label });
    const pass = this.profiler?.begin(encoder) ?? encoder.beginComputePass({ label });
    record(pass);
    pass.end();
    after?.(encoder);
    this.device.queue.submit([encoder.finish()]);
  }

  /** @internal Copies a tensor into another one of the same size, in queue order. */
  copy(from: Tensor<DType>, to: Tensor<DType>): void {
    this.check();
    this.catchUp();
    const encoder = this.device.createCommandEncoder({ label: 'copy' });
    encoder.copyBufferToBuffer(from.buffer, from.byteOffset, to.buffer, to.byteOffset, from.byteLength);
    this.device.queue.submit([encoder.finish()]);
  }

  /**
   * Runs `build` and reports what the device had against it.
   * @internal @throws {MlpError} `out-of-memory`, or `validation`
   */
  async guarded<T>(what: string, build: () => T): Promise<T> {
    this.check();
    this.device.pushErrorScope('validation');
    this.device.pushErrorScope('out-of-memory');
    let result: T;
    let failure: { readonly error: unknown } | undefined;
    try {
      result = build();
    } catch (error) {
      failure = { error };
    }
    // Scopes are a stack for the whole device: both are popped before anything else can push.
    const scopes = Promise.all([this.device.popErrorScope(), this.device.popErrorScope()]);
    const [memory, validation] = await scopes.catch((cause: unknown) => this.explain(what, cause));
    if (failure !== undefined) throw failure.error;
    if (memory !== null) {
      throw outOfMemory(`${what} (${this.memory.usedBytes} bytes are in use here): ${memory.message}`);
    }
    if (validation !== null) throw new MlpError('validation', `${what}: ${validation.message}`);
    this.check();
    // biome-ignore lint/style/noNonNullAssertion: without a failure `build` has returned
    return result!;
  }

  /** @internal */
  get unused(): Binder['unused'] {
    const usage = GPUBufferUsage.STORAGE;
    this.#unused ??= {
      read: this.device.createBuffer({ label: 'unused (read)', size: 256, usage }),
      read_write: this.device.createBuffer({ label: 'unused (read_write)', size: 1024, usage }),
    };
    return this.#unused;
  }

  /** @internal */
  allocate(byteLength: number, label: string): GPUBuffer {
    this.check();
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    return this.#pool.acquire(byteLength, usage, label);
  }

  /** @internal */
  allocateUniforms(byteLength: number, label: string): GPUBuffer {
    return this.#pool.acquire(byteLength, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST, label);
  }

  /** @internal */
  allocateStaging(byteLength: number, label: string): GPUBuffer {
    return this.#pool.acquire(byteLength, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST, label);
  }

  /** @internal */
  free(buffer: GPUBuffer): void {
    this.#pool.release(buffer);
  }

  /** @internal */
  write(buffer: GPUBuffer, byteOffset: number, data: ArrayBufferView): void {
    const { queue } = this.device;
    const whole = data.byteLength - (data.byteLength % 4);
    for (let start = 0; start < whole; start += UPLOAD_SLICE_BYTES) {
      const size = Math.min(UPLOAD_SLICE_BYTES, whole - start);
      queue.writeBuffer(buffer, byteOffset + start, data.buffer as ArrayBuffer, data.byteOffset + start, size);
    }
    if (whole < data.byteLength) {
      const rest = new Uint8Array(4);
      rest.set(new Uint8Array(data.buffer, data.byteOffset + whole, data.byteLength - whole));
      queue.writeBuffer(buffer, byteOffset + whole, rest);
    }
  }

  /** @internal */
  async read(buffer: GPUBuffer, byteOffset: number, byteLength: number): Promise<ArrayBuffer> {
    this.check();
    this.catchUp();
    const first = byteOffset - (byteOffset % 4);
    const size = Math.ceil((byteOffset + byteLength - first) / 4) * 4;
    const staging = this.allocateStaging(size, 'read');
    try {
      const encoder = this.device.createCommandEncoder({ label: 'read' });
      encoder.copyBufferToBuffer(buffer, first, staging, 0, size);
      this.device.queue.submit([encoder.finish()]);
      const bytes = await this.map(staging, size, true);
      return bytes.slice(byteOffset - first, byteOffset - first + byteLength);
    } finally {
      this.free(staging);
    }
  }

  /**
   * Maps a staging buffer, copies it and unmaps it.
   * @internal @param awaited whether somebody waits for just this @throws {DeviceLostError|DisposedError}
   */
  async map(staging: GPUBuffer, byteLength: number, awaited = false): Promise<ArrayBuffer> {
    const mapped = staging.mapAsync(GPUMapMode.READ, 0, byteLength);
    if (awaited) void this.#nudge(mapped);
    await mapped.catch((cause: unknown) => this.explain('Reading from the GPU', cause));
    const bytes = staging.getMappedRange(0, byteLength).slice(0);
    staging.unmap();
    return bytes;
  }

  /** Sends empty submits until the work is done, for a while. */
  async #nudge(work: Promise<unknown>): Promise<void> {
    let done = false;
    const end = (): void => {
      done = true;
    };
    work.then(end, end);
    for (const milliseconds of NUDGES_MS) {
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      if (done) return;
      this.device.queue.submit([]);
    }
  }

  /** @internal Resolves when everything queued so far has run, or never will. */
  async idle(): Promise<void> {
    // On a device that is destroyed this resolves; when the GPU process has died it rejects.
    await this.device.queue.onSubmittedWorkDone().catch(() => this.#lossIsKnown());
  }

  /**
   * A WebGPU promise was rejected: says why, in this library's terms.
   * @internal @throws {DeviceLostError|DisposedError|MlpError} always
   */
  async explain(what: string, cause: unknown): Promise<never> {
    await this.#lossIsKnown();
    this.check();
    throw cause instanceof MlpError ? cause : new MlpError('gpu', `${what} failed: ${String(cause)}`, { cause });
  }

  /** `lost` may settle a little after what the loss has made fail. */
  async #lossIsKnown(): Promise<void> {
    await Promise.race([this.lost, new Promise((resolve) => setTimeout(resolve, LOSS_PATIENCE_MS))]);
  }
}

async function requestAdapter(options: GpuOptions): Promise<GPUAdapter> {
  if (globalThis.isSecureContext === false) return await missing('insecure-context');
  const api = typeof navigator === 'undefined' ? undefined : (navigator as { gpu?: GPU }).gpu;
  if (api === undefined) return await missing('no-webgpu');
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ADAPTER_PATIENCE_MS, undefined);
  });
  // Of the options it takes powerPreference alone.
  const adapter = await Promise.race([api.requestAdapter(options as GPURequestAdapterOptions), patience]);
  clearTimeout(timer);
  return adapter ?? (await missing(adapter === null ? 'no-adapter' : 'no-answer'));
}

/** What there is to say is loaded where it is said. @throws {WebGpuUnavailableError} always */
async function missing(what: Missing): Promise<never> {
  throw (await import('./unavailable.js')).unavailable(what);
}

async function requestDevice(adapter: GPUAdapter, options: GpuOptions): Promise<GPUDevice> {
  const requiredLimits: Record<string, number> = {};
  // The names are the prototype's, so Object.keys would find none.
  for (const name in adapter.limits) {
    const limit = adapter.limits[name as keyof GPUSupportedLimits];
    if (RAISED_LIMITS.test(name) && typeof limit === 'number') requiredLimits[name] = limit;
  }
  const wanted = WELCOME_FEATURES.filter((feature) => adapter.features.has(feature));
  const requiredFeatures = [...wanted, ...(options.features ?? [])];
  return await adapter.requestDevice({ label: options.label ?? 'webgpu-mlp', requiredLimits, requiredFeatures });
}

function refused(cause: unknown): WebGpuUnavailableError {
  return new WebGpuUnavailableError('device-refused', `The adapter refused a device: ${String(cause)}`, { cause });
}

function outOfMemory(what: string): MlpError {
  return new MlpError(
    'out-of-memory',
    `The GPU is out of memory. Use a smaller batch, or dispose of something. ${what}`,
  );
}

function asMlpError(error: GPUError): MlpError {
  return typeof GPUOutOfMemoryError !== 'undefined' && error instanceof GPUOutOfMemoryError
    ? outOfMemory(error.message)
    : new MlpError('validation', `WebGPU refused a call of this library, which is a bug in it: ${error.message}`);
}
