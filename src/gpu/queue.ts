import type { BufferCopy, DeviceBuffer } from '../plan/memory.js';
import { wake } from './browser-workarounds.js';
import type { Faults } from './faults.js';
import type { Profiler } from './profile.js';
import { asGpuBuffer, type Pass } from './replay.js';

/** Most bytes of one `writeBuffer` call: larger uploads are sliced, to bound the browser's staging memory. */
const UPLOAD_SLICE_BYTES = 16 * 2 ** 20;

/** The queue of a device: submits, writes, copies, reads and deferred writes, in the order of their calls. */
export class Queue {
  /** Gives each dispatch its own compute pass while a profile is taken. */
  profiler: Profiler | undefined;
  readonly #device: GPUDevice;
  readonly #faults: Faults;
  readonly #deferred: Set<() => void> = new Set<() => void>();

  constructor(device: GPUDevice, faults: Faults) {
    this.#device = device;
    this.#faults = faults;
  }

  /** Runs `work` at the next `catchUp`; returns a function that cancels it. */
  defer(work: () => void): () => void {
    this.#deferred.add(work);
    return () => this.#deferred.delete(work);
  }

  /** Runs the deferred work. */
  catchUp(): void {
    for (const work of this.#deferred) {
      this.#deferred.delete(work);
      work();
    }
  }

  /** Submits one compute pass, followed by copies. */
  submit(label: string, record: (pass: Pass) => void, copies: readonly BufferCopy[] = []): void {
    this.catchUp();
    const encoder = this.#device.createCommandEncoder({ label });
    const pass = this.profiler?.begin(encoder) ?? encoder.beginComputePass({ label });
    record(pass);
    pass.end();
    encodeCopies(encoder, copies);
    this.#device.queue.submit([encoder.finish()]);
  }

  /** Submits copies. @throws {DisposedError|DeviceLostError} if the device is destroyed or lost */
  copy(copies: readonly BufferCopy[], label = 'copy'): void {
    this.#faults.check();
    this.catchUp();
    const encoder = this.#device.createCommandEncoder({ label });
    encodeCopies(encoder, copies);
    this.#device.queue.submit([encoder.finish()]);
  }

  /** Writes bytes to a buffer. A length that is not a multiple of 4 is padded with zeros, as `writeBuffer` requires. */
  write(buffer: DeviceBuffer, byteOffset: number, data: ArrayBufferView): void {
    const { queue } = this.#device;
    const target = asGpuBuffer(buffer);
    const whole = data.byteLength - (data.byteLength % 4);
    for (let start = 0; start < whole; start += UPLOAD_SLICE_BYTES) {
      const size = Math.min(UPLOAD_SLICE_BYTES, whole - start);
      queue.writeBuffer(target, byteOffset + start, data.buffer as ArrayBuffer, data.byteOffset + start, size);
    }
    if (whole < data.byteLength) {
      const rest = new Uint8Array(4);
      rest.set(new Uint8Array(data.buffer, data.byteOffset + whole, data.byteLength - whole));
      queue.writeBuffer(target, byteOffset + whole, rest);
    }
  }

  /** Maps a staging buffer, copies its first bytes and unmaps it. @param awaited true if a caller waits for nothing else */
  async readStaging(staging: DeviceBuffer, byteLength: number, awaited = false): Promise<ArrayBuffer> {
    const buffer = asGpuBuffer(staging);
    const mapped = buffer.mapAsync(GPUMapMode.READ, 0, byteLength);
    wake(this.#device.queue, mapped, awaited);
    await mapped.catch((cause: unknown) => this.#faults.explain('Reading from the GPU', cause));
    const bytes = buffer.getMappedRange(0, byteLength).slice(0);
    buffer.unmap();
    return bytes;
  }

  /** Resolves when the GPU has run everything queued so far, or when the device is lost. */
  async idle(): Promise<void> {
    const done = this.#device.queue.onSubmittedWorkDone();
    wake(this.#device.queue, done, false);
    // It resolves on a destroyed device, and rejects if the GPU process has died.
    await done.catch(() => this.#faults.lossIsKnown());
  }
}

function encodeCopies(encoder: GPUCommandEncoder, copies: readonly BufferCopy[]): void {
  for (const { from, fromOffset, to, toOffset, byteLength } of copies) {
    encoder.copyBufferToBuffer(asGpuBuffer(from), fromOffset, asGpuBuffer(to), toOffset, byteLength);
  }
}
