import { assertMethod, assertOption, assertSignal } from '../base/check.js';
import { DataError, MlpError } from '../base/errors.js';
import { checkOptions, type OptionNames } from '../base/options.js';
import { Owner } from '../base/owner.js';
import { Random } from '../base/random.js';
import { table } from '../base/text-table.js';
import type { Dataset } from '../data/dataset.js';
import { Model, type ModelOptions } from '../model/model.js';
import type { AnyMetric } from '../nn/metrics/metric.js';
import type { Device } from '../plan/device.js';
import type { Evaluation, FitOptions, History, TrainerOptions } from './options.js';
import { Trainer } from './trainer.js';

/**
 * The training that `crossValidate` repeats: the options of the three calls that each fold makes.
 * @example
 * const options = {
 *   model: { inputs: 4, layers: [dense(16, 'relu'), dense(3)] },
 *   trainer: { loss: softmaxCrossEntropy(), optimizer: adam(), batchSize: 32, metrics: [accuracy()] },
 *   fit: { epochs: 50 },
 * };
 */
export interface CrossValidationOptions<M extends AnyMetric = never> {
  /**
   * Options of `Mlp.create`, with the same seed in each fold; or a function that returns them for a fold, from the samples
   * that the fold trains on and its number from 1. Use a function if `normalize` is to be computed without the held-out
   * samples: `async (train) => ({ inputs: 4, layers, normalize: await train.statistics() })`.
   * Example: `model: { inputs: 4, layers: [dense(3)] }`.
   */
  readonly model: ModelOptions | ((train: Dataset, fold: number) => ModelOptions | Promise<ModelOptions>);
  /**
   * Options of `model.trainer`.
   * Example: `trainer: { loss: softmaxCrossEntropy(), optimizer: adam(), batchSize: 16 }`.
   */
  readonly trainer: TrainerOptions<M>;
  /**
   * Options of `trainer.fit`, without `signal`. Training does not see the held-out samples: early stopping monitors
   * `loss`, or a data set `validation` of your own.
   * Example: `fit: { epochs: 20 }`.
   */
  readonly fit: Omit<FitOptions<M>, 'signal'>;
}

/**
 * Options of `crossValidate`.
 * @example const result = await crossValidate(gpu, options, data, { folds: 10, stratify: true, seed: 1 });
 */
export interface FoldOptions<M extends AnyMetric = never> {
  /**
   * Number of parts of the data set, and of trainings: an integer from 2 to the number of samples. Default: 5.
   * Example: `folds: 5`.
   */
  readonly folds?: number | undefined;
  /**
   * True to give each part the same share of each class, within one sample. Default: false.
   * Example: `stratify: true`.
   */
  readonly stratify?: boolean | undefined;
  /**
   * Seed of the random choice of the parts, an integer >= 0. The same seed gives the same parts. Default: 0.
   * Example: `seed: 1`.
   */
  readonly seed?: number | undefined;
  /**
   * Stops within one submit. `crossValidate` then resolves with the folds that were completed. Default: none.
   * Example: `signal: controller.signal`.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called after each fold with its result. `crossValidate` awaits the function. Default: none.
   * Example: `onFold: ({ fold }) => console.log(fold)`.
   */
  readonly onFold?: ((result: FoldResult<M>) => void | Promise<void>) | undefined;
}

/**
 * The result of a fold: the mean loss and the metrics over its held-out samples.
 * @example const [{ loss, accuracy, history }] = result.folds;
 */
export type FoldResult<M extends AnyMetric = never> = Evaluation<M> & {
  /** Number of the fold, from 1. */
  readonly fold: number;
  /** Number of held-out samples. */
  readonly samples: number;
  /** The result of `fit`. */
  readonly history: History<M>;
};

