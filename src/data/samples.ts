import { assertOption, checkFinite } from '../base/check.js';
import { DataError, ShapeError } from '../base/errors.js';
import type { ArrayOf } from '../plan/tensor.js';

/** Samples and labels, as an app has them. */
export interface SampleOptions {
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
  /** Names of the classes, for `dataset.classNames`. */
  readonly classNames?: readonly string[];
}

/** Raw inputs on the host. */
export type RawArray = ArrayOf<'u8'> | ArrayOf<'f32'>;

/** The reasons why targets are no probabilities: a row and its numbers. */
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
  readonly classNames?: readonly string[] | undefined;
}

/** Checks samples and labels on the host. @throws {ShapeError|DataError} */
export function checkSamples(where: string, options: SampleOptions): Samples {
  const { features, classes, targets, weights, classNames } = options;
  assertOption(`${where}:`, { features }, 'a positive integer', 'shape');
  const inputs = checkInputs(where, options.inputs, features);
  const count = inputs.length / features;
  if (count === 0) throw new DataError(`${where}: there are no samples.`);
  if ((classes === undefined) === (targets === undefined)) {
    throw new DataError(
      `${where}: pass either classes or targets; ${classes === undefined ? 'neither' : 'both'} came.`,
    );
  }
  const labels = classes === undefined ? rows(where, targets ?? [], count) : indices(where, classes, count);
  if (classNames !== undefined && classNames.length < labels.classCount) {
    throw new DataError(
      `${where}: classNames has ${classNames.length} names, but the largest class is ${labels.classCount - 1}.`,
    );
  }
  return {
    inputs,
    features,
    classNames,
    ...(weights === undefined ? labels : weighted(where, labels, weights, count)),
  };
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
export function checkInputs(where: string, inputs: SampleOptions['inputs'], features: number): RawArray {
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
