import { describe } from '../base/check.js';
import { DataError, MlpError } from '../base/errors.js';
import { isList } from '../base/values.js';
import { type Encoder, encodedFeatures, shown } from '../data/encoder.js';
import type { Statistics } from '../data/statistics.js';

/**
 * Description of the data that a model is trained on. Plain data: `save` writes it with the spec, and a checkpoint contains it.
 */
export interface DataDescription {
  /** Names of the classes by index. Default: none. */
  readonly classNames?: readonly string[] | undefined;
  /** Encoding of the columns of a table. Default: none. */
  readonly encoder?: Encoder | undefined;
  /**
   * Mean and standard deviation of each target, by which targets are standardized; `standardize` until the first data
   * set is known. Default: none, targets are used as they are.
   */
  readonly targets?: 'standardize' | Statistics<readonly number[]> | undefined;
}

/** Options of `Mlp.create` that describe the data. */
export interface DescriptionOptions {
  /**
   * Names of the classes by index, for predictions with `output: 'names'`. Default: those of the first data set with names
   * that `fit` gets.
   * Example: `classNames: ['cat', 'dog']`.
   */
  readonly classNames?: readonly string[] | undefined;
  /**
   * Encoding of the columns of a table, `dataset.encoder`, for predictions of rows of objects. Default: that of the first data
   * set from a table that `fit` gets.
   * Example: `encoder: train.encoder`.
   */
  readonly encoder?: Encoder | undefined;
  /**
   * Standardization of the targets of a regression, y ↦ (y − mean)/std for each output. The network, its loss and its gradients
   * are in standardized units, so that targets near 17,000 train as those near 0 do; `predict` returns values in the units of the
   * targets, and metrics such as `mae` are in these units too. `standardize` takes the statistics of the first data set that `fit`
   * gets; `{ mean, std }`, as `dataset.targetStatistics()` returns them, fixes them, one number or one for each output.
   * Default: none, targets are used as they are.
   * Example: `targets: 'standardize'`.
   */
  readonly targets?: 'standardize' | Statistics<number | readonly number[]> | undefined;
}

/** The sizes of a model that a description must fit. */
interface Sizes {
  readonly inputs: number;
  readonly outputs: number;
  /** True if the last layer's activation makes its outputs probabilities. */
  readonly isProbability: boolean;
}

/** The same keys, whose values may be undefined. */
type Undefinable<T> = { readonly [Key in keyof T]?: T[Key] | undefined };

/** The description in options or in a spec, without keys that are undefined. */
export function descriptionOf({ classNames, encoder, targets }: Undefinable<DataDescription>): DataDescription {
  return {
    ...(classNames && { classNames }),
    ...(encoder && { encoder }),
    ...(targets && { targets }),
  };
}

/**
 * Checks a description that an app or a file gives, and copies it as plain data.
 * @param where the beginning of error messages
 * @throws {MlpError} `bad-option` if it is malformed, or does not fit the model
 */
export function checkDescription(
  where: string,
  { classNames, encoder, targets }: DescriptionOptions,
  sizes: Sizes,
): DataDescription {
  return descriptionOf({
    ...(classNames !== undefined && { classNames: checkClassNames(where, classNames, classesOf(sizes.outputs)) }),
    ...(encoder !== undefined && { encoder: checkEncoder(where, encoder, sizes.inputs) }),
    ...(targets !== undefined && { targets: checkTargets(where, targets, sizes) }),
  });
}

/** Number of classes that outputs can tell apart: a single one separates two. */
const classesOf = (outputs: number): number => (outputs === 1 ? 2 : outputs);

function refuse(where: string, what: string): never {
  throw new MlpError('bad-option', `${where}: ${what}`);
}

const isTexts = (list: unknown): list is readonly string[] =>
  Array.isArray(list) &&
  list.every((text) => typeof text === 'string' && text !== '') &&
  new Set(list).size === list.length;

function checkClassNames(where: string, names: unknown, classes: number): string[] {
  if (!isTexts(names) || names.length === 0) {
    refuse(where, `classNames is ${describe(names)}; it must be an array of strings, all different and not empty.`);
  }
  if (names.length > classes) {
    refuse(where, `classNames has ${names.length} names, but the model tells only ${classes} classes apart.`);
  }
  return [...names];
}

