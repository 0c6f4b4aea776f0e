import type { ByteSource } from '../base/bytes.js';
import { assertMade, assertOption } from '../base/check.js';
import { DataError, DisposedError, MlpError } from '../base/errors.js';
import { checkOptions, type OptionNames } from '../base/options.js';
import { Owner } from '../base/owner.js';
import { counting, Random } from '../base/random.js';
import type { Numbers } from '../base/values.js';
import type { LabelTensor } from '../kernels/gather-rows.js';
import { assertDevice, type Device, type Guarded } from '../plan/device.js';
import type { DeviceBuffer } from '../plan/memory.js';
import { type ArrayOf, type DType, Tensor, upload } from '../plan/tensor.js';
import type { Source } from './chunks.js';
import type { CsvOptions } from './csv.js';
import { deviceInputs, deviceLabels, isOnDevice } from './device-rows.js';
import { divide } from './divide.js';
import type { Encoder } from './encoder.js';
import type { TableOptions } from './labelled-table.js';
import { areNames, type ClassLabels } from './labels.js';
import type { TableRow } from './rows.js';
import {
  checkInputs,
  checkLabels,
  checkSamples,
  type Flaws,
  type HostLabels,
  type LabelOptions,
  type RawArray,
  type SampleOptions,
  type Samples,
} from './samples.js';
import type { Statistics } from './statistics.js';

/**
 * Options of `Dataset.create`. Pass `classes` or `targets`, not both. Data that are on the GPU are copied there, so that
 * the app may change or dispose of its tensor or buffer at once; their values are not checked.
 */
export interface DatasetOptions extends Omit<SampleOptions, 'inputs' | 'classes' | 'targets'> {
  /**
   * Samples in row-major order, `features` numbers each, or nested arrays, one for each sample; or a tensor (samples,
   * features) or GPUBuffer. Bytes stay bytes on the GPU, all other numbers become float32. A GPUBuffer has float32.
   * Example: `inputs: images`.
   */
  readonly inputs: Numbers | Tensor | Tensor<'u8'> | DeviceBuffer;
  /**
   * Class of each sample: an index, a name, a boolean or a one-hot row; or a tensor or GPUBuffer of u32 indices.
   * Without it, pass `targets`. Example: `classes: labels`.
   */
  readonly classes?: ClassLabels | Tensor<'u32'> | DeviceBuffer | undefined;
  /**
   * Row of numbers for each sample, flat or nested: values, or the probability of each class; or a tensor or GPUBuffer
   * of float32. Without it, pass `classes`. Example: `targets: prices`.
   */
  readonly targets?: Numbers | Tensor | DeviceBuffer | undefined;
  /**
   * Samples in a chunk. If given, the data stay in the given arrays and are streamed to the GPU during training, two
   * chunks at a time. Default: all data are on the GPU; data that exceed the device's largest buffer are streamed in
   * chunks of 32 MiB.
   * Example: `chunk: 10_000`.
   */
  readonly chunk?: number | undefined;
  /**
   * Encoding of the columns of the table that the inputs are from, for `dataset.encoder`. Default: undefined.
   * Example: `encoder: train.encoder`.
   */
  readonly encoder?: Encoder | undefined;
}

const NAMES: OptionNames<DatasetOptions> = {
  inputs: 1,
  features: 1,
  classes: 1,
  targets: 1,
  weights: 1,
  classNames: 1,
  firstClass: 1,
  ignoreClass: 1,
  encoder: 1,
  chunk: 1,
};

/** Names of the options of `Dataset.fromIdx`. */
const IDX_NAMES: OptionNames<Pick<SampleOptions, 'classNames' | 'firstClass' | 'ignoreClass'>> = {
  classNames: 1,
  firstClass: 1,
  ignoreClass: 1,
};

/** Samples that the `read` function of a stream returns. */
export type StreamedSamples = Pick<SampleOptions, 'inputs' | 'classes' | 'targets' | 'weights'>;

