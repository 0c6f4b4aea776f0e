import { formatShape, sizeOf } from '../base/check.js';
import { DisposedError, MlpError, ShapeError } from '../base/errors.js';
import type { DeviceBuffer, DeviceMemory } from './memory.js';

/** The element types that tensors have on the GPU. `u8` is packed four to a word. */
export type DType = 'f32' | 'u32' | 'u8';

/** The typed array that holds a tensor's elements on the host. */
export type ArrayOf<T extends DType> = T extends 'f32'
  ? Float32Array<ArrayBuffer>
  : T extends 'u32'
    ? Uint32Array<ArrayBuffer>
    : Uint8Array<ArrayBuffer>;

const arrays = { f32: Float32Array, u32: Uint32Array, u8: Uint8Array } as const;

/** Where a binding may begin. 256 bytes hold on every WebGPU device. */
export const BINDING_ALIGNMENT = 256;

/** WebGPU's usage of buffers that kernels bind. */
const STORAGE_USAGE = 0x80;

/** One buffer, and its owner's duties. Several tensors may be views of one storage. */
export class TensorStorage {
  readonly label: string;
  readonly byteLength: number;
  #buffer: DeviceBuffer | undefined;
  #memory: DeviceMemory | undefined;
  #borrowed = false;
  #host: TensorStorage | undefined;
  static readonly #known = new WeakMap<DeviceBuffer, TensorStorage>();

  /** Our own buffers are whole vec4s, so that kernels may take four elements at a time. */
  constructor(label: string, byteLength: number, multiple = 16) {
    this.label = label;
    this.byteLength = Math.ceil(byteLength / multiple) * multiple;
  }

