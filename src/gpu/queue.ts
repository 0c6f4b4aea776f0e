import type { BufferCopy, DeviceBuffer } from '../plan/memory.js';
import { wake } from './browser-workarounds.js';
import type { Faults } from './faults.js';
import type { Profiler } from './profile.js';
import { asGpuBuffer, type Pass } from './replay.js';

/** Bytes of a slice of a large upload, so that the browser's staging memory stays bounded. */
const UPLOAD_SLICE_BYTES = 16 * 2 ** 20;

/** The order of things on a device: submits, writes, copies, reads, and writes that were put off. */
export class Queue {
  /** Takes compute passes apart while a profile is taken. */
  profiler: Profiler | undefined;
  readonly #device: GPUDevice;
  readonly #faults: Faults;
  readonly #deferred: Set<() => void> = new Set<() => void>();

  constructor(device: GPUDevice, faults: Faults) {
    this.#device = device;
    this.#faults = faults;
  }

  /** Puts off work until `catchUp`; returns a function that cancels it. */
  defer(work: () => void): () => void {
    this.#deferred.add(work);
    return () => this.#deferred.delete(work);
  }

  /** Does what was put off. */
  catchUp(): void {
    for (const work of this.#deferred) {
      this.#deferred.delete(work);
      work();
    }
  }

  /** One compute pass in one submit, and copies behind it. */
  submit(label: string, record: (pass: Pass) => void, copies: readonly BufferCopy[] = []): void {
    this.catchUp();
    const encoder = this.#device.createCommandEncoder({ label });
    const pass = this.profiler?.begin(encoder) ?? encoder.beginComputePass({ label });
    record(pass);
    pass.end();
    encodeCopies(encoder, copies);
    this.#device.queue.submit([encoder.finish()]);
  }

  copy(copies: readonly BufferCopy[], label = 'copy'): void {
    this.#faults.check();
    this.catchUp();
    const encoder = this.#device.createCommandEncoder({ label });
    encodeCopies(encoder, copies);
    this.#device.queue.submit([encoder.finish()]);
  }

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

  /** Maps a staging buffer, copies it and unmaps it. */
  async readStaging(staging: DeviceBuffer, byteLength: number, awaited = false): Promise<ArrayBuffer> {
    const buffer = asGpuBuffer(staging);
    const mapped = buffer.mapAsync(GPUMapMode.READ, 0, byteLength);
    wake(this.#device.queue, mapped, awaited);
    await mapped.catch((cause: unknown) => this.#faults.explain('Reading from the GPU', cause));
    const bytes = buffer.getMappedRange(0, byteLength).slice(0);
    buffer.unmap();
    return bytes;
  }

  /** Resolves when everything queued so far has run, or never will. */
  async idle(): Promise<void> {
    const done = this.#device.queue.onSubmittedWorkDone();
    wake(this.#device.queue, done, false);
    // On a device that is destroyed this resolves; when the GPU process has died it rejects.
    await done.catch(() => this.#faults.lossIsKnown());
  }
}

function encodeCopies(encoder: GPUCommandEncoder, copies: readonly BufferCopy[]): void {
  for (const { from, fromOffset, to, toOffset, byteLength } of copies) {
    encoder.copyBufferToBuffer(asGpuBuffer(from), fromOffset, asGpuBuffer(to), toOffset, byteLength);
  }
}