/** Options of `Dataset.stream`. */
export interface StreamOptions {
  /** Number of samples. Example: `length: 60_000`. */
  readonly length: number;
  /** Numbers in a sample. Example: `features: 784`. */
  readonly features: number;
  /**
   * Samples in a chunk; two chunks are on the GPU at a time. Default: as many as fit in 32 MiB.
   * Example: `chunk: 10_000`.
   */
  readonly chunk?: number | undefined;
  /**
   * Names of the classes by index. Needed if `read` returns names as `classes`. Default: none.
   * Example: `classNames: ['cat', 'dog']`.
   */
  readonly classNames?: readonly string[] | undefined;
  /**
   * Returns `count` samples from number `first` on, or a promise of them. All calls must return the same types: inputs
   * as bytes or as other numbers, and classes or targets of one width.
   * Example: `read: (first, count) => fetchSamples(first, count)`.
   */
  readonly read: (first: number, count: number) => StreamedSamples | Promise<StreamedSamples>;
}

const STREAM_NAMES: OptionNames<StreamOptions> = { length: 1, features: 1, chunk: 1, classNames: 1, read: 1 };

/**
 * Stream of the random numbers of a split: it separates them from other uses of the same seed, such as an epoch's
 * order.
 */
const SPLIT_STREAM = 0x73706c74;

/** Inputs on the GPU before normalisation: bytes or float32. */
export type RawTensor = Tensor<'u8'> | Tensor;

/** Options of `dataset.split`. */
export interface SplitOptions {
  /**
   * Seed of the random choice of samples, an integer ≥ 0; the model's seed has no part in it. The same seed gives the same
   * split. Default: 0.
   * Example: `seed: 1`.
   */
  readonly seed?: number | undefined;
  /**
   * True to give each class the same share of both parts, rounded to whole samples. Default: false.
   * Example: `stratify: true`.
   */
  readonly stratify?: boolean | undefined;
}

const SPLIT_NAMES: OptionNames<SplitOptions> = { seed: 1, stratify: 1 };

/** Samples on the GPU. */
export interface Resident {
  /** (samples, features), including samples that are not in this split */
  readonly inputs: RawTensor;
  /**
   * (samples, 1) class indices, or (samples, classCount) float32 targets; if there is one more column, it has float32
   * weights
   */
  readonly labels: LabelTensor;
}

/** Options of `dataset.statistics`. */
interface StatisticsOptions {
  readonly per?: 'set' | 'feature' | undefined;
}

const STATISTICS_NAMES: OptionNames<StatisticsOptions> = { per: 1 };

/** State that a data set shares with its splits. */
interface Store extends Pick<Samples, 'classNames' | 'flaws'> {
  readonly device: Device;
  readonly encoder?: Encoder | undefined;
  readonly resident?: Resident | undefined;
  /** Owner of the tensors on the device. */
  readonly owner: Owner;
  /** Resolves to the device's error for the upload, if it has one. */
  readonly fault?: Promise<Error | undefined> | undefined;
  /** Class of each sample, unless the labels are targets or streamed. */
  readonly classes?: Uint32Array | undefined;
  classCount: number;
  /** Number of data sets that share this state and are not disposed. */
  users: number;
}

/**
 * Samples and their labels, for training and evaluation: on the GPU, or streamed to it. Inputs given as bytes stay
 * bytes, all others are float32. Call `dispose()`, or declare it with `using`, to free its memory.
 * @example
 * const data = Dataset.create(gpu, { inputs: [0, 0, 0, 1, 1, 0, 1, 1], features: 2, classes: [0, 1, 1, 0] });
 * await trainer.fit(data, { epochs: 100 });
 */
export class Dataset {
  /** @internal Device that holds the samples. */
  readonly device: Device;
  /** Number of samples, without those of `ignoreClass`. */
  readonly length: number;
  /** Numbers in a sample. */
  readonly features: number;
  /** Names of the classes by index, if they are given or the table has names; undefined otherwise. */
  readonly classNames: readonly string[] | undefined;
  /** Encoding of the columns of a table, from `fromCsv` or `fromRows`; undefined otherwise. */
  readonly encoder: Encoder | undefined;
  /** @internal Samples on the GPU; undefined if they are streamed. */
  readonly resident: Resident | undefined;
  /** @internal Source of the chunks, if the samples are streamed; in either case, the row numbers of the samples. */
  readonly source: Source<Samples>;
  /** @internal Reasons why the targets are not probabilities. */
  readonly flaws: Flaws;
  readonly #store: Store;
  readonly #onDispose: Set<() => void> = new Set<() => void>();
  #disposed = false;