  /**
   * The storage of a buffer: one for each, so that tensors over one buffer are known to share it. A buffer that no storage has
   * allocated is somebody else's: it is used, and never freed.
   * @param memory to read and write with from now on
   */
  static of(buffer: DeviceBuffer, memory?: DeviceMemory): TensorStorage {
    let storage = TensorStorage.#known.get(buffer);
    if (storage === undefined) {
      storage = new TensorStorage(buffer.label || 'buffer', buffer.size, 1);
      storage.#buffer = buffer;
      storage.#borrowed = true;
      TensorStorage.#known.set(buffer, storage);
    }
    if (storage.#borrowed) storage.#memory = memory ?? storage.#memory;
    return storage;
  }

  /** Takes memory. A storage that a plan recorded has none until the plan is compiled. */
  allocate(memory: DeviceMemory): this {
    this.#memory = memory;
    if (this.#buffer === undefined) {
      this.#buffer = memory.allocate(this.byteLength, this.label);
      TensorStorage.#known.set(this.#buffer, this);
    }
    return this;
  }

  /** Lives in the buffer of another storage, from its beginning. */
  place(host: TensorStorage): void {
    this.#host = host;
  }

  get buffer(): DeviceBuffer {
    return this.bufferFor(this.label);
  }

  /** The buffer, for a tensor of a label. @throws {DisposedError} that has the label */
  bufferFor(label: string): DeviceBuffer {
    if (this.#host !== undefined) return this.#host.bufferFor(label);
    if (this.#buffer === undefined) {
      throw new DisposedError(`"${label}" has no memory: use it after compile() and before dispose().`);
    }
    return this.#buffer;
  }

  /** The device to read and write with, for a tensor of a label. @throws {MlpError} that has the label */
  memoryFor(label: string): DeviceMemory {
    if (this.#host !== undefined) return this.#host.memoryFor(label);
    if (this.#memory === undefined) {
      throw new MlpError('no-gpu', `"${label}" has no Gpu to be read and written with. Pass { gpu } to Tensor.wrap.`);
    }
    return this.#memory;
  }

  /** Gives back what `allocate` took. */
  dispose(): void {
    if (this.#buffer === undefined) return;
    this.memoryFor(this.label).free(this.#buffer);
    this.#buffer = undefined;
  }
}

/** A row-major array on the GPU: a shape over a part of one buffer. */
export class Tensor<T extends DType = 'f32'> {
  /** @internal */
  readonly storage: TensorStorage;
  /** The first element's place in its buffer, in elements. */
  readonly start: number;
  readonly shape: readonly number[];
  readonly dtype: T;
  readonly label: string;
  /** True if it has no memory of its own, but a part of another tensor's, or an app's buffer. */
  readonly #isView: boolean;

  /** @internal */
  constructor(
    storage: TensorStorage,
    start: number,
    shape: readonly number[],
    dtype: T,
    label: string = storage.label,
    isView = false,
  ) {
    this.storage = storage;
    this.start = start;
    this.shape = shape;
    this.dtype = dtype;
    this.label = label;
    this.#isView = isView;
  }

  /** Elements in all. */
  get length(): number {
    return sizeOf(this.shape);
  }

  /** Bytes in all, without padding. */
  get byteLength(): number {
    return this.length * bytesPerElement(this.dtype);
  }

  /** Its memory: on a Gpu, `gpu.bufferOf(tensor)` gives it as a GPUBuffer. */
  get buffer(): DeviceBuffer {
    return this.storage.bufferFor(this.label);
  }

  /** Where in its buffer it begins, in bytes. */
  get byteOffset(): number {
    return this.start * bytesPerElement(this.dtype);
  }

  /** Uploads float32 values in row-major order. @throws {ShapeError} if their number is not that of the shape. */
  static from(gpu: DeviceMemory, data: ArrayLike<number>, shape: readonly number[], label = 'tensor'): Tensor {
    checkShape(shape, label);
    if (data.length !== sizeOf(shape)) {
      throw new ShapeError(
        `Tensor.from: "${label}" has shape ${formatShape(shape)}, which is ${sizeOf(shape)} elements, but ${data.length} values came.`,
      );
    }
    return upload(gpu, Float32Array.from(data), shape, label);
  }

  /** A tensor of zeros. */
  static empty(gpu: DeviceMemory, shape: readonly number[], label?: string): Tensor;
  /** A tensor of zeros of another element type. */
  static empty<T extends DType>(gpu: DeviceMemory, shape: readonly number[], label: string, dtype: T): Tensor<T>;
  static empty(gpu: DeviceMemory, shape: readonly number[], label = 'tensor', dtype: DType = 'f32'): Tensor<DType> {
    checkShape(shape, label);
    return new Tensor(new TensorStorage(label, sizeOf(shape) * bytesPerElement(dtype)).allocate(gpu), 0, shape, dtype);
  }

  /**
   * The caller's own buffer as a float32 tensor; it is never freed here. It needs STORAGE usage, and COPY_SRC to be read. Tensors
   * over the same buffer are independent, but for the Gpu, which is the one that came last.
   * @throws {ShapeError} if the buffer is smaller than the shape
   * @throws {MlpError} `bad-option` if the buffer says that it has other usages
   */
  static wrap(
    buffer: DeviceBuffer,
    shape: readonly number[],
    options: { gpu?: DeviceMemory; label?: string } = {},
  ): Tensor {
    const label = options.label ?? (buffer.label || 'buffer');
    checkShape(shape, label);
    if (buffer.size < sizeOf(shape) * 4) {
      throw new ShapeError(
        `Tensor.wrap: "${label}" has ${buffer.size} bytes, but shape ${formatShape(shape)} needs ${sizeOf(shape) * 4}.`,
      );
    }
    const { usage = STORAGE_USAGE } = buffer as { readonly usage?: number };
    if ((usage & STORAGE_USAGE) === 0) {
      throw new MlpError('bad-option', `Tensor.wrap: "${label}" lacks STORAGE usage.`);
    }
    return new Tensor(TensorStorage.of(buffer, options.gpu), 0, shape, 'f32', label, true);
  }

  /**
   * A part of this tensor, from its element `start` on, as another shape. Nothing is copied; the memory stays this tensor's, so
   * that to dispose of the view does nothing.
   * @throws {ShapeError} if it begins before this tensor or ends behind it
   */
  view(start: number, shape: readonly number[], label: string = this.label): Tensor<T> {
    checkShape(shape, label);
    if (!Number.isInteger(start) || start < 0 || start + sizeOf(shape) > this.length) {
      throw new ShapeError(
        `view: shape ${formatShape(shape)} from element ${start} on does not fit in "${this.label}" ${formatShape(this.shape)}.`,
      );
    }
    return new Tensor(this.storage, this.start + start, shape, this.dtype, label, true);
  }

  /**
   * Overwrites the first elements, in queue order.
   * @throws {ShapeError} if there are more values than elements, or if words would be written that have bytes of other views
   */
  write(values: ArrayOf<T>): void {
    if (values.length > this.length) {
      throw new ShapeError(
        `write: "${this.label}" ${formatShape(this.shape)} has ${this.length} elements, but ${values.length} values came.`,
      );
    }
    if (this.#isView && (this.byteOffset % 4 !== 0 || values.byteLength % 4 !== 0)) {
      throw new ShapeError(`write: the view "${this.label}" is no whole number of 4-byte words.`);
    }
    this.storage.memoryFor(this.label).write(this.buffer, this.byteOffset, values);
  }

  /** @internal Overwrites the elements with those of a tensor of the same size, in queue order. */
  copyFrom(other: Tensor<T>): void {
    const { byteLength } = this;
    const [from, to] = [other, this] as const;
    this.storage
      .memoryFor(this.label)
      .copy([{ from: from.buffer, fromOffset: from.byteOffset, to: to.buffer, toOffset: to.byteOffset, byteLength }]);
  }

  /** Copies the elements back, after everything queued so far. @throws {DeviceLostError} */
  async read(): Promise<ArrayOf<T>> {
    const { byteOffset, byteLength } = this;
    const bytes = await this.storage.memoryFor(this.label).read(this.buffer, byteOffset, byteLength);
    return new arrays[this.dtype](bytes, 0, this.length) as ArrayOf<T>;
  }

  /** Gives the memory back, with all views of it. A second call does nothing, nor does one of a view or of an app's buffer. */
  dispose(): void {
    if (!this.#isView) this.storage.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * A tensor that begins anywhere, as a kernel with an offset uniform takes it: the same buffer from the last place at
 * which a binding may begin, and the number of elements from there.
 */
export function unaligned<T extends DType>(tensor: Tensor<T>): { base: Tensor<T>; offset: number } {
  const offset = tensor.start % (BINDING_ALIGNMENT / bytesPerElement(tensor.dtype));
  const shape = [tensor.length + offset];
  return { base: new Tensor(tensor.storage, tensor.start - offset, shape, tensor.dtype, tensor.label), offset };
}

/** A tensor with these values, of their type. */
export function upload<T extends DType>(
  gpu: DeviceMemory,
  values: ArrayOf<T>,
  shape: readonly number[],
  label: string,
): Tensor<T> {
  const dtype = values instanceof Float32Array ? 'f32' : values instanceof Uint32Array ? 'u32' : 'u8';
  const tensor = new Tensor(new TensorStorage(label, values.byteLength).allocate(gpu), 0, shape, dtype as T);
  tensor.write(values);
  return tensor;
}

export function bytesPerElement(dtype: DType): number {
  return dtype === 'u8' ? 1 : 4;
}

function checkShape(shape: readonly number[], label: string): void {
  if (shape.some((size) => !Number.isInteger(size) || size < 1)) {
    throw new ShapeError(`"${label}" has shape ${formatShape(shape)}; every size must be a positive integer.`);
  }
}
