import { assertOption, sizeOf } from '../base/check.js';
import { DataError, DisposedError, MlpError } from '../base/errors.js';
import { Owner } from '../base/owner.js';
import { counting, Random } from '../base/random.js';
import type { LabelTensor } from '../kernels/gather-rows.js';
import type { Device, Guarded } from '../plan/device.js';
import { type Tensor, upload } from '../plan/tensor.js';
import type { Source } from './chunks.js';
import type { CsvOptions } from './csv.js';
import { checkSamples, type Flaws, type SampleOptions, type Samples } from './samples.js';
import type { Statistics } from './statistics.js';

export interface DatasetOptions extends SampleOptions {
  /**
   * Samples that are on the GPU at a time: the data then stay on the host, in the arrays that came, and are streamed while
   * training goes on. Without it that is done with data that are larger than a buffer may be.
   */
  readonly chunk?: number;
}

/** Some samples of a stream. */
export type StreamedSamples = Pick<SampleOptions, 'inputs' | 'classes' | 'targets' | 'weights'>;

export interface StreamOptions {
  /** Samples in all. */
  readonly length: number;
  /** Numbers in a sample. */
  readonly features: number;
  /** Samples that are on the GPU at a time, and as many again that come next; 32 MiB of float32 by default. */
  readonly chunk?: number;
  /** Gives `count` samples from number `first` on. All are of one kind: bytes or numbers, classes or rows of targets. */
  readonly read: (first: number, count: number) => StreamedSamples | Promise<StreamedSamples>;
}

/** Tells a split from other uses of the same seed, such as an epoch's order. */
const SPLIT_STREAM = 0x73706c74;

/** Raw inputs on the GPU: bytes or float32. */
export type RawTensor = Tensor<'u8'> | Tensor;

export interface SplitOptions {
  /** Decides which samples go where. */
  readonly seed?: number;
  /** True to give each class the same share in both parts, as far as whole samples allow. */
  readonly stratify?: boolean;
}

/** Samples on the GPU. */
export interface Resident {
  /** (samples, features), with those that a split leaves out */
  readonly inputs: RawTensor;
  /** (samples, 1) class indices, or (samples, classCount) float32; with one column more, the last has float32 weights */
  readonly labels: LabelTensor;
}

/** The parts that a data set and the splits of it have in common. */
interface Store extends Pick<Samples, 'classNames' | 'flaws'> {
  readonly device: Device;
  readonly resident?: Resident | undefined;
  /** Frees the samples on the device. */
  readonly owner: Owner;
  /** The device's verdict on the upload, which nobody has waited for. */
  readonly fault?: Promise<Error | undefined> | undefined;
  /** The class of each sample, if it has one. */
  readonly classes?: Uint32Array | undefined;
  classCount: number;
  /** The number of data sets that are in use. */
  users: number;
}

/** Samples with their labels, in the type they came in: resident on the GPU, or streamed to it. */
export class Dataset {
  /** @internal */
  readonly device: Device;
  /** Samples. */
  readonly length: number;
  /** Numbers in a sample. */
  readonly features: number;
  /** Names of the classes, if they are known: in a CSV file they have names. */
  readonly classNames: readonly string[] | undefined;
  /** @internal Its samples, unless they are streamed. */
  readonly resident: Resident | undefined;
  /** @internal Their source if they are; and which samples are its own. */
  readonly source: Source<Samples>;
  /** @internal The reasons why the targets are no probabilities of classes, or of one thing each, if they are not. */
  readonly flaws: Flaws;
  readonly #store: Store;
  readonly #onDispose: Set<() => void> = new Set<() => void>();
  #disposed = false;

  private constructor(store: Store, source: Source<Samples>) {
    this.device = store.device;
    this.length = source.length;
    this.features = source.features;
    this.classNames = store.classNames;
    this.resident = store.resident;
    this.source = source;
    this.flaws = store.flaws;
    this.#store = store;
    store.users += 1;
  }

  /** One more than the largest class, or the numbers in a row of targets; of a stream, as far as it has been read. */
  get classCount(): number {
    return this.#store.classCount;
  }

  /** @internal True if it has a class for each sample, and not targets; only `read` knows of a stream. */
  get indices(): boolean {
    return this.#store.classes !== undefined;
  }

  /** @internal The rows of inputs and labels that are its samples, in their order; none where only `read` knows them. */
  get rows(): Uint32Array<ArrayBuffer> {
    return this.source.rows;
  }

