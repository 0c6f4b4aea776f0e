import type { BufferCopy, BufferUse, DeviceBuffer, DeviceMemory, MemoryReport } from '../../src/plan/memory.js';

/** A buffer whose bytes are on the host. */
class ArrayBufferOfDevice implements DeviceBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  label: string;
  /** As an app's GPUBuffer has it. */
  readonly usage: number | undefined;

  constructor(size: number, label: string, usage?: number) {
    this.bytes = new Uint8Array(size);
    this.label = label;
    this.usage = usage;
  }

  get size(): number {
    return this.bytes.length;
  }
}

/** Memory of a device that is a computer's own, in arrays; it counts what is allocated. */
export class ArrayMemory implements DeviceMemory {
  readonly used: Set<DeviceBuffer> = new Set<DeviceBuffer>();

  /** A buffer that an app has made itself. */
  static buffer(size: number, label = '', usage?: number): DeviceBuffer {
    return new ArrayBufferOfDevice(size, label, usage);
  }

  get memory(): MemoryReport {
    const bytes = [...this.used].reduce((sum, { size }) => sum + size, 0);
    return { allocatedBytes: bytes, usedBytes: bytes, pooledBytes: 0, buffers: this.used.size };
  }

  allocate(byteLength: number, label: string, _use?: BufferUse): DeviceBuffer {
    const buffer = new ArrayBufferOfDevice(byteLength, label);
    this.used.add(buffer);
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    if (!this.used.delete(buffer)) throw new Error(`"${buffer.label}" is freed twice, or another's.`);
  }

  write(buffer: DeviceBuffer, byteOffset: number, data: ArrayBufferView): void {
    const whole = Math.ceil(data.byteLength / 4) * 4;
    if (byteOffset % 4 !== 0) throw new Error(`A write begins at byte ${byteOffset}, which is no word.`);
    // As WebGPU writes: whole words, the rest of the last one zero.
    bytesOf(buffer).fill(0, byteOffset, byteOffset + whole);
    bytesOf(buffer).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), byteOffset);
  }

  copy(copies: readonly BufferCopy[]): void {
    for (const { from, fromOffset, to, toOffset, byteLength } of copies) {
      bytesOf(to).set(bytesOf(from).subarray(fromOffset, fromOffset + byteLength), toOffset);
    }
  }

  async read(buffer: DeviceBuffer, byteOffset: number, byteLength: number): Promise<ArrayBuffer> {
    return bytesOf(buffer).slice(byteOffset, byteOffset + byteLength).buffer;
  }

  readStaging(staging: DeviceBuffer, byteLength: number): Promise<ArrayBuffer> {
    return this.read(staging, 0, byteLength);
  }
}

function bytesOf(buffer: DeviceBuffer): Uint8Array<ArrayBuffer> {
  if (!(buffer instanceof ArrayBufferOfDevice)) throw new Error(`"${buffer.label}" is of another device.`);
  return buffer.bytes;
}
