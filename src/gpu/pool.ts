import type { BufferUse, MemoryReport } from '../plan/memory.js';
import { checkSize } from './limits.js';

/** WebGPU's usage flags for a purpose. */
const usageOf = (use: BufferUse): GPUBufferUsageFlags =>
  ({
    storage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    uniform: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    staging: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  })[use];

/** A build that acquires buffers. */
interface Build {
  /** The public function that it is a part of. */
  readonly what: string;
}

/** State of the pool when a buffer was acquired. */
interface Use {
  readonly generation: number;
  /** The build that acquired it, for `discardAll`. */
  readonly build: Build | undefined;
}

/**
 * A pool of GPUBuffers by size and usage, which counts every allocated byte.
 *
 * A released buffer is kept for the next request of the same size and usage. A reused storage buffer is cleared to zero, like
 * a new one; staging and uniform buffers are not, because their users overwrite them.
 * The pool never keeps more idle bytes than are in use, and destroys the rest.
 */
export class BufferPool {
  readonly #device: GPUDevice;
  readonly #owned: boolean;
  readonly #idle: Map<string, GPUBuffer[]> = new Map<string, GPUBuffer[]>();
  readonly #used: Map<GPUBuffer, Use> = new Map<GPUBuffer, Use>();
  /** Number of times that the device ran out of memory. Buffers of an earlier generation may be invalid. */
  #generation = 0;
  #unused: { readonly read: GPUBuffer; readonly read_write: GPUBuffer } | undefined;
  #usedBytes = 0;
  #pooledBytes = 0;

  /** @param owned true if this library requested the device, with limits as high as the adapter allows */
  constructor(device: GPUDevice, owned: boolean) {
    this.#device = device;
    this.#owned = owned;
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

  /**
   * Takes an idle buffer or creates one, of at least `byteLength` bytes.
   * @param build key by which `discardAll` finds the buffer
   * @throws {LimitError} if the size exceeds the device's limits, before anything is allocated
   */
  acquire(byteLength: number, use: BufferUse | GPUBufferUsageFlags, label: string, build?: Build): GPUBuffer {
    const usage = typeof use === 'number' ? use : usageOf(use);
    const size = Math.ceil(byteLength / 16) * 16;
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    const isBound = (usage & GPUBufferUsage.STORAGE) !== 0;
    const limits = {
      maxStorageBufferBindingSize: isBound ? maxStorageBufferBindingSize : maxBufferSize,
      maxBufferSize,
    };
    checkSize(label, size, limits, this.#owned, build?.what ?? '');
    const generation = this.#generation;
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
    this.#used.set(buffer, { generation, build });
    this.#usedBytes += size;
    return buffer;
  }

  /** Small placeholder buffers for bindings that a program leaves unused. `report` does not count them. */
  get unused(): { readonly read: GPUBuffer; readonly read_write: GPUBuffer } {
    if (this.#unused !== undefined) return this.#unused;
    const generation = this.#generation;
    const usage = GPUBufferUsage.STORAGE;
    const unused = {
      read: this.#device.createBuffer({ label: 'unused (read)', size: 256, usage }),
      read_write: this.#device.createBuffer({ label: 'unused (read_write)', size: 1024, usage }),
    };
    if (generation === this.#generation) this.#unused = unused;
    return unused;
  }

  /** Makes a buffer idle, so that it can be reused. Work that is already queued on it still runs. */
  release(buffer: GPUBuffer): void {
    if (this.#used.get(buffer)?.generation !== this.#generation) this.discard(buffer);
    if (!this.#used.delete(buffer)) return;
    this.#usedBytes -= buffer.size;
    const idle = this.#idle.get(key(buffer.size, buffer.usage)) ?? [];
    idle.push(buffer);
    this.#idle.set(key(buffer.size, buffer.usage), idle);
    this.#pooledBytes += buffer.size;
    this.#trim();
  }

  /** Destroys a buffer in use instead of keeping it for reuse. */
  discard(buffer: GPUBuffer): void {
    if (!this.#used.delete(buffer)) return;
    this.#usedBytes -= buffer.size;
    buffer.destroy();
  }

  /** Destroys every buffer in use that a build acquired. */
  discardAll(build: Build): void {
    for (const [buffer, use] of this.#used) if (use.build === build) this.discard(buffer);
  }

  /**
   * Destroys the idle buffers now, and each buffer in use when it is released. Called after an out-of-memory error, which does
   * not name the buffers that became invalid.
   */
  distrust(): void {
    this.#generation += 1;
    this.#trim(0);
    // Not destroyed: the bind groups of existing plans may refer to them.
    this.#unused = undefined;
  }

  destroy(): void {
    for (const buffer of this.#used.keys()) buffer.destroy();
    this.#used.clear();
    this.#usedBytes = 0;
    this.#trim();
    this.#unused?.read.destroy();
    this.#unused?.read_write.destroy();
  }

  /** Destroys idle buffers until at most `most` idle bytes are left. */
  #trim(most: number = this.#usedBytes): void {
    for (const [name, buffers] of this.#idle) {
      while (this.#pooledBytes > most) {
        const buffer = buffers.shift();
        if (buffer === undefined) break;
        this.#pooledBytes -= buffer.size;
        buffer.destroy();
      }
      if (buffers.length === 0) this.#idle.delete(name);
    }
  }
}

function key(size: number, usage: GPUBufferUsageFlags): string {
  return `${size}/${usage}`;
}