function checkEncoder(where: string, encoder: Encoder, inputs: number): Encoder {
  const columns: unknown = Object(encoder).columns;
  const targets: unknown = Object(encoder).targets;
  const isId = (id: unknown): boolean => typeof id === 'string' || Number.isSafeInteger(id);
  if (
    !Array.isArray(columns) ||
    !Array.isArray(targets) ||
    !targets.every(isId) ||
    !/^(?:class|value)$/.test(encoder.type)
  ) {
    refuse(where, 'encoder is not that of a data set. Pass dataset.encoder.');
  }
  const place = columns.findIndex((column: unknown) => {
    const { name, categories, means } = Object(column);
    const width = categories?.length ?? 1;
    const fits =
      means === undefined || (Array.isArray(means) && means.length === width && means.every(Number.isFinite));
    return !(isId(name) && (categories === undefined || isTexts(categories)) && fits);
  });
  if (place >= 0)
    refuse(where, `encoder.columns[${place}] is not a column of a data set's encoder. Pass dataset.encoder.`);
  const features = encodedFeatures(encoder);
  if (features !== inputs) refuse(where, `the encoder makes ${features} inputs of a row, but the model has ${inputs}.`);
  return structuredClone(encoder);
}

function checkTargets(where: string, targets: unknown, { outputs, isProbability }: Sizes): DataDescription['targets'] {
  if (isProbability) {
    refuse(
      where,
      'targets are standardized for regression, but the last layer has activation softmax or sigmoid. Use a linear last layer.',
    );
  }
  if (targets === 'standardize') return targets;
  const { mean, std } = Object(targets) as { readonly mean?: unknown; readonly std?: unknown };
  const toList = (value: unknown): number[] =>
    isList(value) ? Array.from(value, Number) : Array.from({ length: outputs }, () => value as number);
  const [means, deviations] = [toList(mean), toList(std)];
  const fits = (list: readonly number[]): boolean =>
    list.length === outputs && list.every((value) => typeof value === 'number' && Number.isFinite(Math.fround(value)));
  if (!fits(means) || !fits(deviations) || !deviations.every((value) => Math.fround(value) > 0)) {
    const given = typeof targets === 'object' ? 'has other numbers' : `is ${describe(targets)}`;
    refuse(
      where,
      `targets ${given}; it must be "standardize", or { mean, std } with a finite number for each of the ${outputs} outputs, and std > 0.`,
    );
  }
  return scalingOf({ mean: means, std: deviations });
}

/** Statistics rounded to float32, so that the host and the device compute with the same numbers. */
export function scalingOf({ mean, std }: Statistics<readonly number[]>): Statistics<number[]> {
  return { mean: Array.from(mean, Math.fround), std: Array.from(std, Math.fround) };
}

/**
 * Checks that a data set and a model, or a training set and its validation set, give the same meaning to class indices
 * and to inputs. A description that is absent fits any other one, and so does a list of class names that is the
 * beginning of the other list.
 * @param where the beginning of the error message
 * @param what names the first description, for the message: `the data set`
 * @param than names the second: `the model`
 * @throws {DataError} with both lists
 */
export function checkAlike(
  where: string,
  { classNames: names = [], encoder, features }: DescribedData,
  known: DescribedData,
  what = 'the data set',
  than = 'the model',
): void {
  const others = known.classNames ?? [];
  if (names.some((name, index) => index < others.length && name !== others[index])) {
    const isOrder = [...names].sort().join('\n') === [...others].sort().join('\n');
    throw new DataError(
      `${where}: ${what} has the classes ${shown(names)}, but ${than} has ${shown(others)}${isOrder ? ', in another order' : ''}. An index would mean two classes. Make the data set with the classNames of ${than}: { classNames }, or { like } for a table.`,
    );
  }
  if (encoder !== undefined && encodedFeatures(encoder) !== (features ?? encodedFeatures(encoder))) {
    throw new DataError(
      `${where}: the encoder of ${what} makes ${encodedFeatures(encoder)} inputs of a row, but a sample has ${features}.`,
    );
  }
  const columns = encoder?.columns ?? [];
  const expected = known.encoder?.columns ?? [];
  if (columns.length === 0 || expected.length === 0) return;
  const [found, wanted] = [columns, expected].map((list) => list.map(({ name }) => `${name}`)) as [string[], string[]];
  if (found.join('\n') !== wanted.join('\n') && [...found].sort().join('\n') === [...wanted].sort().join('\n')) {
    throw new DataError(
      `${where}: ${what} has the columns ${shown(found)}, but ${than} has ${shown(wanted)}, in another order. Read the table with { like }.`,
    );
  }
  for (const [index, { name, categories = [] }] of columns.entries()) {
    const others = expected[index]?.categories ?? [];
    if (categories.join('\n') === others.join('\n')) continue;
    throw new DataError(
      `${where}: column ${JSON.stringify(name)} of ${what} has the categories ${shown(categories) || 'none'}, but that of ${than} has ${shown(others) || 'none'}. Read the table with { like }.`,
    );
  }
}

/** Class names and encoder of a data set or of a spec. */
interface DescribedData {
  /** Numbers in a sample, of a data set. */
  readonly features?: number;
  readonly classNames?: readonly string[] | undefined;
  readonly encoder?: Encoder | undefined;
}
