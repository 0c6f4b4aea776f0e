import { DataError, ShapeError } from './errors.js';
import type { Gpu } from './gpu/gpu.js';
import { type DType, Storage, Tensor } from './gpu/tensor.js';
import { readIdx } from './idx.js';

export interface DatasetOptions {
  /** Samples one after the other; bytes stay bytes on the GPU, all else becomes float32. */
  readonly inputs: Uint8Array | Uint8ClampedArray | Float32Array | ArrayLike<number>;
  /** Numbers in a sample. */
  readonly features: number;
  /** For each sample, its class: 0, 1, 2 … */
  readonly classes?: ArrayLike<number>;
  /** For each sample, a row of numbers, such as the probability of each class. */
  readonly targets?: ArrayLike<number>;
}

/** Samples with their labels, resident on the GPU in the type they came in. */
export class Dataset {
  readonly gpu: Gpu;
  /** Samples. */
  readonly length: number;
  /** Numbers in a sample. */
  readonly features: number;
  /** One more than the largest class, or the numbers in a row of targets. */
  readonly classCount: number;
  /** @internal (length, features) */
  readonly inputs: Tensor<'u8'> | Tensor;
  /** @internal (length, 1) class indices, or (length, classCount) float32 bits */
  readonly labels: Tensor<'u32'>;
  /** @internal Why the targets are no probabilities, if they are not. */
  readonly notProbabilities: string | undefined;
  #disposed = false;

  private constructor(gpu: Gpu, samples: Samples) {
    const { inputs, features, labels, words } = samples;
    this.gpu = gpu;
    this.length = inputs.length / features;
    this.features = features;
    this.classCount = samples.classCount;
    this.notProbabilities = samples.notProbabilities;
    this.inputs = upload(gpu, 'dataset inputs', inputs, [this.length, features]);
    this.labels = uploadWords(gpu, labels, [this.length, words]);
  }

  /**
   * Uploads samples and their labels.
   * @throws {ShapeError} if lengths do not fit together
   * @throws {DataError} for a class that is not an index, or a number that is not finite; it says where
   * @throws {LimitError} if a buffer of this size is more than the GPU allows
   */
  static create(gpu: Gpu, options: DatasetOptions): Dataset {
    gpu.check();
    return new Dataset(gpu, checkSamples('Dataset.create', options));
  }

  /**
   * Reads two files in the IDX format of MNIST, gzip or plain.
   * @throws {DataError} that says where a file does not hold together
   */
  static async fromIdx(
    gpu: Gpu,
    imageBytes: ArrayBuffer | Uint8Array,
    labelBytes: ArrayBuffer | Uint8Array,
  ): Promise<Dataset> {
    const images = await readIdx(imageBytes);
    const labels = await readIdx(labelBytes);
    const [count = 0, ...sizes] = images.shape;
    if (labels.shape.length !== 1 || sizes.length === 0) {
      throw new DataError(
        `Dataset.fromIdx: the images have ${images.shape.length} dimensions and the labels ${labels.shape.length}; they are at least 2, and 1. Pass the images first.`,
      );
    }
    if (labels.shape[0] !== count) {
      throw new DataError(`Dataset.fromIdx: there are ${count} images but ${labels.shape[0] ?? 0} labels.`);
    }
    const features = sizes.reduce((product, size) => product * size, 1);
    return Dataset.create(gpu, { inputs: images.data, features, classes: labels.data });
  }

