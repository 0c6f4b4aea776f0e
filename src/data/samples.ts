import { assertOption } from '../base/check.js';
import { DataError, ShapeError } from '../base/errors.js';
import { checkList, isList, type Numbers, toFloats, toValues } from '../base/values.js';
import type { ArrayOf } from '../plan/tensor.js';
import { type ClassLabels, type ClassOptions, checkNames, numberClasses } from './labels.js';

/** Samples and their labels, as an app passes them. */
export interface SampleOptions extends ClassOptions {
  /**
   * Samples in row-major order, `features` numbers each, or nested arrays, one for each sample. Bytes stay bytes on the
   * GPU, all other numbers become float32.
   * Example: `inputs: images`.
   */
  readonly inputs: Numbers;
  /** Numbers in a sample. Default: those of a row, if `inputs` are nested arrays. Example: `features: 784`. */
  readonly features?: number | undefined;
  /**
   * Class of each sample: an index, a name, a boolean or a one-hot row. Without it, pass `targets`.
   * Example: `classes: labels`.
   */
  readonly classes?: ClassLabels | undefined;
  /**
   * Row of numbers for each sample, flat or nested: values, or the probability of each class. Without it, pass
   * `classes`.
   * Example: `targets: prices`.
   */
  readonly targets?: Numbers | undefined;
  /**
   * Factor ≥ 0 of each sample's loss. The mean loss is the sum of weight · loss divided by the number of samples, not
   * by the sum of the weights. Default: 1 for each sample.
   * Example: `weights: [1, 1, 2]`.
   */
  readonly weights?: Numbers | undefined;
  /**
   * Names of the classes by index, for `dataset.classNames`. Default: names in `classes` in sorted order, "false" and
   * "true" for booleans, else none.
   * Example: `classNames: ['cat', 'dog']`.
   */
  readonly classNames?: readonly string[] | undefined;
}

/** Labels of samples, as an app passes them. */
export type LabelOptions = Omit<SampleOptions, 'inputs' | 'features'>;

/** Inputs in the host's memory before normalisation. */
export type RawArray = ArrayOf<'u8'> | ArrayOf<'f32'>;

/** Reasons why targets are not probabilities, for messages: the first row that is not, and its numbers. */
export interface Flaws {
  /** Set if a row is not a distribution, as a softmax link needs: numbers ≥ 0 whose sum is 1. */
  readonly softmax?: string | undefined;
  /** Set if a number is not in [0, 1], as a logistic link needs. */
  readonly logistic?: string | undefined;
}

/** Labels that have been checked and can be uploaded. */
export interface HostLabels {
  /** Class indices, or rows of targets; behind each, its weight as float32 if there are weights. */
  readonly labels: ArrayOf<'u32'> | ArrayOf<'f32'>;
  /** 32-bit words of a label: 1 for a class, or the width of a row of targets; and 1 more if there are weights. */
  readonly words: number;
  /** Number of classes, or the width of a row of targets. */
  readonly classCount: number;
  readonly flaws: Flaws;
  /** Class of each sample, unless the labels are targets. */
  readonly classes?: Uint32Array | undefined;
  /** Row numbers of the samples to keep, unless all are kept. */
  readonly kept?: Uint32Array<ArrayBuffer> | undefined;
  readonly classNames?: readonly string[] | undefined;
}

/** Samples that have been checked and can be uploaded. */
export interface Samples extends HostLabels {
  readonly inputs: RawArray;
  /** Numbers in a sample. */
  readonly features: number;
}

/**
 * Checks samples and labels on the host, and converts them to typed arrays.
 * @param where the beginning of error messages
 * @throws {ShapeError} if lengths do not match
 * @throws {DataError} if values are not allowed
 */
export function checkSamples(where: string, options: SampleOptions): Samples {
  const { inputs, features } = checkInputs(where, options.inputs, options.features);
  return { inputs, features, ...checkLabels(where, options, inputs.length / features) };
}

