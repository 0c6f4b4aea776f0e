import { elements, text } from '../base/check.js';
import { DisposedError, MlpError, ShapeError } from '../base/errors.js';

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

/** What a tensor needs of the GPU: memory to live in, and a way in and out. `Gpu` is the implementation. */
export interface Memory {
  allocate(byteLength: number, label: string): GPUBuffer;
  free(buffer: GPUBuffer): void;
  write(buffer: GPUBuffer, byteOffset: number, data: ArrayBufferView): void;
  read(buffer: GPUBuffer, byteOffset: number, byteLength: number): Promise<ArrayBuffer>;
}

/** One GPUBuffer and who looks after it. Several tensors may be views of one storage. */
export class Storage {
  readonly label: string;
  readonly byteLength: number;
  #buffer: GPUBuffer | undefined;
  #memory: Memory | undefined;
  #borrowed = false;
  #host: Storage | undefined;
  static readonly #known = new WeakMap<GPUBuffer, Storage>();

  /** Our own buffers are whole vec4s, so that kernels may take four elements at a time. */
  constructor(label: string, byteLength: number, multiple = 16) {
    this.label = label;
    this.byteLength = Math.ceil(byteLength / multiple) * multiple;
  }

  /** A buffer that somebody else owns: it is used, and never freed. The same buffer always gives the same storage. */
  static borrowed(label: string, buffer: GPUBuffer, memory?: Memory): Storage {
    const storage = Storage.#known.get(buffer) ?? new Storage(label, buffer.size, 1);
    storage.#buffer = buffer;
    storage.#memory ??= memory;
    storage.#borrowed = true;
    Storage.#known.set(buffer, storage);
    return storage;
  }

  /** Takes memory. A storage that a plan recorded has none until the plan is compiled. */
  allocate(memory: Memory): this {
    this.#memory = memory;
    this.#buffer ??= memory.allocate(this.byteLength, this.label);
    return this;
  }

  /** Lives in the buffer of another storage, from its beginning. */
  place(host: Storage): void {
    this.#host = host;
  }

  get buffer(): GPUBuffer {
    if (this.#host !== undefined) return this.#host.buffer;
    if (this.#buffer === undefined) {
      throw new DisposedError(`"${this.label}" has no memory: use it after compile() and before dispose().`);
    }
    return this.#buffer;
  }

  get memory(): Memory {
    if (this.#host !== undefined) return this.#host.memory;
    if (this.#memory === undefined) {
      throw new MlpError('no-gpu', `"${this.label}" has no Gpu to be read with. Pass { gpu } to Tensor.wrap.`);
    }
    return this.#memory;
  }

  dispose(): void {
    if (this.#buffer !== undefined && !this.#borrowed) this.memory.free(this.#buffer);
    this.#buffer = undefined;
  }
}

/** A row-major array on the GPU: a shape over a part of one GPUBuffer. */
export class Tensor<T extends DType = 'f32'> {
  /** @internal */
  readonly storage: Storage;
  /** The first element's place in its buffer, in elements. */
  readonly start: number;
  readonly shape: readonly number[];
  readonly dtype: T;
  readonly label: string;

  /** @internal */
  constructor(storage: Storage, start: number, shape: readonly number[], dtype: T, label: string = storage.label) {
    this.storage = storage;
    this.start = start;
    this.shape = shape;
    this.dtype = dtype;
    this.label = label;
  }

  /** Elements in all. */
  get length(): number {
    return elements(this.shape);
  }

  /** Bytes in all, without padding. */
  get byteLength(): number {
    return this.length * bytesPerElement(this.dtype);
  }

  get buffer(): GPUBuffer {
    return this.storage.buffer;
  }

  /** Where in its buffer it begins, in bytes. */
  get byteOffset(): number {
    return this.start * bytesPerElement(this.dtype);
  }

  /** Uploads float32 values in row-major order. @throws {ShapeError} if their number is not that of the shape. */
  static from(gpu: Memory, data: ArrayLike<number>, shape: readonly number[], label = 'tensor'): Tensor {
    checkShape(shape, label);
    if (data.length !== elements(shape)) {
      throw new ShapeError(
        `Tensor.from: "${label}" has shape ${text(shape)}, which is ${elements(shape)} elements, but ${data.length} values came.`,
      );
    }
    return upload(gpu, Float32Array.from(data), shape, label);
  }

  /** A tensor of zeros. */
  static empty(gpu: Memory, shape: readonly number[], label?: string): Tensor;
  /** A tensor of zeros of another element type. */
  static empty<T extends DType>(gpu: Memory, shape: readonly number[], label: string, dtype: T): Tensor<T>;
  static empty(gpu: Memory, shape: readonly number[], label = 'tensor', dtype: DType = 'f32'): Tensor<DType> {
    checkShape(shape, label);
    return new Tensor(new Storage(label, elements(shape) * bytesPerElement(dtype)).allocate(gpu), 0, shape, dtype);
  }

  /**
   * The caller's own buffer as a float32 tensor; it is never freed here. It needs STORAGE usage, and COPY_SRC to be read.
   * @throws {ShapeError} if the buffer is smaller than the shape
   */
  static wrap(buffer: GPUBuffer, shape: readonly number[], options: { gpu?: Memory; label?: string } = {}): Tensor {
    const label = options.label ?? (buffer.label || 'buffer');
    checkShape(shape, label);
    if (buffer.size < elements(shape) * 4) {
      throw new ShapeError(
        `Tensor.wrap: "${label}" has ${buffer.size} bytes, but shape ${text(shape)} needs ${elements(shape) * 4}.`,
      );
    }
    return new Tensor(Storage.borrowed(label, buffer, options.gpu), 0, shape, 'f32');
  }

  /** A part of the same buffer, from element `start` of this tensor on, as another shape. Nothing is copied. */
  view(start: number, shape: readonly number[], label: string = this.label): Tensor<T> {
    const first = this.start + start;
    if ((first + elements(shape)) * bytesPerElement(this.dtype) > this.storage.byteLength) {
      throw new ShapeError(
        `view: shape ${text(shape)} from element ${start} on does not fit in "${this.label}" ${text(this.shape)}.`,
      );
    }
    return new Tensor(this.storage, first, shape, this.dtype, label);
  }

  /** Overwrites the elements, in queue order. */
  write(values: ArrayOf<T>): void {
    this.storage.memory.write(this.buffer, this.byteOffset, values);
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
  gpu: Memory,
  values: ArrayOf<T>,
  shape: readonly number[],
  label: string,
): Tensor<T> {
  const dtype = values instanceof Float32Array ? 'f32' : values instanceof Uint32Array ? 'u32' : 'u8';
  const tensor = new Tensor(new Storage(label, values.byteLength).allocate(gpu), 0, shape, dtype as T);
  tensor.write(values);
  return tensor;
}

export function bytesPerElement(dtype: DType): number {
  return dtype === 'u8' ? 1 : 4;
}

function checkShape(shape: readonly number[], label: string): void {
  if (shape.some((size) => !Number.isInteger(size) || size < 1)) {
    throw new ShapeError(`"${label}" has shape ${text(shape)}; every size must be a positive integer.`);
  }
}