/** The results of `crossValidate`. `toString()` gives a table. */
export interface CrossValidation<M extends AnyMetric = never> {
  /** The completed folds, in order. */
  readonly folds: readonly FoldResult<M>[];
  /** Mean of the loss and of each metric over the folds, each fold with the same weight; element by element for lists. */
  readonly mean: Evaluation<M>;
  /** Population standard deviation of the loss and of each metric over the folds, likewise. */
  readonly std: Evaluation<M>;
  /** A table with a row for each fold, the mean and the deviation. */
  toString(): string;
}

const NAMES: OptionNames<CrossValidationOptions> = { model: 1, trainer: 1, fit: 1 };
const FOLD_NAMES: OptionNames<FoldOptions> = { folds: 1, stratify: 1, seed: 1, signal: 1, onFold: 1 };

/** Stream of the random numbers of folds: it separates them from other uses of the same seed, such as a split. */
const FOLD_STREAM = 0x666f6c64;

/** The rows of a fold. */
interface Fold {
  readonly train: Uint32Array<ArrayBuffer>;
  readonly test: Uint32Array<ArrayBuffer>;
}

/** Implements `crossValidate`. */
export async function runFolds<M extends AnyMetric>(
  device: Device,
  options: CrossValidationOptions<M>,
  dataset: Dataset,
  folding: FoldOptions<M>,
): Promise<CrossValidation<M>> {
  const { signal, onFold } = checkOptions('crossValidate', folding, FOLD_NAMES);
  assertSignal('crossValidate:', signal);
  if (onFold !== undefined) assertOption('crossValidate:', { onFold }, 'a function');
  const parts = checkOptions('crossValidate', options, NAMES);
  checkParts(parts);
  checkDataset(device, dataset);
  const results: FoldResult<M>[] = [];
  for (const [index, fold] of foldsOf(dataset, folding).entries()) {
    if (signal?.aborted === true) break;
    const result = await runFold(device, parts, dataset, fold, index + 1, signal);
    if (result === undefined) break;
    results.push(result);
    await onFold?.(result);
  }
  const names = ['loss', ...(parts.trainer.metrics ?? []).map(({ name }) => name)];
  const over = (of: (numbers: readonly number[]) => number): Evaluation<M> => {
    const valuesOf = (name: string): unknown[] => results.map((result) => (result as Record<string, unknown>)[name]);
    return Object.fromEntries(names.map((name) => [name, combined(valuesOf(name), of)])) as Evaluation<M>;
  };
  const found = { folds: results, mean: over(meanOf), std: over(deviationOf) };
  return Object.assign(found, { toString: () => printed(found, names) });
}

/** Checks that there are options for each call of a fold. Those calls check what is in them. */
function checkParts({ model, trainer, fit }: Partial<CrossValidationOptions<AnyMetric>>): void {
  for (const [name, value] of Object.entries({ model, trainer, fit })) {
    if ((typeof value === 'object' && value !== null) || (name === 'model' && typeof value === 'function')) continue;
    throw new MlpError(
      'bad-option',
      `crossValidate: ${name} = ${String(value)}; pass the options of the three calls of a fold: { model: { inputs, layers }, trainer: { loss, optimizer, batchSize }, fit: { epochs } }.`,
    );
  }
  if (fit !== undefined && 'signal' in fit && fit.signal !== undefined) {
    throw new MlpError('bad-option', 'crossValidate: fit has a signal. Pass it in the last argument, beside folds.');
  }
}

/** @throws {DisposedError|MlpError} if the data set is disposed, on another device, or a stream */
function checkDataset(device: Device, dataset: Dataset): void {
  assertMethod('crossValidate: dataset', dataset, 'statistics', 'Dataset.create(gpu, { inputs, features, classes })');
  dataset.check('crossValidate');
  if (dataset.device !== device) {
    throw new MlpError('other-gpu', 'crossValidate: the data set is on another device than the models.');
  }
  if (dataset.source.read !== undefined) {
    throw new MlpError('bad-option', 'crossValidate: a stream cannot be divided into folds. Use Dataset.create.');
  }
}

/**
 * Divides the rows of a data set into folds: random rows are dealt one by one, class by class if they are stratified, so
 * that the folds and each class in them are of equal sizes within one row. Each part is in a random order.
 * @throws {MlpError|DataError} if an option is out of range
 */