  private constructor(store: Store, source: Source<Samples>) {
    assertMade('Dataset', store, 'users', 'Dataset.create(gpu, { inputs, features, classes })');
    this.device = store.device;
    this.length = source.length;
    this.features = source.features;
    this.classNames = store.classNames;
    this.encoder = store.encoder;
    this.resident = store.resident;
    this.source = source;
    this.flaws = store.flaws;
    this.#store = store;
    store.users += 1;
  }

  /**
   * Number of classes, or the width of a row of targets. Classes as indices give the largest index + 1, names their
   * number, booleans 2, and one-hot rows their width. For a stream, of the samples that have been read so far.
   */
  get classCount(): number {
    return this.#store.classCount;
  }

  /**
   * @internal True if the labels are classes. False for targets, and for a stream, whose labels are not known in
   * advance.
   */
  get indices(): boolean {
    return this.#store.classes !== undefined || this.resident?.labels.dtype === 'u32';
  }

  /** @internal Class of each row, including those of other parts; undefined for targets and streams. */
  get rowClasses(): Uint32Array | undefined {
    return this.#store.classes;
  }

  /** @internal Row numbers of the samples in inputs and labels, in order; empty for a stream. */
  get rows(): Uint32Array<ArrayBuffer> {
    return this.source.rows;
  }

  /**
   * Creates a data set from arrays, and uploads it. Data that exceed the device's largest buffer stay in the given
   * arrays and are streamed, as with the option `chunk`. If the device has no memory for the data, the methods that use
   * the data set reject with the code `out-of-memory`.
   * @param device a `Gpu`
   * @throws {ShapeError} if the lengths of the arrays do not match, or `features` is not a positive integer
   * @throws {DataError} if a class is not an integer ≥ 0, a number is not finite, a weight is negative, there are no
   * samples, or not exactly one of classes and targets is given; the message states the position
   * @throws {MlpError} `bad-option` if `chunk` is not a positive integer, or a GPUBuffer lacks the usage COPY_SRC;
   * `other-gpu` for a tensor of another device
   * @throws {DisposedError|DeviceLostError} if the device is destroyed or lost
   * @example
   * const data = Dataset.create(gpu, { inputs: pixels, features: 784, classes: digits });
   */
  static create(device: Device, options: DatasetOptions): Dataset {
    assertDevice('Dataset.create', device);
    const given = checkOptions('Dataset.create', options, NAMES);
    const { chunk, encoder } = given;
    if (chunk !== undefined) assertOption('Dataset.create:', { chunk }, 'a positive integer');
    const samples = placedSamples('Dataset.create', device, given);
    const { inputs, labels, features, words, classes, classCount, classNames, flaws } = samples;
    const length = inputs.length / features;
    const isHost = !(inputs instanceof Tensor || labels instanceof Tensor);
    const { maxStorageBufferBindingSize, maxBufferSize } = device.info.limits;
    const bytes = Math.ceil(Math.max(inputs.byteLength, labels.byteLength) / 16) * 16;
    const isResident =
      !isHost || (chunk === undefined && bytes <= Math.min(maxStorageBufferBindingSize, maxBufferSize));
    const owner = new Owner();
    const allocate = (): Resident => ({
      inputs: owner.own(place<'u8' | 'f32'>(device, inputs, [length, features], 'dataset inputs') as RawTensor),
      labels: owner.own(place<'u32' | 'f32'>(device, labels, [length, words], 'dataset labels') as LabelTensor),
    });
    const uploaded = isResident ? guardedUpload(device, owner, allocate) : undefined;
    const resident = uploaded?.value;
    const fault = uploaded?.fault;
    const host = isResident ? undefined : (samples as Samples);
    const rows = samples.kept ?? counting(length);
    return new Dataset(
      { device, resident, owner, fault, classCount, classNames, encoder, flaws, classes, users: 0 },
      { length: rows.length, features, rows, host, chunk },
    );
  }

