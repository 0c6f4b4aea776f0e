import { LimitError } from '../base/errors.js';
import type { BufferUse, MemoryReport } from '../plan/memory.js';

/** The usage of a buffer that an app asks for by its purpose. */
const usageOf = (use: BufferUse): GPUBufferUsageFlags =>
  ({
    storage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    uniform: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    staging: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  })[use];

/**
 * GPUBuffers by size and usage, every byte accounted for.
 *
 * A released buffer waits for the next request of the same size and usage. Storage is handed out zeroed, as a new buffer
 * is; staging and uniform buffers are overwritten anyway.
 * The pool never holds more idle bytes than are in use, so what nothing uses is freed.
 */
export class BufferPool {
  readonly #device: GPUDevice;
  readonly #idle: Map<string, GPUBuffer[]> = new Map<string, GPUBuffer[]>();
  readonly #used: Set<GPUBuffer> = new Set<GPUBuffer>();
  #usedBytes = 0;
  #pooledBytes = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  get report(): MemoryReport {
    let idle = 0;
    for (const buffers of this.#idle.values()) idle += buffers.length;
    return {
      allocatedBytes: this.#usedBytes + this.#pooledBytes,
      usedBytes: this.#usedBytes,
      pooledBytes: this.#pooledBytes,
      buffers: this.#used.size + idle,
    };
  }

  /** A buffer. @throws {LimitError} if the device allows none as large, before anything is allocated */
  acquire(byteLength: number, use: BufferUse | GPUBufferUsageFlags, label: string): GPUBuffer {
    const usage = typeof use === 'number' ? use : usageOf(use);
    const size = Math.ceil(byteLength / 16) * 16;
    this.#checkLimits(size, usage, label);
    let buffer = this.#idle.get(key(size, usage))?.pop();
    if (buffer === undefined) {
      buffer = this.#device.createBuffer({ label, size, usage });
    } else {
      this.#pooledBytes -= size;
      buffer.label = label;
      if ((usage & GPUBufferUsage.STORAGE) !== 0) {
        const encoder = this.#device.createCommandEncoder({ label: `clear ${label}` });
        encoder.clearBuffer(buffer);
        this.#device.queue.submit([encoder.finish()]);
      }
    }
    this.#used.add(buffer);
    this.#usedBytes += size;
    return buffer;
  }

  /** Takes a buffer back. Work that is queued on it still runs. */
  release(buffer: GPUBuffer): void {
    if (!this.#used.delete(buffer)) return;
    this.#usedBytes -= buffer.size;
    const idle = this.#idle.get(key(buffer.size, buffer.usage)) ?? [];
    idle.push(buffer);
    this.#idle.set(key(buffer.size, buffer.usage), idle);
    this.#pooledBytes += buffer.size;
    this.#trim();
  }

  /** Frees a buffer that nobody will ask for again. */
  discard(buffer: GPUBuffer): void {
    if (!this.#used.delete(buffer)) return;
    this.#usedBytes -= buffer.size;
    buffer.destroy();
  }

  destroy(): void {
    for (const buffer of this.#used) buffer.destroy();
    this.#used.clear();
    this.#usedBytes = 0;
    this.#trim();
  }

  #trim(): void {
    for (const [name, buffers] of this.#idle) {
      while (this.#pooledBytes > this.#usedBytes) {
        const buffer = buffers.shift();
        if (buffer === undefined) break;
        this.#pooledBytes -= buffer.size;
        buffer.destroy();
      }
      if (buffers.length === 0) this.#idle.delete(name);
    }
  }

  #checkLimits(size: number, usage: GPUBufferUsageFlags, label: string): void {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    const storage = (usage & GPUBufferUsage.STORAGE) !== 0;
    const [limit, name] =
      storage && maxStorageBufferBindingSize < maxBufferSize
        ? [maxStorageBufferBindingSize, 'maxStorageBufferBindingSize']
        : [maxBufferSize, 'maxBufferSize'];
    if (size > limit) {
      throw new LimitError(
        `"${label}" needs a buffer of ${size} bytes, but this GPU allows ${limit} (${name}). Use a smaller batch, narrower layers, or uint8 inputs.`,
      );
    }
  }
}

function key(size: number, usage: GPUBufferUsageFlags): string {
  return `${size}/${usage}`;
}
