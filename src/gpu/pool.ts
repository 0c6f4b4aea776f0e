import { LimitError } from '../base/errors.js';
import type { BufferUse, MemoryReport } from '../plan/memory.js';

/** The usage of a buffer that an app asks for by its purpose. */
const usageOf = (use: BufferUse): GPUBufferUsageFlags =>
  ({
    storage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    uniform: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    staging: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  })[use];

/** The circumstances in which a buffer was acquired. */
interface Use {
  readonly generation: number;
  readonly build: object | undefined;
}

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
  readonly #used: Map<GPUBuffer, Use> = new Map<GPUBuffer, Use>();
  /** Grows whenever the device runs out of memory: buffers from before may be invalid. */
  #generation = 0;
  #unused: { readonly read: GPUBuffer; readonly read_write: GPUBuffer } | undefined;
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

  /**
   * A buffer.
   * @param build by which `discardAll` finds it
   * @throws {LimitError} if the device allows none as large, before anything is allocated
   */
  acquire(byteLength: number, use: BufferUse | GPUBufferUsageFlags, label: string, build?: object): GPUBuffer {
    const usage = typeof use === 'number' ? use : usageOf(use);
    const size = Math.ceil(byteLength / 16) * 16;
    this.#checkLimits(size, usage, label);
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

  /** Small buffers for bindings that a program leaves unused; they are in no account. */
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

  /** Takes a buffer back. Work that is queued on it still runs. */
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

  /** Frees a buffer that nobody will ask for again. */
  discard(buffer: GPUBuffer): void {
    if (!this.#used.delete(buffer)) return;
    this.#usedBytes -= buffer.size;
    buffer.destroy();
  }

  /** Frees every buffer that a build still uses. */
  discardAll(build: object): void {
    for (const [buffer, use] of this.#used) if (use.build === build) this.discard(buffer);
  }

  /** Lets go of every buffer, those in use when they are released: the device ran out of memory, and nothing says for which. */
  distrust(): void {
    this.#generation += 1;
    this.#trim(0);
    // Plans that are bound to the old ones keep them.
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