  /**
   * Creates a data set whose samples are read during training, two chunks at a time, so that it can be larger than the
   * memory. Each epoch takes the full chunks in a new random order, a partial chunk last, and shuffles the samples
   * within each chunk. That is not a full shuffle: store the samples in random order. The first call of `read` asks for
   * one sample, to determine the types. If `read` throws, or returns samples that are not allowed, `fit`, `evaluate` or
   * `statistics` rejects.
   * @param device a `Gpu`
   * @throws {ShapeError} if `length`, `features` or `chunk` is not a positive integer
   * @throws {DisposedError|DeviceLostError} if the device is destroyed or lost
   * @example
   * const read = async (first, count) => ({
   *   inputs: await readPixels(first, count),
   *   classes: digits.subarray(first, first + count),
   * });
   * const data = Dataset.stream(gpu, { length: 1_000_000, features: 784, read });
   */
  static stream(device: Device, options: StreamOptions): Dataset {
    assertDevice('Dataset.stream', device);
    const { length, features, chunk, classNames, read } = checkOptions('Dataset.stream', options, STREAM_NAMES);
    assertOption('Dataset.stream:', { length, features, chunk: chunk ?? 1 }, 'a positive integer', 'shape');
    assertOption('Dataset.stream:', { read }, 'a function');
    const owner = new Owner();
    const store: Store = { device, owner, classCount: 0, classNames, flaws: {}, users: 0 };
    return new Dataset(store, {
      length,
      features,
      rows: new Uint32Array(0),
      chunk,
      read: async (where, first, count) => {
        const given: Partial<StreamedSamples> | undefined = await read(first, count);
        if (classNames === undefined && areNames(given?.classes)) {
          throw new DataError(`${where} gave names as classes. Pass { classNames } to Dataset.stream.`);
        }
        const samples = checkSamples(where, { inputs: [], ...given, features, ...(classNames && { classNames }) });
        store.classCount = Math.max(store.classCount, samples.classCount);
        return samples;
      },
    });
  }

  /**
   * Creates a data set from two files in the IDX format of MNIST, plain or gzip: images and their labels. Elements may
   * have any of the format's types: uint8, int8, int16, int32, float32 or float64, big-endian. Images of uint8 stay
   * bytes on the GPU, all others become float32.
   * @param device a `Gpu`
   * @param imageFile file of images, (count, rows, columns), or its URL; `features` is rows · columns
   * @param labelFile file of labels, (count), integers ≥ 0 of any type, or its URL; they become the classes
   * @param options names of the classes, and the numbering of the labels, as `Dataset.create` takes them
   * @throws {DataError} if a file is malformed, or their counts differ; the message states the position
   * @throws {MlpError} `fetch` if a file cannot be fetched
   * @throws {DisposedError|DeviceLostError} if the device is destroyed or lost
   * @example
   * const data = await Dataset.fromIdx(gpu, fetch('images-idx3-ubyte.gz'), fetch('labels-idx1-ubyte.gz'));
   */
  static async fromIdx(
    device: Device,
    imageFile: ByteSource,
    labelFile: ByteSource,
    options: Pick<SampleOptions, 'classNames' | 'firstClass' | 'ignoreClass'> = {},
  ): Promise<Dataset> {
    assertDevice('Dataset.fromIdx', device);
    const known = checkOptions('Dataset.fromIdx', options, IDX_NAMES);
    const { readIdxFiles } = await import('./idx.js');
    return Dataset.create(device, { ...known, ...(await readIdxFiles(imageFile, labelFile, 'Dataset.fromIdx')) });
  }

  /**
   * Creates a data set from CSV, as a string or as bytes in UTF-8, plain or gzip: one or more columns of labels, and
   * all other columns are inputs. A label column of texts becomes classes, numbered in order of first appearance;
   * `classNames` has their names. Read further files of the same model with `like`.
   * @param device a `Gpu`
   * @param file the text of the file, its bytes, or its URL
   * @throws {DataError} if the file is malformed; the message states the line and the column
   * @throws {MlpError} `bad-option` if a column does not exist, or an option is not allowed; `fetch` if the file cannot
   * be fetched
   * @throws {DisposedError|DeviceLostError} if the device is destroyed or lost
   * @example
   * const flowers = await Dataset.fromCsv(gpu, text, { target: 'species' });
   * const more = await Dataset.fromCsv(gpu, otherText, { like: flowers });
   */
  static async fromCsv(device: Device, file: string | ByteSource, options: CsvOptions): Promise<Dataset> {
    assertDevice('Dataset.fromCsv', device);
    const { readCsv } = await import('./csv.js');
    return Dataset.create(device, await readCsv(file, options, 'Dataset.fromCsv: the file'));
  }

