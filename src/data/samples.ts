import { assertOption, checkFinite } from '../base/check.js';
import { DataError, ShapeError } from '../base/errors.js';
import type { ArrayOf } from '../plan/tensor.js';

/** Samples and their labels, as an app passes them. */
export interface SampleOptions {
  /** Samples in row-major order, `features` numbers each. Bytes stay bytes on the GPU, other numbers become float32. */
  readonly inputs: Uint8Array | Uint8ClampedArray | Float32Array | ArrayLike<number>;
  /** Numbers in a sample. */
  readonly features: number;
  /** Class of each sample, an integer ≥ 0. Without it, pass `targets`. */
  readonly classes?: ArrayLike<number>;
  /**
   * Row of numbers for each sample, row-major: values, or the probability of each class. Without it, pass `classes`.
   */
  readonly targets?: ArrayLike<number>;
  /**
   * Factor ≥ 0 of each sample's loss. The mean loss is the sum of weight · loss divided by the number of samples, not
   * by the sum of the weights. Default: 1 for each sample.
   */
  readonly weights?: ArrayLike<number>;
  /** Names of the classes by index, for `dataset.classNames`. Default: undefined. */
  readonly classNames?: readonly string[];
}

/** Inputs in the host's memory before normalisation. */
export type RawArray = ArrayOf<'u8'> | ArrayOf<'f32'>;

/** Reasons why targets are not probabilities, for messages: the first row that is not, and its numbers. */
export interface Flaws {
  /** Set if a row is not a distribution, as a softmax link needs: numbers ≥ 0 whose sum is 1. */
  readonly softmax?: string | undefined;
  /** Set if a number is not in [0, 1], as a logistic link needs. */
  readonly logistic?: string | undefined;
}

/** Samples that have been checked and can be uploaded. */
export interface Samples {
  readonly inputs: RawArray;
  /** Numbers in a sample. */
  readonly features: number;
  /** Class indices, or rows of targets; behind each, its weight as float32 if there are weights. */
  readonly labels: ArrayOf<'u32'> | ArrayOf<'f32'>;
  /** 32-bit words of a label: 1 for a class, or the width of a row of targets; and 1 more if there are weights. */
  readonly words: number;
  /** Largest class + 1, or the width of a row of targets. */
  readonly classCount: number;
  readonly flaws: Flaws;
  readonly classNames?: readonly string[] | undefined;
}

/**
 * Checks samples and labels on the host, and converts them to typed arrays.
 * @param where the beginning of error messages
 * @throws {ShapeError} if lengths do not match
 * @throws {DataError} if values are not allowed
 */
export function checkSamples(where: string, options: SampleOptions): Samples {
  const { features, classes, targets, weights, classNames } = options;
  assertOption(`${where}:`, { features }, 'a positive integer', 'shape');
  const inputs = checkInputs(where, options.inputs, features);
  const count = inputs.length / features;
  if (count === 0) throw new DataError(`${where}: there are no samples.`);
  if ((classes === undefined) === (targets === undefined)) {
    throw new DataError(`${where}: pass either classes or targets; got ${classes === undefined ? 'neither' : 'both'}.`);
  }
  const labels = classes === undefined ? targetLabels(where, targets ?? [], count) : classLabels(where, classes, count);
  if (classNames !== undefined && classNames.length < labels.classCount) {
    throw new DataError(
      `${where}: classNames has ${classNames.length} names, but the largest class is ${labels.classCount - 1}.`,
    );
  }
  return {
    inputs,
    features,
    classNames,
    ...(weights === undefined ? labels : withWeights(where, labels, weights, count)),
  };
}

/** Adds the weight of its sample behind each label. @throws {ShapeError|DataError} */
function withWeights(where: string, labels: Labels, weights: ArrayLike<number>, count: number): Labels {
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
  const packedFloats = new Float32Array(packed.buffer);
  for (const [row, weight] of floats.entries()) packedFloats[row * words + words - 1] = weight;
  return { ...labels, words, labels: labels.labels instanceof Float32Array ? packedFloats : packed };
}

/**
 * Checks inputs, and converts them to the type that is uploaded: bytes, or float32.
 * @throws {ShapeError} if their number is not a multiple of `features`
 * @throws {DataError} if a value is not finite
 */
export function checkInputs(where: string, inputs: SampleOptions['inputs'], features: number): RawArray {
  if (inputs.length % features !== 0) {
    throw new ShapeError(
      `${where}: inputs has ${inputs.length} numbers, not a multiple of the ${features} features of a sample.`,
    );
  }
  if (inputs instanceof Uint8Array) return inputs as ArrayOf<'u8'>;
  if (inputs instanceof Uint8ClampedArray) return Uint8Array.from(inputs);
  const floats = (inputs instanceof Float32Array ? inputs : Float32Array.from(inputs)) as ArrayOf<'f32'>;
  checkFinite(`${where}: inputs`, floats, features, inputs);
  return floats;
}

/** Checked labels. */
type Labels = Omit<Samples, 'inputs' | 'features'>;

/** Checks class indices. @throws {ShapeError|DataError} */
function classLabels(where: string, classes: ArrayLike<number>, count: number): Labels {
  if (classes.length !== count) {
    throw new ShapeError(`${where}: there are ${count} samples but ${classes.length} classes.`);
  }
  let classCount = 0;
  const labels = Uint32Array.from(classes, (value, i) => {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** 31) {
      throw new DataError(`${where}: classes[${i}] is ${String(value)}; a class is an integer ≥ 0.`);
    }
    classCount = Math.max(classCount, value + 1);
    return value;
  });
  return { labels, words: 1, classCount, flaws: {} };
}

/** Checks rows of targets, and whether they are probabilities. @throws {ShapeError|DataError} */
function targetLabels(where: string, targets: ArrayLike<number>, count: number): Labels {
  const words = targets.length / count;
  if (!Number.isInteger(words) || words < 1) {
    throw new ShapeError(`${where}: targets has ${targets.length} numbers, not a multiple of the ${count} samples.`);
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
      flaws.softmax ??= `row ${row} sums to ${sum}; its minimum is ${least}`;
    }
    if (least < 0 || most > 1) flaws.logistic ??= `row ${row} has ${least < 0 ? least : most}`;
  }
  return { labels: floats, words, classCount: words, flaws };
}