/** Checks the labels of `count` samples, and their weights. @throws {ShapeError|DataError} */
export function checkLabels(where: string, options: LabelOptions, count: number): HostLabels {
  const { classes, targets, weights, classNames } = options;
  if (count === 0) throw new DataError(`${where}: there are no samples.`);
  if ((classes === undefined) === (targets === undefined)) {
    throw new DataError(`${where}: pass either classes or targets; got ${classes === undefined ? 'neither' : 'both'}.`);
  }
  const labels =
    classes === undefined
      ? targetLabels(where, targets, count, classNames)
      : classLabels(where, classes, count, options);
  return weights === undefined ? labels : withWeights(where, labels, weights, count);
}

/** Adds the weight of its sample behind each label. @throws {ShapeError|DataError} */
function withWeights(where: string, labels: HostLabels, weights: Numbers, count: number): HostLabels {
  const floats = toFloats(`${where}: weights`, weights, 1);
  if (floats.length !== count) {
    throw new ShapeError(`${where}: there are ${count} samples but ${floats.length} weights.`);
  }
  const negative = floats.findIndex((weight) => weight < 0);
  if (negative >= 0) {
    throw new DataError(`${where}: weights[${negative}] is ${floats[negative]}; a weight is a number ≥ 0.`);
  }
  const words = labels.words + 1;
  const { buffer, byteOffset, length } = labels.labels;
  const bits = new Uint32Array(buffer, byteOffset, length);
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
 * @param features numbers in a sample; undefined if nested arrays state it
 * @throws {ShapeError} if their number is not a multiple of `features`
 * @throws {DataError} if a value is not a finite number
 */
export function checkInputs(
  where: string,
  inputs: Numbers,
  features: number | undefined,
): { readonly inputs: RawArray; readonly features: number } {
  const name = `${where}: inputs`;
  checkList(name, inputs);
  if (features !== undefined || !isList(inputs[0])) {
    assertOption(`${where}:`, { features }, 'a positive integer', 'shape');
  }
  const { values, rows } = toValues(name, inputs, features);
  const width = rows === undefined ? (features ?? 0) : values.length / rows;
  if (width === 0 || width !== (features ?? width)) {
    throw new ShapeError(`${name} has rows of ${width} numbers, but a sample has ${features ?? 'at least 1'}.`);
  }
  if (values.length % width !== 0) {
    throw new ShapeError(`${name} has ${values.length} numbers, not a multiple of the ${width} features of a sample.`);
  }
  return { inputs: values, features: width };
}

/** Checks classes. @throws {ShapeError|DataError} */
function classLabels(where: string, given: ClassLabels, count: number, options: LabelOptions): HostLabels {
  const { classes, classCount, classNames, kept } = numberClasses(where, given, options.classNames, options);
  if (classes.length !== count) {
    throw new ShapeError(`${where}: there are ${count} samples but ${classes.length} classes.`);
  }
  return { labels: classes, words: 1, classCount, classes, kept, classNames, flaws: {} };
}

/** Checks rows of targets, and whether they are probabilities. @throws {ShapeError|DataError} */
function targetLabels(
  where: string,
  targets: Numbers | undefined,
  count: number,
  classNames: readonly string[] | undefined,
): HostLabels {
  const name = `${where}: targets`;
  checkList(name, targets);
  const { values, rows = count } = toValues(name, targets, Math.max(1, Math.floor(targets.length / count)));
  if (rows !== count) throw new ShapeError(`${name} has ${rows} rows, but there are ${count} samples.`);
  const words = values.length / count;
  if (!Number.isInteger(words) || words < 1) {
    throw new ShapeError(`${name} has ${values.length} numbers, not a multiple of the ${count} samples.`);
  }
  checkNames(where, classNames, words);
  const floats = values instanceof Float32Array ? values : Float32Array.from(values);
  return { labels: floats, words, classCount: words, classNames, flaws: flawsOf(floats, words) };
}

/** Finds the rows of targets that are not probabilities. */
function flawsOf(floats: Float32Array, words: number): Flaws {
  const flaws: { softmax?: string; logistic?: string } = {};
  for (let row = 0; row < floats.length / words; row++) {
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
  return flaws;
}