  /**
   * Creates a data set from rows of objects, or of arrays, such as parsed JSON: one or more columns of labels, and all
   * other columns are inputs. Texts in columns of numbers are not converted. A label column of texts or booleans
   * becomes classes in sorted order; `classNames` has their names. Encode further rows of the same model with `like`;
   * `model.predict` takes rows of objects and encodes them itself.
   * @param device a `Gpu`
   * @throws {DataError} if a cell is missing, or not allowed in its column; the message states the row and the column
   * @throws {MlpError} `bad-option` if a column does not exist, or an option is not allowed
   * @throws {DisposedError|DeviceLostError} if the device is destroyed or lost
   * @example
   * const rows = [
   *   { size: 3, color: 'red', kind: 'apple' },
   *   { size: 9, color: 'green', kind: 'melon' },
   * ];
   * const fruits = await Dataset.fromRows(gpu, rows, { target: 'kind', categories: ['color'] });
   */
  static async fromRows(device: Device, rows: readonly TableRow[], options: TableOptions): Promise<Dataset> {
    assertDevice('Dataset.fromRows', device);
    const { readRows } = await import('./rows.js');
    return Dataset.create(device, readRows(rows, options, 'Dataset.fromRows'));
  }

  /**
   * Splits the samples at random into two data sets that share the buffers of this one. Nothing is copied; the memory
   * is freed when all three data sets are disposed. For three parts, split one of the two again.
   * @param fraction share of the first part, in (0, 1): it gets fraction · length samples, rounded
   * @returns a part with that share, and a part with all other samples
   * @throws {DataError} if a part would be empty, or `stratify` is set but the labels are not classes
   * @throws {MlpError} `bad-option` for a stream, `bad-seed` if the seed is not an integer ≥ 0
   * @throws {DisposedError} if this data set is disposed
   * @example
   * const [train, test] = data.split(0.8, { seed: 1, stratify: true });
   */
  split(fraction: number, options: SplitOptions = {}): readonly [Dataset, Dataset] {
    const { seed = 0, stratify = false } = checkOptions('split', options, SPLIT_NAMES);
    this.check('split');
    if (typeof fraction !== 'number') assertOption('split:', { fraction }, 'a finite number');
    assertOption('split:', { stratify }, 'true or false');
    assertOption('split:', { seed }, 'an integer >= 0', 'bad-seed');
    const { classes } = this.#store;
    if (this.source.read !== undefined) {
      throw new MlpError('bad-option', 'split: a stream cannot be split. Make two streams.');
    }
    if (stratify && classes === undefined) {
      throw new DataError('split: only classes in the memory of the host can be stratified.');
    }
    const wanted = Math.round(fraction * this.length);
    if (!(wanted > 0 && wanted < this.length)) {
      throw new DataError(`split: fraction = ${fraction} of ${this.length} samples leaves a part empty.`);
    }
    const group = (row: number): number => (stratify ? (classes?.[row] ?? 0) : 0);
    const parts = divide(new Random(seed, SPLIT_STREAM).shuffled(this.rows), group, fraction, wanted);
    return [this.part(parts[0]), this.part(parts[1])];
  }