  /**
   * Uploads samples and their labels. What is larger than a buffer may be stays on the host, as with `chunk`.
   * @throws {ShapeError} if lengths do not fit together
   * @throws {DataError} for a class that is not an index, or a number that is not finite; it says where
   */
  static create(device: Device, options: DatasetOptions): Dataset {
    device.check();
    const samples = checkSamples('Dataset.create', options);
    const { inputs, labels, features, words } = samples;
    const { chunk } = options;
    if (chunk !== undefined) assertOption('Dataset.create:', { chunk }, 'a positive integer');
    const length = inputs.length / features;
    const { maxStorageBufferBindingSize, maxBufferSize } = device.info.limits;
    const bytes = Math.ceil(Math.max(inputs.byteLength, labels.byteLength) / 16) * 16;
    const isResident = chunk === undefined && bytes <= Math.min(maxStorageBufferBindingSize, maxBufferSize);
    const owner = new Owner();
    const allocate = (): Resident => ({
      inputs: owner.own(upload<'u8' | 'f32'>(device, inputs, [length, features], 'dataset inputs') as RawTensor),
      labels: owner.own(upload<'u32' | 'f32'>(device, labels, [length, words], 'dataset labels') as LabelTensor),
    });
    const uploaded = isResident ? guardedUpload(device, owner, allocate) : undefined;
    const resident = uploaded?.value;
    const { classCount, classNames, flaws } = samples;
    const classes = options.classes === undefined ? undefined : Uint32Array.from(options.classes);
    const host = isResident ? undefined : samples;
    return new Dataset(
      { device, resident, owner, fault: uploaded?.fault, classCount, classNames, flaws, classes, users: 0 },
      { length, features, rows: counting(length), host, chunk },
    );
  }

  /**
   * Samples that are read while training goes on, two chunks at a time, whatever their number. An epoch takes the chunks in
   * an order of its own, the last one last, and the samples of each chunk likewise: no full shuffle, so samples that are
   * alike should not follow each other in what is read. `read` is asked for one sample first, to know of which kind they are.
   * An error that it throws, or a result that is no such sample, rejects `fit`, `evaluate` or `statistics`.
   */
  static stream(device: Device, { length, features, chunk, read }: StreamOptions): Dataset {
    device.check();
    assertOption('Dataset.stream:', { length, features, chunk: chunk ?? 1 }, 'a positive integer', 'shape');
    const owner = new Owner();
    const store: Store = { device, owner, classCount: 0, flaws: {}, users: 0 };
    return new Dataset(store, {
      length,
      features,
      rows: new Uint32Array(0),
      chunk,
      read: async (where, first, count) => {
        const given: Partial<StreamedSamples> = await read(first, count);
        const samples = checkSamples(where, { inputs: [], ...given, features });
        store.classCount = Math.max(store.classCount, samples.classCount);
        return samples;
      },
    });
  }

  /**
   * Reads two files in the IDX format of MNIST, gzip or plain.
   * @throws {DataError} that says where a file does not hold together
   */
  static async fromIdx(
    device: Device,
    imageBytes: ArrayBuffer | Uint8Array,
    labelBytes: ArrayBuffer | Uint8Array,
  ): Promise<Dataset> {
    const { readIdx } = await import('./idx.js');
    const images = await readIdx(imageBytes, { name: 'Dataset.fromIdx: the IDX file of images' });
    const labels = await readIdx(labelBytes, { name: 'Dataset.fromIdx: the IDX file of labels', rank: 1 });
    const [count = 0, ...sizes] = images.shape;
    if (sizes.length === 0) {
      throw new DataError('Dataset.fromIdx: the IDX file of images has 1 dimension, as labels have; images have 3.');
    }
    if (labels.data.length !== count) {
      throw new DataError(`Dataset.fromIdx: there are ${count} images but ${labels.data.length} labels.`);
    }
    const features = sizeOf(sizes);
    return Dataset.create(device, { inputs: images.data, features, classes: labels.data });
  }

  /**
   * Reads samples from CSV, text or bytes, gzip or plain: numbers, and a column of labels. A column of texts becomes classes
   * in order of first appearance, which `classNames` tells.
   * @throws {DataError} that says in which line and column the file does not hold together
   */
  static async fromCsv(device: Device, file: string | Uint8Array | ArrayBuffer, options: CsvOptions): Promise<Dataset> {
    const { readCsv } = await import('./csv.js');
    return Dataset.create(device, await readCsv(file, options, 'Dataset.fromCsv: the file'));
  }