export function foldsOf(dataset: Dataset, options: Pick<FoldOptions, 'folds' | 'stratify' | 'seed'>): Fold[] {
  const { folds = 5, stratify = false, seed = 0 } = options;
  const { rows, rowClasses } = dataset;
  assertOption('crossValidate:', { folds }, 'a positive integer');
  assertOption('crossValidate:', { seed }, 'an integer >= 0', 'bad-seed');
  if (folds < 2 || folds > rows.length) {
    throw new MlpError(
      'bad-option',
      `crossValidate: folds = ${folds}; folds must be from 2 to the ${rows.length} samples of the data set.`,
    );
  }
  if (stratify && rowClasses === undefined) {
    throw new DataError('crossValidate: only classes can be stratified; these are targets.');
  }
  const shuffled = new Random(seed, FOLD_STREAM).shuffled(rows);
  const classOf = (row: number): number => (stratify ? (rowClasses?.[row] ?? 0) : 0);
  // The sort is stable: within a class, the order stays random.
  const dealt = [...shuffled].sort((a, b) => classOf(a) - classOf(b));
  const foldOf = new Map(dealt.map((row, place) => [row, place % folds]));
  return Array.from({ length: folds }, (_, fold) => ({
    train: shuffled.filter((row) => foldOf.get(row) !== fold),
    test: shuffled.filter((row) => foldOf.get(row) === fold),
  }));
}

/** Trains and evaluates a fold, and frees its memory. @returns undefined if `signal` stopped it */
async function runFold<M extends AnyMetric>(
  device: Device,
  { model, trainer: trainerOptions, fit }: CrossValidationOptions<M>,
  dataset: Dataset,
  rows: Fold,
  fold: number,
  signal: AbortSignal | undefined,
): Promise<FoldResult<M> | undefined> {
  const owner = new Owner();
  try {
    const train = owner.own(dataset.part(rows.train));
    const test = owner.own(dataset.part(rows.test));
    const options = typeof model === 'function' ? await model(train, fold) : model;
    const trainer = await Trainer.create(owner.own(await Model.create(device, options)), trainerOptions);
    const history = await trainer.fit(train, signal === undefined ? fit : { ...fit, signal });
    if (signal?.aborted === true) return undefined;
    return { ...(await trainer.evaluate(test)), fold, samples: test.length, history };
  } finally {
    owner.dispose();
  }
}

/** Combines the values of a number over the folds, or of a list element by element. Undefined for other values. */
function combined(values: readonly unknown[], of: (numbers: readonly number[]) => number): unknown {
  const [first] = values;
  if (values.every((value) => typeof value === 'number')) return of(values);
  if (!Array.isArray(first)) return undefined;
  return first.map((_, i) =>
    combined(
      values.map((list) => (list as unknown[])[i]),
      of,
    ),
  );
}

const meanOf = (numbers: readonly number[]): number => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;

function deviationOf(numbers: readonly number[]): number {
  const mean = meanOf(numbers);
  return Math.sqrt(meanOf(numbers.map((x) => (x - mean) ** 2)));
}

/** The table of a cross-validation, without metrics that are lists. */
function printed<M extends AnyMetric>(
  { folds, mean, std }: Omit<CrossValidation<M>, 'toString'>,
  names: readonly string[],
): string {
  const valueIn = (result: object, name: string): unknown => (result as Record<string, unknown>)[name];
  const scalars = names.filter((name) => typeof valueIn(mean, name) === 'number');
  const row = (title: string, samples: string, result: object): string[] => [
    title,
    samples,
    ...scalars.map((name) => Number(valueIn(result, name)).toPrecision(4)),
  ];
  return table(
    ['fold', 'samples', ...scalars],
    [
      ...folds.map((result) => row(`${result.fold}`, `${result.samples}`, result)),
      row('mean', '', mean),
      row('std', '', std),
    ],
  );
}