  /** @internal A data set of some of the rows, which shares the buffers of this one. Not for a stream. */
  part(rows: Uint32Array<ArrayBuffer>): Dataset {
    return new Dataset(this.#store, { ...this.source, rows, length: rows.length });
  }

  /**
   * Computes the mean and the population standard deviation of all inputs, for the option `normalize` of `Mlp.create`.
   * If all values are equal, `std` is 1. The GPU computes them, with the same bits each time.
   * @throws {DataError} if the squares of the values exceed float32, or `read` of a stream returns data that are not
   * allowed
   * @throws {DisposedError|DeviceLostError} if the data set is disposed, or the device is lost
   * @throws {MlpError} `out-of-memory` if the device had no memory for the samples
   * @example
   * const model = await Mlp.create(gpu, { inputs: 4, layers, normalize: await data.statistics() });
   */
  statistics(options?: {
    /** `set`: statistics of all inputs together. Default: `set`. */
    readonly per?: 'set' | undefined;
  }): Promise<Statistics<number>>;
  /**
   * Computes the mean and the population standard deviation of each feature. If all values of a feature are equal, its
   * `std` is 1. Errors are those of `statistics()`.
   * @example
   * const normalize = await data.statistics({ per: 'feature' });
   */
  statistics(options: {
    /** `feature`: statistics of each feature, as arrays of `features` numbers. */
    readonly per: 'feature';
  }): Promise<Statistics<number[]>>;
  async statistics(options: StatisticsOptions = {}): Promise<Statistics> {
    const { per } = checkOptions('statistics', options, STATISTICS_NAMES);
    const { inputStatistics } = await import('./statistics.js');
    return await inputStatistics(this, per);
  }

  /**
   * Computes the mean and the population standard deviation of each target, for the option `targets` of `Mlp.create`. If
   * all values of a target are equal, its `std` is 1. Weights of samples do not count. Errors are those of `statistics()`.
   * @throws {DataError} also if the labels are classes
   * @example
   * const model = await Mlp.create(gpu, { inputs: 4, layers, targets: await data.targetStatistics() });
   */
  async targetStatistics(): Promise<Statistics<number[]>> {
    const { targetStatistics } = await import('./statistics.js');
    return await targetStatistics(this);
  }

  /** @internal Checks that the data set is in use. @throws {DisposedError} after `dispose` */
  check(where: string): void {
    if (this.#disposed) throw new DisposedError(`${where}: the data set has been disposed. Make it again.`);
  }

  /**
   * @internal Waits until the device has accepted the upload.
   * @throws {MlpError} `out-of-memory` if it has no memory for it
   */
  async ready(): Promise<void> {
    const fault = await this.#store.fault;
    if (fault !== undefined) throw fault;
  }

  /** @internal Calls `callback` when the data set is disposed; returns a function that cancels this. */
  onDispose(callback: () => void): () => void {
    this.#onDispose.add(callback);
    return () => this.#onDispose.delete(callback);
  }

  /** Frees the memory, once all data sets that share it by `split` are disposed. A second call does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const callback of this.#onDispose) callback();
    this.#onDispose.clear();
    this.#store.users -= 1;
    if (this.#store.users === 0) this.#store.owner.dispose();
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

/** Samples of which some are on the device already. */
interface PlacedSamples extends Omit<Samples, 'inputs' | 'labels'> {
  readonly inputs: RawArray | RawTensor;
  readonly labels: HostLabels['labels'] | LabelTensor;
}

/** Checks samples, which may be on the device. @throws as `Dataset.create` */
function placedSamples(where: string, device: Device, options: DatasetOptions): PlacedSamples {
  const { inputs, features, ...labels } = options;
  const { classes, targets } = labels;
  const placed = isOnDevice(device, inputs)
    ? deviceInputs(where, device, inputs, features)
    : checkInputs(where, inputs, features);
  const count = placed.inputs.length / placed.features;
  return {
    ...placed,
    ...(isOnDevice(device, classes) || isOnDevice(device, targets)
      ? deviceLabels(where, device, labels, count)
      : checkLabels(where, labels as LabelOptions, count)),
  };
}

/** Copies values to a new tensor: from the host, or from a tensor. */
function place<T extends DType>(
  device: Device,
  values: ArrayOf<T> | Tensor<T>,
  shape: readonly number[],
  label: string,
): Tensor<T> {
  if (!(values instanceof Tensor)) return upload<T>(device, values, shape, label);
  const copy = Tensor.empty(device, shape, label, values.dtype);
  copy.copyFrom(values);
  return copy;
}

/** Runs the upload `allocate`, and frees the tensors of `owner` if the device has no memory for them. */
function guardedUpload(device: Device, owner: Owner, allocate: () => Resident): Guarded<Resident> {
  try {
    const uploaded = device.guard('Dataset.create', allocate);
    void uploaded.fault.then((error) => {
      if (error !== undefined) owner.dispose();
    });
    return uploaded;
  } catch (error) {
    owner.dispose();
    throw error;
  }
}
