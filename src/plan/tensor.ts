import { assertMade, assertMethod, assertWord, describe, formatShape, sizeOf } from '../base/check.js';
import { DisposedError, MlpError, ShapeError } from '../base/errors.js';
import { checkOptions, type OptionNames } from '../base/options.js';
import { type Numbers, toFloats } from '../base/values.js';
import type { DeviceBuffer, DeviceMemory } from './memory.js';

/** Element type of a tensor: float32, or unsigned integers of 32 or 8 bits. Four `u8` are packed in a 32-bit word. */
export type DType = 'f32' | 'u32' | 'u8';

/** Typed array for the elements of a tensor on the host. */
export type ArrayOf<T extends DType> = T extends 'f32'
  ? Float32Array<ArrayBuffer>
  : T extends 'u32'
    ? Uint32Array<ArrayBuffer>
    : Uint8Array<ArrayBuffer>;

/** Typed array of each element type. */
const arrays = { f32: Float32Array, u32: Uint32Array, u8: Uint8Array } as const;

/** Alignment of bindings in bytes; 256 is valid on every WebGPU device. */
export const BINDING_ALIGNMENT = 256;

/** Usage flag of buffers that shaders can bind: `GPUBufferUsage.STORAGE`. */
const STORAGE_USAGE = 0x80;
/** Usage flag of buffers that can be copied: `GPUBufferUsage.COPY_SRC`. */
const COPY_SOURCE_USAGE = 0x4;

/** @throws {MlpError} `bad-option` if the buffer of an app lacks a usage */
function assertUsage(name: string, buffer: DeviceBuffer, flag: number, flagName: string): void {
  const { usage = flag } = buffer as { readonly usage?: number };
  if ((usage & flag) === 0) throw new MlpError('bad-option', `${name} lacks ${flagName} usage.`);
}

/** Names of the options of `Tensor.wrap`. */
const WRAP_NAMES: OptionNames<NonNullable<Parameters<typeof Tensor.wrap>[2]>> = { gpu: 1, label: 1 };

/** Memory of tensors: one buffer, which it allocates and frees. Several tensors can be views of one storage. */
export class TensorStorage {
  /** Name, for messages. */
  readonly label: string;
  /** Size in bytes, with padding. */
  readonly byteLength: number;
  #buffer: DeviceBuffer | undefined;
  #memory: DeviceMemory | undefined;
  /** True if the buffer belongs to the app. */
  #borrowed = false;
  /** Storage whose buffer this one uses, if it has none of its own. */
  #host: TensorStorage | undefined;
  /** Storage of each buffer. */
  static readonly #known = new WeakMap<DeviceBuffer, TensorStorage>();

  /** The size is rounded up to whole vec4s of 32-bit words, so that kernels can process four elements at a time. */
  constructor(label: string, byteLength: number, multiple = 16) {
    this.label = label;
    this.byteLength = Math.ceil(byteLength / multiple) * multiple;
  }

  /**
   * Returns the storage of a buffer. Each buffer has one storage, so that tensors over the same buffer are known to
   * share it. A buffer that no storage has allocated belongs to the app: it is never freed.
   * @param memory device to read and write an app's buffer with; it replaces an earlier one
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

  /**
   * Allocates the buffer, unless it is allocated. The storage of a tensor in a plan has none until the plan is
   * compiled.
   */
  allocate(memory: DeviceMemory): this {
    assertMethod(`"${this.label}": gpu`, memory, 'allocate', 'await Gpu.request()');
    this.#memory = memory;
    if (this.#buffer === undefined) {
      this.#buffer = memory.allocate(this.byteLength, this.label);
      TensorStorage.#known.set(this.#buffer, this);
    }
    return this;
  }

  /** Uses the buffer of another storage, from its beginning. */
  place(host: TensorStorage): void {
    this.#host = host;
  }

  /** Buffer. @throws {DisposedError} if it is not allocated */
  get buffer(): DeviceBuffer {
    return this.bufferFor(this.label);
  }

