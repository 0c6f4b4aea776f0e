/** A piece of a device's memory. On a `Gpu` it is a GPUBuffer, and an app's own GPUBuffer is one, too. */
export interface DeviceBuffer {
  /** Bytes. */
  readonly size: number;
  label: string;
}

/** The purpose of a buffer: operands of kernels, their numbers, or copies on the way to the host. */
export type BufferUse = 'storage' | 'uniform' | 'staging';

/** A copy from one buffer to another, in bytes. */
export interface BufferCopy {
  readonly from: DeviceBuffer;
  readonly fromOffset: number;
  readonly to: DeviceBuffer;
  readonly toOffset: number;
  readonly byteLength: number;
}

/** The memory of a device. Writes, copies and kernels run in the order of their calls; only reads are waited for. */
export interface DeviceMemory {
  /** Bytes and buffers that have been handed out. */
  readonly memory: MemoryReport;
  /** @internal Allocates a buffer; storage is zeroed. @throws {LimitError} if the device allows none as large */
  allocate(byteLength: number, label: string, use?: BufferUse): DeviceBuffer;
  /** @internal Takes a buffer back. Work that is queued on it still runs. */
  free(buffer: DeviceBuffer): void;
  /** @internal */
  write(buffer: DeviceBuffer, byteOffset: number, data: ArrayBufferView): void;
  /** @internal */
  copy(copies: readonly BufferCopy[]): void;
  /** @internal Bytes of a buffer after everything queued so far. @throws {DeviceLostError|DisposedError} */
  read(buffer: DeviceBuffer, byteOffset: number, byteLength: number): Promise<ArrayBuffer>;
  /**
   * @internal
   * The first bytes of a staging buffer after everything queued so far.
   * @param awaited true if a caller waits for these bytes and for nothing else, so that the device makes haste
   * @throws {DeviceLostError|DisposedError}
   */
  readStaging(staging: DeviceBuffer, byteLength: number, awaited?: boolean): Promise<ArrayBuffer>;
}

/** Memory that a device has handed out. All byte counts are those of whole buffers. */
export interface MemoryReport {
  /** Bytes of all live buffers: used and pooled. */
  readonly allocatedBytes: number;
  /** Bytes that tensors and plans hold. */
  readonly usedBytes: number;
  /** Bytes of idle buffers, kept to be used again. */
  readonly pooledBytes: number;
  /** Live buffers. */
  readonly buffers: number;
}
