/** Buffer in the memory of a device. On a `Gpu` it is a GPUBuffer, of the library or of the app. */
export interface DeviceBuffer {
  /** Size in bytes. */
  readonly size: number;
  /** Name of the buffer, for messages. */
  label: string;
}

/**
 * Purpose of a buffer: `storage` for tensors, `uniform` for numbers of kernels, `staging` for copies that the host
 * reads.
 */
export type BufferUse = 'storage' | 'uniform' | 'staging';

/** Maximum number of bytes that large reads copy to one staging buffer: they use several. */
export const STAGING_BYTES: number = 16 * 2 ** 20;

/** Copy from one buffer to another; offsets and length are in bytes. */
export interface BufferCopy {
  readonly from: DeviceBuffer;
  readonly fromOffset: number;
  readonly to: DeviceBuffer;
  readonly toOffset: number;
  readonly byteLength: number;
}

/**
 * Memory of a device. Writes, copies and kernels are queued, and run in the order of their calls; only reads return
 * promises.
 */
export interface DeviceMemory {
  /** Memory in use on the device. */
  readonly memory: MemoryReport;
  /**
   * @internal Allocates a buffer.
   * @param byteLength size in bytes
   * @param label name of the buffer, for messages
   * @param use purpose; a buffer for `storage` is filled with zeros. Default: `storage`.
   * @throws {LimitError} if the device does not allow a buffer of this size
   */
  allocate(byteLength: number, label: string, use?: BufferUse): DeviceBuffer;
  /** @internal Frees a buffer. Work that is queued and uses it still runs. */
  free(buffer: DeviceBuffer): void;
  /** @internal Queues a write of bytes, from `byteOffset` on. The data are copied before it returns. */
  write(buffer: DeviceBuffer, byteOffset: number, data: ArrayBufferView): void;
  /** @internal Queues copies between buffers. */
  copy(copies: readonly BufferCopy[]): void;
  /**
   * @internal Reads bytes of a buffer, after all work that is queued so far.
   * @throws {DeviceLostError|DisposedError} if the device is lost or destroyed
   */
  read(buffer: DeviceBuffer, byteOffset: number, byteLength: number): Promise<ArrayBuffer>;
  /**
   * @internal Reads the first bytes of a staging buffer, after all work that is queued so far.
   * @param awaited true if the caller waits for these bytes alone, and the device should return them without delay
   * @throws {DeviceLostError|DisposedError} if the device is lost or destroyed
   */
  readStaging(staging: DeviceBuffer, byteLength: number, awaited?: boolean): Promise<ArrayBuffer>;
}

/** Memory that is allocated on a device. All byte counts are those of whole buffers. */
export interface MemoryReport {
  /** Bytes of all buffers, in use and idle. */
  readonly allocatedBytes: number;
  /** Bytes of the buffers that tensors and plans use. */
  readonly usedBytes: number;
  /** Bytes of idle buffers, which are kept to be reused. */
  readonly pooledBytes: number;
  /** Number of all buffers, in use and idle. */
  readonly buffers: number;
}