  /**
   * Two data sets over the same buffers: a fraction of the samples, drawn by the seed, and all the others. Nothing is copied;
   * the memory is freed when the last of the three is disposed. For three parts split one of the two again.
   * @throws {DataError} if a part would be empty, or `stratify` finds no classes
   */
  split(fraction: number, options: SplitOptions = {}): readonly [Dataset, Dataset] {
    const { seed = 0, stratify = false } = options;
    this.check('split');
    assertOption('split:', { seed }, 'an integer ≥ 0', 'bad-seed');
    const { classes } = this.#store;
    if (this.source.read !== undefined) {
      throw new MlpError('bad-option', 'split: a stream cannot be split. Make two streams.');
    }
    if (stratify && classes === undefined) {
      throw new DataError('split: only classes can be stratified; these are targets.');
    }
    const wanted = Math.round(fraction * this.length);
    if (!(wanted > 0 && wanted < this.length)) {
      throw new DataError(`split: fraction = ${fraction} of ${this.length} samples leaves a part empty.`);
    }
    const group = (row: number): number => (stratify ? (classes?.[row] ?? 0) : 0);
    const parts = divide(new Random(seed, SPLIT_STREAM).shuffled(this.rows), group, fraction, wanted);
    const part = (own: Uint32Array<ArrayBuffer>): Dataset =>
      new Dataset(this.#store, { ...this.source, rows: own, length: own.length });
    return [part(parts[0]), part(parts[1])];
  }

  /**
   * Mean and population standard deviation of the inputs, for a model's `normalize`: of the whole set by default, or of each
   * feature. Where all values are the same, `std` is 1. Computed on the GPU; the same bits each time.
   * @throws {DataError} if squares are beyond float32
   */
  statistics(options?: { readonly per?: 'set' }): Promise<Statistics<number>>;
  statistics(options: { readonly per: 'feature' }): Promise<Statistics<number[]>>;
  async statistics({ per }: { readonly per?: 'set' | 'feature' } = {}): Promise<Statistics> {
    this.check('statistics');
    const { statistics } = await import('./statistics.js');
    const parts =
      this.resident === undefined
        ? (await import('./chunks.js')).uploads(this.device, this.source)
        : [{ data: this.resident.inputs, rows: this.rows }];
    this.check('statistics');
    await this.ready();
    return await statistics(this.device, parts, per);
  }

  /** @internal @throws {DisposedError} */
  check(where: string): void {
    if (this.#disposed) throw new DisposedError(`${where}: the data set has been disposed. Make it again.`);
  }

  /** @internal Waits for the device's verdict on the upload. @throws {MlpError} `out-of-memory` */
  async ready(): Promise<void> {
    const fault = await this.#store.fault;
    if (fault !== undefined) throw fault;
  }

  /** @internal Has `callback` called when the data set is disposed; returns a function that ends that. */
  onDispose(callback: () => void): () => void {
    this.#onDispose.add(callback);
    return () => this.#onDispose.delete(callback);
  }

  /** Frees the memory, unless splits of the same samples are in use. A second call does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const callback of this.#onDispose) callback();
    this.#onDispose.clear();
    this.#store.users -= 1;
    if (this.#store.users === 0) this.#store.owner.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Uploads what an owner gets, and gives it back if the device has no memory for it. */
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

/**
 * Divides rows in two, in the order they have: of each group its share of `wanted`, by largest remainder.
 * @param groupOf a row's group
 */
function divide(
  rows: Uint32Array,
  groupOf: (row: number) => number,
  fraction: number,
  wanted: number,
): [Uint32Array<ArrayBuffer>, Uint32Array<ArrayBuffer>] {
  const counts = new Map<number, number>();
  for (const row of rows) counts.set(groupOf(row), (counts.get(groupOf(row)) ?? 0) + 1);
  const shares = [...counts].map(([group, count]) => ({
    group,
    share: fraction * count,
    whole: Math.floor(fraction * count),
  }));
  const missing = shares.reduce((left, { whole }) => left - whole, wanted);
  shares.sort((a, b) => b.share - b.whole - (a.share - a.whole) || a.group - b.group);
  const quotas = new Map(shares.map(({ group, whole }, place) => [group, whole + (place < missing ? 1 : 0)]));
  const parts: [number[], number[]] = [[], []];
  for (const row of rows) {
    const quota = quotas.get(groupOf(row)) ?? 0;
    parts[quota > 0 ? 0 : 1].push(row);
    quotas.set(groupOf(row), quota - 1);
  }
  return [Uint32Array.from(parts[0]), Uint32Array.from(parts[1])];
}