  /** @internal */
  get disposed(): boolean {
    return this.#disposed;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.inputs.dispose();
    this.labels.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Samples that have been checked, ready to upload. */
export interface Samples {
  readonly inputs: Uint8Array | Float32Array;
  readonly features: number;
  readonly labels: Uint32Array;
  /** Words of a label: 1 for a class, or the numbers in a row of targets. */
  readonly words: number;
  readonly classCount: number;
  readonly notProbabilities: string | undefined;
}

/** Checks samples and labels on the host. @throws {ShapeError|DataError} */
export function checkSamples(where: string, options: DatasetOptions): Samples {
  const { features, classes, targets } = options;
  if (!Number.isInteger(features) || features < 1) {
    throw new ShapeError(`${where}: features = ${features}; features must be a positive integer.`);
  }
  const inputs = checkInputs(where, options.inputs, features);
  const count = inputs.length / features;
  if (count === 0) throw new DataError(`${where}: there are no samples.`);
  if ((classes === undefined) === (targets === undefined)) {
    throw new DataError(
      `${where}: pass either classes or targets; ${classes === undefined ? 'neither' : 'both'} came.`,
    );
  }
  if (classes !== undefined)
    return { inputs, features, words: 1, notProbabilities: undefined, ...indices(where, classes, count) };
  return { inputs, features, ...rows(where, targets ?? [], count) };
}

/** Inputs as they go to the GPU. @throws {ShapeError|DataError} */
export function checkInputs(
  where: string,
  inputs: DatasetOptions['inputs'],
  features: number,
): Uint8Array | Float32Array {
  if (inputs.length % features !== 0) {
    throw new ShapeError(
      `${where}: inputs has ${inputs.length} numbers, which is no multiple of the ${features} features of a sample.`,
    );
  }
  if (inputs instanceof Uint8Array) return inputs;
  if (inputs instanceof Uint8ClampedArray) return new Uint8Array(inputs.buffer, inputs.byteOffset, inputs.length);
  const floats = inputs instanceof Float32Array ? inputs : Float32Array.from(inputs);
  for (let i = 0; i < floats.length; i++) {
    if (!Number.isFinite(floats[i])) {
      throw new DataError(
        `${where}: inputs at row ${Math.floor(i / features)}, column ${i % features} is ${String(inputs[i])}; inputs are finite float32 numbers.`,
      );
    }
  }
  return floats;
}

function indices(
  where: string,
  classes: ArrayLike<number>,
  count: number,
): { labels: Uint32Array; classCount: number } {
  if (classes.length !== count) {
    throw new ShapeError(`${where}: there are ${count} samples but ${classes.length} classes.`);
  }
  const labels = new Uint32Array(count);
  let largest = 0;
  for (let i = 0; i < count; i++) {
    const value = classes[i] ?? Number.NaN;
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** 31) {
      throw new DataError(`${where}: classes[${i}] is ${String(value)}; a class is an integer from 0 on.`);
    }
    labels[i] = value;
    largest = Math.max(largest, value);
  }
  return { labels, classCount: largest + 1 };
}

function rows(
  where: string,
  targets: ArrayLike<number>,
  count: number,
): { labels: Uint32Array; words: number; classCount: number; notProbabilities: string | undefined } {
  const words = targets.length / count;
  if (!Number.isInteger(words) || words < 1) {
    throw new ShapeError(
      `${where}: targets has ${targets.length} numbers, which is no multiple of the ${count} samples.`,
    );
  }
  const floats = Float32Array.from(targets);
  let notProbabilities: string | undefined;
  for (let row = 0; row < count; row++) {
    let sum = 0;
    for (let column = 0; column < words; column++) {
      const value = floats[row * words + column] ?? Number.NaN;
      if (!Number.isFinite(value)) {
        throw new DataError(
          `${where}: targets at row ${row}, column ${column} is ${value}; targets are finite float32 numbers.`,
        );
      }
      if (value < 0) notProbabilities ??= `row ${row} has ${value} in column ${column}`;
      sum += value;
    }
    if (Math.abs(sum - 1) > 1e-3) notProbabilities ??= `row ${row} sums to ${sum}`;
  }
  return { labels: new Uint32Array(floats.buffer), words, classCount: words, notProbabilities };
}

/** A tensor with these bytes or floats. */
export function upload(
  gpu: Gpu,
  label: string,
  values: Uint8Array | Float32Array,
  shape: readonly number[],
): Tensor<'u8'> | Tensor {
  const dtype: DType = values instanceof Uint8Array ? 'u8' : 'f32';
  const storage = new Storage(label, values.byteLength).allocate(gpu);
  gpu.write(storage.buffer, 0, values);
  return new Tensor(storage, 0, shape, dtype) as Tensor<'u8'> | Tensor;
}

/** A tensor with these words. */
export function uploadWords(gpu: Gpu, values: Uint32Array, shape: readonly number[]): Tensor<'u32'> {
  const storage = new Storage('dataset labels', values.byteLength).allocate(gpu);
  gpu.write(storage.buffer, 0, values);
  return new Tensor(storage, 0, shape, 'u32');
}
