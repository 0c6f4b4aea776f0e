import { checkFinite, demand, elements } from './check.js';
import { DataError, DisposedError, ShapeError } from './errors.js';
import type { Gpu } from './gpu/gpu.js';
import { type ArrayOf, type Tensor, upload } from './gpu/tensor.js';
import { readIdx } from './idx.js';
import type { LabelTensor } from './kernels/gather-rows.js';

export interface DatasetOptions {
  /** Samples one after the other; bytes stay bytes on the GPU, all else becomes float32. */
  readonly inputs: Uint8Array | Uint8ClampedArray | Float32Array | ArrayLike<number>;
  /** Numbers in a sample. */
  readonly features: number;
  /** For each sample, its class: 0, 1, 2 … */
  readonly classes?: ArrayLike<number>;
  /** For each sample, a row of numbers: values, or the probability of each class. */
  readonly targets?: ArrayLike<number>;
  /** For each sample, a number ≥ 0 that its loss is multiplied by. The mean is taken over the samples, not over their weights. */
  readonly weights?: ArrayLike<number>;
}

/** Raw inputs on the GPU: bytes or float32. */
export type RawTensor = Tensor<'u8'> | Tensor;
/** Raw inputs on the host. */
export type RawArray = ArrayOf<'u8'> | ArrayOf<'f32'>;

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
  readonly inputs: RawTensor;
  /** @internal (length, 1) class indices, or (length, classCount) float32; with one column more, the last has float32 weights */
  readonly labels: Tensor<'u32'> | Tensor;
  /** @internal Why the targets are no probabilities of classes, or of one thing each, if they are not. */
  readonly flaws: Flaws;
  #disposed = false;

  private constructor(gpu: Gpu, samples: Samples) {
    const { inputs, features, labels, words, flaws } = samples;
    this.gpu = gpu;
    this.length = inputs.length / features;
    this.features = features;
    this.classCount = samples.classCount;
    this.flaws = flaws;
    this.inputs = upload<'u8' | 'f32'>(gpu, inputs, [this.length, features], 'dataset inputs') as RawTensor;
    this.labels = upload<'u32' | 'f32'>(gpu, labels, [this.length, words], 'dataset labels') as LabelTensor;
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
    const images = await readIdx(imageBytes, { name: 'Dataset.fromIdx: the IDX file of images' });
    const labels = await readIdx(labelBytes, { name: 'Dataset.fromIdx: the IDX file of labels', rank: 1 });
    const [count = 0, ...sizes] = images.shape;
    if (labels.data.length !== count) {
      throw new DataError(`Dataset.fromIdx: there are ${count} images but ${labels.data.length} labels.`);
    }
    const features = elements(sizes);
    return Dataset.create(gpu, { inputs: images.data, features, classes: labels.data });
  }

  /** @internal @throws {DisposedError} */
  check(where: string): void {
    if (this.#disposed) throw new DisposedError(`${where}: the data set has been disposed. Make it again.`);
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

/** What keeps targets from being probabilities: a row and its numbers. */
export interface Flaws {
  /** Of a softmax link: ≥ 0, with a sum of 1. */
  readonly softmax?: string | undefined;
  /** Of a logistic link: from 0 to 1. */
  readonly logistic?: string | undefined;
}

/** Samples that have been checked, ready to upload. */
export interface Samples {
  readonly inputs: RawArray;
  readonly features: number;
  /** Class indices, or rows of targets. */
  readonly labels: ArrayOf<'u32'> | ArrayOf<'f32'>;
  /** Words of a label: 1 for a class, or the numbers in a row of targets; and 1 for a weight. */
  readonly words: number;
  readonly classCount: number;
  readonly flaws: Flaws;
}

/** Checks samples and labels on the host. @throws {ShapeError|DataError} */
export function checkSamples(where: string, options: DatasetOptions): Samples {
  const { features, classes, targets, weights } = options;
  demand(`${where}:`, { features }, 'a positive integer', 'shape');
  const inputs = checkInputs(where, options.inputs, features);
  const count = inputs.length / features;
  if (count === 0) throw new DataError(`${where}: there are no samples.`);
  if ((classes === undefined) === (targets === undefined)) {
    throw new DataError(
      `${where}: pass either classes or targets; ${classes === undefined ? 'neither' : 'both'} came.`,
    );
  }
  const labels = classes === undefined ? rows(where, targets ?? [], count) : indices(where, classes, count);
  return { inputs, features, ...(weights === undefined ? labels : weighted(where, labels, weights, count)) };
}

/** Labels with the weight of its sample behind each. @throws {ShapeError|DataError} */
function weighted(where: string, labels: Labels, weights: ArrayLike<number>, count: number): Labels {
  if (weights.length !== count) {
    throw new ShapeError(`${where}: there are ${count} samples but ${weights.length} weights.`);
  }
  const floats = Float32Array.from(weights);
  checkFinite(`${where}: weights`, floats, 1, weights);
  const negative = floats.findIndex((weight) => weight < 0);
  if (negative >= 0) {
    throw new DataError(`${where}: weights[${negative}] is ${String(weights[negative])}; a weight is a number ≥ 0.`);
  }
  const words = labels.words + 1;
  const bits = new Uint32Array(labels.labels.buffer);
  const packed = new Uint32Array(count * words);
  for (let row = 0; row < count; row++) {
    packed.set(bits.subarray(row * labels.words, (row + 1) * labels.words), row * words);
  }
  const places = new Float32Array(packed.buffer);
  for (const [row, weight] of floats.entries()) places[row * words + words - 1] = weight;
  return { ...labels, words, labels: labels.labels instanceof Float32Array ? places : packed };
}

/** Inputs as they go to the GPU. @throws {ShapeError|DataError} */
export function checkInputs(where: string, inputs: DatasetOptions['inputs'], features: number): RawArray {
  if (inputs.length % features !== 0) {
    throw new ShapeError(
      `${where}: inputs has ${inputs.length} numbers, which is no multiple of the ${features} features of a sample.`,
    );
  }
  if (inputs instanceof Uint8Array) return inputs as ArrayOf<'u8'>;
  if (inputs instanceof Uint8ClampedArray) return Uint8Array.from(inputs);
  const floats = (inputs instanceof Float32Array ? inputs : Float32Array.from(inputs)) as ArrayOf<'f32'>;
  checkFinite(`${where}: inputs`, floats, features, inputs);
  return floats;
}

type Labels = Omit<Samples, 'inputs' | 'features'>;

function indices(where: string, classes: ArrayLike<number>, count: number): Labels {
  if (classes.length !== count) {
    throw new ShapeError(`${where}: there are ${count} samples but ${classes.length} classes.`);
  }
  let classCount = 0;
  const labels = Uint32Array.from(classes, (value, i) => {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** 31) {
      throw new DataError(`${where}: classes[${i}] is ${String(value)}; a class is an integer from 0 on.`);
    }
    classCount = Math.max(classCount, value + 1);
    return value;
  });
  return { labels, words: 1, classCount, flaws: {} };
}

function rows(where: string, targets: ArrayLike<number>, count: number): Labels {
  const words = targets.length / count;
  if (!Number.isInteger(words) || words < 1) {
    throw new ShapeError(
      `${where}: targets has ${targets.length} numbers, which is no multiple of the ${count} samples.`,
    );
  }
  const floats = Float32Array.from(targets);
  checkFinite(`${where}: targets`, floats, words, targets);
  const flaws: { softmax?: string; logistic?: string } = {};
  for (let row = 0; row < count; row++) {
    const values = floats.subarray(row * words, (row + 1) * words);
    let [sum, least, most] = [0, Infinity, -Infinity];
    for (const value of values) {
      sum += value;
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    if (least < 0 || Math.abs(sum - 1) > 1e-3) {
      flaws.softmax ??= `row ${row} sums to ${sum}, and its least is ${least}`;
    }
    if (least < 0 || most > 1) flaws.logistic ??= `row ${row} has ${least < 0 ? least : most}`;
  }
  return { labels: floats, words, classCount: words, flaws };
}
