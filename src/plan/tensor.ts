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

/** One buffer, and who looks after it. Several tensors may be views of one storage. */
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

  /** A buffer that somebody else owns: it is used, and never freed. The same buffer always gives the same storage. */
  static borrowed(buffer: DeviceBuffer, memory?: DeviceMemory): TensorStorage {
    const storage = TensorStorage.#known.get(buffer) ?? new TensorStorage(buffer.label || 'buffer', buffer.size, 1);
    storage.#buffer = buffer;
    storage.#memory ??= memory;
    storage.#borrowed = true;
    TensorStorage.#known.set(buffer, storage);
    return storage;
  }

  /** Takes memory. A storage that a plan recorded has none until the plan is compiled. */
  allocate(memory: DeviceMemory): this {
    this.#memory = memory;
    this.#buffer ??= memory.allocate(this.byteLength, this.label);
    return this;
  }

  /** Lives in the buffer of another storage, from its beginning. */
  place(host: TensorStorage): void {
    this.#host = host;
  }

  get buffer(): DeviceBuffer {
    if (this.#host !== undefined) return this.#host.buffer;
    if (this.#buffer === undefined) {
      throw new DisposedError(`"${this.label}" has no memory: use it after compile() and before dispose().`);
    }
    return this.#buffer;
  }

  get memory(): DeviceMemory {
    if (this.#host !== undefined) return this.#host.memory;
    if (this.#memory === undefined) {
      throw new MlpError('no-gpu', `"${this.label}" has no Gpu to be read with. Pass { gpu } to Tensor.wrap.`);
    }
    return this.#memory;
  }

  /** Gives memory back. A borrowed buffer stays: it is its owner's, and other tensors may be over it. */
  dispose(): void {
    if (this.#borrowed) return;
    if (this.#buffer !== undefined) this.memory.free(this.#buffer);
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

  /** @internal */
  constructor(
    storage: TensorStorage,
    start: number,
    shape: readonly number[],
    dtype: T,
    label: string = storage.label,
  ) {
    this.storage = storage;
    this.start = start;
    this.shape = shape;
    this.dtype = dtype;
    this.label = label;
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
    return this.storage.buffer;
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
   * The caller's own buffer as a float32 tensor; it is never freed here. It needs STORAGE usage, and COPY_SRC to be read.
   * @throws {ShapeError} if the buffer is smaller than the shape
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
    return new Tensor(TensorStorage.borrowed(buffer, options.gpu), 0, shape, 'f32', label);
  }

  /**
   * A part of this tensor, from its element `start` on, as another shape. Nothing is copied.
   * @throws {ShapeError} if it begins before this tensor or ends behind it
   */
  view(start: number, shape: readonly number[], label: string = this.label): Tensor<T> {
    checkShape(shape, label);
    if (!Number.isInteger(start) || start < 0 || start + sizeOf(shape) > this.length) {
      throw new ShapeError(
        `view: shape ${formatShape(shape)} from element ${start} on does not fit in "${this.label}" ${formatShape(this.shape)}.`,
      );
    }
    return new Tensor(this.storage, this.start + start, shape, this.dtype, label);
  }

  /** Overwrites the elements, in queue order. */
  write(values: ArrayOf<T>): void {
    this.storage.memory.write(this.buffer, this.byteOffset, values);
  }

  /** @internal Overwrites the elements with those of a tensor of the same size, in queue order. */
  copyFrom(other: Tensor<T>): void {
    const { byteLength } = this;
    const [from, to] = [other, this] as const;
    this.storage.memory.copy([
      { from: from.buffer, fromOffset: from.byteOffset, to: to.buffer, toOffset: to.byteOffset, byteLength },
    ]);
  }

  /** Copies the elements back, after everything queued so far. @throws {DeviceLostError} */
  async read(): Promise<ArrayOf<T>> {
    const bytes = await this.storage.memory.read(this.buffer, this.byteOffset, this.byteLength);
    return new arrays[this.dtype](bytes, 0, this.length) as ArrayOf<T>;
  }

  /** Gives the memory back. A second call does nothing. */
  dispose(): void {
    this.storage.dispose();
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