  /** Returns the buffer. @throws {DisposedError} with the tensor's label if it is not allocated */
  bufferFor(label: string): DeviceBuffer {
    if (this.#host !== undefined) return this.#host.bufferFor(label);
    if (this.#buffer === undefined) {
      throw new DisposedError(`"${label}" has no memory: use it after compile() and before dispose().`);
    }
    return this.#buffer;
  }

  /** Returns the device to read and write with. @throws {MlpError} `no-gpu` with the tensor's label if there is none */
  memoryFor(label: string): DeviceMemory {
    if (this.#host !== undefined) return this.#host.memoryFor(label);
    if (this.#memory === undefined) {
      throw new MlpError('no-gpu', `"${label}" has no device to read and write it with. Pass { gpu } to Tensor.wrap.`);
    }
    return this.#memory;
  }

  /** False if the memory is known to be that of another device. */
  isOn(memory: DeviceMemory): boolean {
    return this.#host?.isOn(memory) ?? (this.#memory === undefined || this.#memory === memory);
  }

  /** Frees the buffer that `allocate` allocated. */
  dispose(): void {
    if (this.#buffer === undefined) return;
    this.memoryFor(this.label).free(this.#buffer);
    this.#buffer = undefined;
  }
}

/**
 * Row-major array in the memory of a device: a shape over a part of a buffer. Call `dispose()`, or declare it with
 * `using`, to free its memory.
 * @example
 * const A = Tensor.from(gpu, [1, 2, 3, 4, 5, 6], [2, 3]);
 * const values = await A.read(); // Float32Array [1, 2, 3, 4, 5, 6]
 */
export class Tensor<T extends DType = 'f32'> {
  /** @internal */
  readonly storage: TensorStorage;
  /** Index of the first element in the buffer, counted in elements. */
  readonly start: number;
  /** Size of each dimension; all are positive integers. */
  readonly shape: readonly number[];
  /** Element type. */
  readonly dtype: T;
  /** Name, for messages. */
  readonly label: string;
  /** True if the memory belongs to another tensor or to the app. */
  readonly #isView: boolean;

  /** @internal */
  constructor(
    storage: TensorStorage,
    start: number,
    shape: readonly number[],
    dtype: T,
    label?: string,
    isView = false,
  ) {
    assertMade('Tensor', storage, 'place', 'Tensor.from(gpu, values, shape)');
    this.storage = storage;
    this.start = start;
    this.shape = shape;
    this.dtype = dtype;
    this.label = label ?? storage.label;
    this.#isView = isView;
  }

  /** Number of elements. */
  get length(): number {
    return sizeOf(this.shape);
  }

  /** Size in bytes, without padding. */
  get byteLength(): number {
    return this.length * bytesPerElement(this.dtype);
  }

  /**
   * Buffer with the elements, from `byteOffset` on. On a `Gpu`, `gpu.bufferOf(tensor)` returns it as a GPUBuffer.
   * @throws {DisposedError} after `dispose`
   */
  get buffer(): DeviceBuffer {
    return this.storage.bufferFor(this.label);
  }

  /** Position of the first element in the buffer, in bytes. */
  get byteOffset(): number {
    return this.start * bytesPerElement(this.dtype);
  }

  /**
   * Creates a float32 tensor and uploads values in row-major order.
   * @param gpu a `Gpu`
   * @param label name, for messages
   * @throws {ShapeError} if the number of values is not that of the shape, or a size is not a positive integer
   * @throws {DataError} if a value is not a number
   * @throws {LimitError} if the device does not allow a buffer of this size
   * @throws {DisposedError|DeviceLostError} if the device is destroyed or lost
   * @example
   * const A = Tensor.from(gpu, [1, 2, 3, 4, 5, 6], [2, 3]);
   */
  static from(gpu: DeviceMemory, data: Numbers, shape: readonly number[], label = 'tensor'): Tensor {
    checkShape(shape, label);
    const floats = toFloats(`Tensor.from: "${label}"`, data, shape.at(-1), false);
    if (floats.length !== sizeOf(shape)) {
      throw new ShapeError(
        `Tensor.from: "${label}" has shape ${formatShape(shape)}, which is ${sizeOf(shape)} elements, but got ${floats.length} values.`,
      );
    }
    return upload(gpu, floats, shape, label);
  }

  /**
   * Creates a float32 tensor of zeros.
   * @param gpu a `Gpu`
   * @param label name, for messages
   * @throws {ShapeError} if a size is not a positive integer
   * @throws {LimitError} if the device does not allow a buffer of this size
   * @throws {DisposedError|DeviceLostError} if the device is destroyed or lost
   * @example
   * const C = Tensor.empty(gpu, [128, 10]);
   */
  static empty(gpu: DeviceMemory, shape: readonly number[], label?: string): Tensor;
  /**
   * Creates a tensor of zeros of the element type `dtype`. Errors are the same.
   * @example
   * const labels = Tensor.empty(gpu, [128], 'labels', 'u32');
   */
  static empty<T extends DType>(gpu: DeviceMemory, shape: readonly number[], label: string, dtype: T): Tensor<T>;
  static empty(gpu: DeviceMemory, shape: readonly number[], label = 'tensor', dtype: DType = 'f32'): Tensor<DType> {
    checkShape(shape, label);
    assertWord('Tensor.empty:', { dtype }, Object.keys(arrays));
    return new Tensor(new TensorStorage(label, sizeOf(shape) * bytesPerElement(dtype)).allocate(gpu), 0, shape, dtype);
  }

  /**
   * Creates a float32 tensor over the beginning of an app's own buffer. The library never frees the buffer. Its usage
   * must include STORAGE, for `read` COPY_SRC, and for `write` COPY_DST. Several tensors can wrap the same buffer; the
   * last `gpu` that is passed is used for all of them.
   * @param buffer on a `Gpu`, a GPUBuffer
   * @throws {ShapeError} if the buffer is smaller than the shape, or a size is not a positive integer
   * @throws {MlpError} `bad-option` if the buffer lacks STORAGE usage
   * @example
   * const X = Tensor.wrap(gpuBuffer, [128, 784], { gpu });
   */
  static wrap(
    buffer: DeviceBuffer,
    shape: readonly number[],
    options: {
      /**
       * Device for `read` and `write`; kernels do not need it. Default: the `gpu` of an earlier `wrap` of this buffer,
       * if any.
       */
      gpu?: DeviceMemory | undefined;
      /** Name, for messages. Default: the label of the buffer. */
      label?: string | undefined;
    } = {},
  ): Tensor {
    const { gpu, label: given } = checkOptions('Tensor.wrap', options, WRAP_NAMES);
    if (typeof Object(buffer).size !== 'number') {
      throw new MlpError('bad-option', `Tensor.wrap: buffer is ${describe(buffer)}; it must be a buffer of a device.`);
    }
    const label = given ?? (buffer.label || 'buffer');
    checkShape(shape, label);
    if (buffer.size < sizeOf(shape) * 4) {
      throw new ShapeError(
        `Tensor.wrap: "${label}" has ${buffer.size} bytes, but shape ${formatShape(shape)} needs ${sizeOf(shape) * 4}.`,
      );
    }
    assertUsage(`Tensor.wrap: "${label}"`, buffer, STORAGE_USAGE, 'STORAGE');
    return new Tensor(TensorStorage.of(buffer, gpu), 0, shape, 'f32', label, true);
  }

  /** @internal Creates a tensor over an app's own buffer, of 32-bit elements. Its usage is not checked. */
  static over<T extends DType>(buffer: DeviceBuffer, shape: readonly number[], dtype: T): Tensor<T> {
    return new Tensor(TensorStorage.of(buffer), 0, shape, dtype, buffer.label || 'buffer', true);
  }

  /**
   * Returns a tensor over a part of this one, from element `start` on, with its own shape. Nothing is copied. The
   * memory belongs to this tensor, and `dispose` of the view does nothing.
   * @throws {ShapeError} if the view does not fit in this tensor, or a size is not a positive integer
   * @example
   * const secondRow = A.view(3, [1, 3]);
   */
  view(start: number, shape: readonly number[], label: string = this.label): Tensor<T> {
    checkShape(shape, label);
    if (!Number.isInteger(start) || start < 0 || start + sizeOf(shape) > this.length) {
      throw new ShapeError(
        `view: shape ${formatShape(shape)} from element ${describe(start)} on does not fit in "${this.label}" ${formatShape(this.shape)}.`,
      );
    }
    return new Tensor(this.storage, this.start + start, shape, this.dtype, label, true);
  }

  /**
   * Overwrites the first elements, after all work that is queued so far.
   * @throws {ShapeError} if there are more values than elements, or if a view of `u8` does not begin and end at whole
   * 4-byte words, because the write would change bytes of its neighbours
   * @throws {DisposedError} after `dispose`
   * @throws {MlpError} `no-gpu` if the tensor wraps a buffer and has no device
   * @example
   * A.write(Float32Array.of(1, 2, 3));
   */
  write(values: ArrayOf<T>): void {
    if (!(values instanceof arrays[this.dtype])) {
      throw new ShapeError(`write: values is ${describe(values)}; "${this.label}" takes a ${arrays[this.dtype].name}.`);
    }
    if (values.length > this.length) {
      throw new ShapeError(
        `write: "${this.label}" ${formatShape(this.shape)} has ${this.length} elements, but got ${values.length} values.`,
      );
    }
    if (this.#isView && (this.byteOffset % 4 !== 0 || values.byteLength % 4 !== 0)) {
      throw new ShapeError(`write: view "${this.label}" must be written in whole 4-byte words.`);
    }
    this.storage.memoryFor(this.label).write(this.buffer, this.byteOffset, values);
  }

  /**
   * @internal Checks that the elements can be copied on the device.
   * @throws {MlpError} `bad-option` if its buffer lacks COPY_SRC usage
   * @throws {ShapeError} if it begins within a 4-byte word
   * @throws {DisposedError} after `dispose`
   */
  assertCopyable(name: string): this {
    assertUsage(name, this.buffer, COPY_SOURCE_USAGE, 'COPY_SRC');
    if (this.byteOffset % 4 !== 0) throw new ShapeError(`${name} begins within a 4-byte word.`);
    return this;
  }

  /** @internal Queues a copy of the elements of a tensor of the same size to this one. */
  copyFrom(other: Tensor<T>): void {
    // Bytes are copied as whole words: a buffer has room behind its last element.
    const byteLength = Math.ceil(this.byteLength / 4) * 4;
    const [from, to] = [other, this] as const;
    this.storage
      .memoryFor(this.label)
      .copy([{ from: from.buffer, fromOffset: from.byteOffset, to: to.buffer, toOffset: to.byteOffset, byteLength }]);
  }

  /**
   * Reads the elements, after all work that is queued so far.
   * @returns a typed array of the element type, in row-major order
   * @throws {DisposedError} after `dispose`, or if the device is destroyed
   * @throws {DeviceLostError} if the device is lost
   * @throws {MlpError} `no-gpu` if the tensor wraps a buffer and has no device
   * @example
   * const values = await A.read();
   */
  async read(): Promise<ArrayOf<T>> {
    const { byteOffset, byteLength } = this;
    const bytes = await this.storage.memoryFor(this.label).read(this.buffer, byteOffset, byteLength);
    return new arrays[this.dtype](bytes, 0, this.length) as ArrayOf<T>;
  }

  /**
   * Frees the memory; views of the tensor can then no longer be used. On a view or an app's buffer, and twice, it does
   * nothing.
   */
  dispose(): void {
    if (!this.#isView) this.storage.dispose();
  }

  /** Calls `dispose()` at the end of the block of a `using` declaration. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal Vue reads it: `ref()` and `reactive()` then make no proxy, which could not reach the private members. */
  get __v_skip(): true {
    return true;
  }
}

/**
 * Prepares a tensor for a kernel that takes an offset as a uniform. A binding must begin at a multiple of 256 bytes,
 * but a view can begin anywhere.
 * @example
 * const { base, offset } = unaligned(bias); // bind base, and pass the uniform offset
 */
export function unaligned<T extends DType>(
  tensor: Tensor<T>,
): {
  /** Tensor over the same buffer, from the last multiple of 256 bytes that is not after the first element. */
  base: Tensor<T>;
  /** Index of the first element in `base`. */
  offset: number;
} {
  const offset = tensor.start % (BINDING_ALIGNMENT / bytesPerElement(tensor.dtype));
  const shape = [tensor.length + offset];
  return { base: new Tensor(tensor.storage, tensor.start - offset, shape, tensor.dtype, tensor.label), offset };
}

/** Creates a tensor with the given values, of their element type. */
export function upload<T extends DType>(
  gpu: DeviceMemory,
  values: ArrayOf<T>,
  shape: readonly number[],
  label: string,
): Tensor<T> {
  const storage = new TensorStorage(label, values.byteLength).allocate(gpu);
  const tensor = new Tensor(storage, 0, shape, dtypeOf(values) as T);
  tensor.write(values);
  return tensor;
}

/** Element type of a tensor, or of an array for one. */
export function dtypeOf(values: ArrayBufferView | Tensor<DType>): DType {
  if (values instanceof Tensor) return values.dtype;
  return values instanceof Float32Array ? 'f32' : values instanceof Uint32Array ? 'u32' : 'u8';
}

/** Bytes of an element. */
export function bytesPerElement(dtype: DType): number {
  return dtype === 'u8' ? 1 : 4;
}

/** @throws {ShapeError} if a size is not a positive integer */
function checkShape(shape: readonly number[], label: string): void {
  if (!Array.isArray(shape) || shape.some((size) => !Number.isInteger(size) || size < 1)) {
    const given = Array.isArray(shape) ? formatShape(shape) : describe(shape);
    throw new ShapeError(`"${String(label)}" has shape ${given}; every size must be a positive integer.`);
  }
}
