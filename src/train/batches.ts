import { assertMethod } from '../base/check.js';
import { DataError, MlpError, ShapeError } from '../base/errors.js';
import { type Disposable, Owner } from '../base/owner.js';
import type { Random } from '../base/random.js';
import type { Format } from '../data/chunks.js';
import type { Dataset, RawTensor, Resident } from '../data/dataset.js';
import type { CheckedMinibatch } from '../data/minibatch.js';
import type { Flaws, HostLabels, RawArray } from '../data/samples.js';
import type { LabelTensor, RowSource } from '../kernels/gather-rows.js';
import { checkAlike } from '../model/description.js';
import { type Model, rowSource } from '../model/model.js';
import type { Purpose } from '../nn/layers/layer.js';
import type { Loss } from '../nn/losses/loss.js';
import type { PlanBuilder } from '../plan/builder.js';
import { verified } from '../plan/device.js';
import type { DeviceMemory } from '../plan/memory.js';
import type { Plan } from '../plan/plan.js';
import type { StepRecords } from '../plan/step-records.js';
import { type DType, Tensor } from '../plan/tensor.js';
import type { Accumulators } from './accumulators.js';
import { purposeOf, recordStep, type StepParts, type StepUse } from './step.js';

/** A source of batches: the data on the device, and the plan that is replayed for each batch. */
export interface BatchSource extends Disposable {
  readonly plan: Plan;
  readonly rows: RowSource;
  /** The gradients of all parameters. Readable only if the source's purpose is `gradients`. */
  readonly gradients: Tensor;
  /** The accumulators that the plan adds to. */
  readonly accumulators: Omit<Accumulators, 'packed'>;
  /** The data set that batches come from; absent for minibatches from the host. */
  readonly dataset?: Dataset;
}

/** Use of a data set's epochs. */
export type EpochUse = 'step' | 'evaluate' | 'average';

/** Consecutive batches of an epoch whose samples are on the device at the same time. */
export interface Shard {
  readonly source: BatchSource;
  readonly samples: number;
  /** Number of the shard's first batch, within the epoch. */
  readonly first: number;
  /** Batches of the shard. */
  readonly steps: number;
  /** Batches of the epoch. */
  readonly batches: number;
}

/** Iterates over the epochs of a data set, shard by shard. */
export interface EpochIterator extends Disposable {
  /** The source of the first shard. The sources of all shards have equal plans and the same accumulators. */
  readonly source: BatchSource;
  /** Begins an epoch, in a random order if `random` is given. */
  begin(random?: Random): void;
  /** The shard that contains a step; a promise if the shard is still loading. Callers ask for the steps in order. */
  shard(step: number): Shard | Promise<Shard>;
}

/** The epochs of a data set that is on the device as a whole. Each epoch is one shard. */
export function residentEpochs(
  source: BatchSource,
  { rows, length }: { readonly rows: Uint32Array<ArrayBuffer>; readonly length: number },
  batch: number,
): EpochIterator {
  const batches = Math.ceil(length / batch);
  const shard = { source, samples: length, first: 0, steps: batches, batches };
  return {
    source,
    begin: (random) => source.rows.order.write(random?.shuffled(rows) ?? rows),
    shard: () => shard,
    dispose: () => {},
  };
}

/** A kind of labels: their type, and the 4-byte words of one label. */
type LabelKind = Format['labels'];

/**
 * The batch sources of a session: one for each data set and purpose, which lives until the data set is disposed, and
 * one for minibatches of each kind of data and purpose.
 */
export class BatchSources implements Disposable {
  readonly #parts: StepParts;
  readonly #records: StepRecords;
  readonly #owner: Owner;
  readonly #ofDatasets: Record<EpochUse, Map<Dataset, Promise<BatchSource>>> = {
    step: new Map<Dataset, Promise<BatchSource>>(),
    evaluate: new Map<Dataset, Promise<BatchSource>>(),
    average: new Map<Dataset, Promise<BatchSource>>(),
  };
  readonly #ofMinibatches: Map<string, BatchSource> = new Map<string, BatchSource>();
  /** The device's verdicts that are pending, on sources that were made synchronously. */
  readonly #verdicts: Map<BatchSource, Promise<Error | undefined>> = new Map<BatchSource, Promise<Error | undefined>>();
  /** The error that caused a source to be dropped. */
  readonly #dropped: WeakMap<BatchSource, Error> = new WeakMap<BatchSource, Error>();
  /** Resolves at the end of the last compilation in the queue. */
  #compiling: Promise<void> = Promise.resolve();
  /** Functions that remove the listeners on data sets. A data set may outlive the trainer. */
  readonly #listening: Set<() => void> = new Set<() => void>();

  /** @param owner of the session: disposes of the sources */
  constructor(parts: StepParts, records: StepRecords, owner: Owner) {
    this.#parts = parts;
    this.#records = records;
    this.#owner = owner;
  }

  /**
   * The device's verdict on a source that was made synchronously: resolves to an error, or to nothing.
   * @returns undefined if the device has accepted the source
   */
  verdict(source: BatchSource): Promise<Error | undefined> | undefined {
    return this.#verdicts.get(source);
  }

  /**
   * Runs `work`, which compiles a plan of the session's workspace, after the compilations in the queue and the pending
   * verdicts. Each plan shares memory with the plans before it, and those that fail give their memory back.
   * @throws {DisposedError} if the session is disposed; and as `work`
   */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#compiling.then(async () => {
      await Promise.all(this.#verdicts.values());
      this.#owner.check();
      return await work();
    });
    const ignore = (): void => undefined;
    this.#compiling = turn.then(ignore, ignore);
    return turn;
  }

  /** Queues work. While a verdict is pending, the device's errors with that work are ignored, since it explains them. */
  queue<T>(what: string, work: () => T): T {
    return this.#verdicts.size === 0 ? work() : this.#parts.model.device.guard(what, work).value;
  }

  /**
   * Compiles a step for the likeliest kind of data: bytes if the model scales bytes, otherwise float32; classes if the
   * loss has a softmax, otherwise targets. The kernels for other kinds of data are compiled when such data arrive.
   */
  async prepare(): Promise<BatchSource> {
    const { model, loss } = this.#parts;
    const dtype = typeof model.spec.normalize === 'string' ? 'u8' : 'f32';
    const labels: LabelKind = loss.link === 'softmax' ? ['u32', 1] : ['f32', model.outputs];
    const source = await this.#compile('trainer', 'step', (owner) => this.#buffers(owner, dtype, labels));
    this.#ofMinibatches.set(kindOf(dtype, labels, 'step'), source);
    return source;
  }

  /** The source of a data set. Training and evaluation have separate sources, because their orders of samples differ. */
  of(dataset: Dataset, { inputs, labels }: Resident, purpose: EpochUse): Promise<BatchSource> {
    const sources = this.#ofDatasets[purpose];
    const known = sources.get(dataset);
    if (known !== undefined) return known;
    const { model, targets } = this.#parts;
    const making = this.#compile(
      callerOf(purpose),
      purpose,
      (owner) => {
        const scaled = targets?.onDevice(callerOf(purpose), labels, owner) ?? labels;
        const rows = rowSource(model, inputs, scaled, dataset.rows);
        owner.own(rows.order);
        return rows;
      },
      dataset,
    );
    sources.set(dataset, making);
    // A trainer may outlive many data sets, so it frees the source when the data set is disposed.
    const stop = dataset.onDispose(() => {
      this.#listening.delete(stop);
      sources.delete(dataset);
      making.then(
        (source) => source.dispose(),
        () => undefined,
      );
    });
    this.#listening.add(stop);
    making.catch(() => {
      this.#listening.delete(stop);
      stop();
      sources.delete(dataset);
    });
    return making;
  }

  /** A source with room for a number of rows of a data set. The caller writes the rows, and disposes of the source. */
  slot(dataset: Dataset, { dtype, labels }: Format, rows: number, purpose: EpochUse): Promise<BatchSource> {
    const allocate = (owner: Owner): RowSource => this.#buffers(owner, dtype, labels, rows);
    return this.#compile(callerOf(purpose), purpose, allocate, dataset);
  }

  /** The source of minibatches from the host, made synchronously. Each minibatch overwrites the previous one. */
  ofMinibatch(dtype: 'u8' | 'f32', labels: LabelKind, purpose: Purpose): BatchSource {
    const kind = kindOf(dtype, labels, purpose);
    const known = this.#ofMinibatches.get(kind);
    if (known !== undefined) return known;
    const { device } = this.#parts.model;
    const earlier = new Set(this.#ofMinibatches.values());
    const { value, fault } = device.guard(purpose, () =>
      this.#build(purpose, (owner) => this.#buffers(owner, dtype, labels)),
    );
    const { source, builder } = value;
    this.#ofMinibatches.set(kind, source);
    const verdict = fault.then((error) => {
      this.#verdicts.delete(source);
      if (error === undefined) return undefined;
      const cause = this.#dropped.get(source) ?? error;
      this.#drop(earlier, cause);
      builder.discard();
      return cause;
    });
    this.#verdicts.set(source, verdict);
    return source;
  }

  /**
   * Drops the sources of minibatches that are not in `kept`. They were made later, and share memory with a plan for
   * which the device had no memory.
   * @param cause the error of that plan, which explains the errors of the dropped sources
   */
  #drop(kept: ReadonlySet<BatchSource>, cause: Error): void {
    for (const [kind, source] of this.#ofMinibatches) {
      if (kept.has(source)) continue;
      this.#dropped.set(source, cause);
      this.#ofMinibatches.delete(kind);
      source.dispose();
    }
  }

  /** Ends listening to data sets. */
  dispose(): void {
    for (const stop of this.#listening) stop();
    this.#listening.clear();
  }

  /** Allocates buffers for samples that the host writes. */
  #buffers(
    owner: Owner,
    dtype: 'u8' | 'f32',
    [labelType, words]: LabelKind,
    count: number = this.#parts.batch,
  ): RowSource {
    const { model } = this.#parts;
    const data = owner.own(Tensor.empty(model.device, [count, model.spec.inputs], 'batch inputs', dtype) as RawTensor);
    const labels = owner.own(Tensor.empty(model.device, [count, words], 'batch labels', labelType) as LabelTensor);
    const rows = rowSource(model, data, labels);
    owner.own(rows.order);
    return rows;
  }

  /** Allocates, records and compiles a source. @throws the device's error, after freeing what was allocated */
  #compile(
    what: string,
    purpose: StepUse,
    allocate: (owner: Owner) => RowSource,
    dataset?: Dataset,
  ): Promise<BatchSource> {
    return this.inTurn(() => this.#compileNow(what, purpose, allocate, dataset));
  }

  async #compileNow(
    what: string,
    purpose: StepUse,
    allocate: (owner: Owner) => RowSource,
    dataset?: Dataset,
  ): Promise<BatchSource> {
    dataset?.check(what);
    const owner = new Owner();
    const { device } = this.#parts.model;
    const earlier = new Set(this.#ofMinibatches.values());
    try {
      const allocated = device.guard(what, () => allocate(owner));
      return await verified(allocated, async (rows) => {
        const { builder, gradients } = recordStep(this.#parts, rows, purpose);
        const plan = owner.own(await builder.compile(device, what, this.#records));
        this.#owner.check();
        return this.#keep(owner, plan, rows, purpose, gradients, dataset);
      });
    } catch (error) {
      this.#drop(earlier, error as Error);
      owner.dispose();
      throw error;
    }
  }

  /** Allocates and records a source synchronously. Its programs are compiled at the first replay. */
  #build(
    purpose: Purpose,
    allocate: (owner: Owner) => RowSource,
  ): { readonly source: BatchSource; readonly builder: PlanBuilder } {
    const owner = new Owner();
    try {
      const rows = allocate(owner);
      const { builder, gradients } = recordStep(this.#parts, rows, purpose);
      const plan = owner.own(builder.build(this.#parts.model.device, purpose, this.#records));
      return { source: this.#keep(owner, plan, rows, purpose, gradients), builder };
    } catch (error) {
      owner.dispose();
      throw error;
    }
  }

  /** Makes the source, which is disposed with the session at the latest. */
  #keep(
    owner: Owner,
    plan: Plan,
    rows: RowSource,
    purpose: StepUse,
    gradients: Tensor,
    dataset?: Dataset,
  ): BatchSource {
    const { batch } = this.#parts;
    const { packed, ...apart } = this.#parts.accumulators[purposeOf(purpose)];
    const accumulators = plan.takesRuns
      ? { ...apart, totals: packed.view(0, [4, batch]), losses: packed.view(4 * batch, [batch, 1]) }
      : apart;
    this.#owner.own(owner);
    const dispose = (): void => this.#owner.free(owner);
    return { plan, rows, gradients, accumulators, dispose, ...(dataset && { dataset }) };
  }
}

/** Checks the number of a minibatch's samples. @param every batches of a step @throws {ShapeError} */
export function checkRows(what: string, rows: number, batch: number, every: number): void {
  if (rows <= every * batch) return;
  const [and, most] = every === 1 ? ['', 'that many'] : [` and accumulate = ${every}`, `${every * batch}`];
  throw new ShapeError(`${what}: ${rows} samples came, but batchSize = ${batch}${and}. Pass at most ${most}.`);
}

/** One of the batches of a minibatch, which is alone in its source. */
interface MinibatchPart extends Pick<CheckedMinibatch, 'inputs' | 'labels'> {
  readonly shard: Shard;
}

/** Divides a minibatch into batches. @throws {ShapeError} if a batch of bytes begins within a 4-byte word of a tensor */
export function minibatchParts(
  what: string,
  source: BatchSource,
  { inputs, labels, rows }: CheckedMinibatch,
  batch: number,
): readonly [MinibatchPart, ...MinibatchPart[]] {
  const batches = Math.ceil(rows / batch);
  const part = (first: number): MinibatchPart => {
    const samples = Math.min(batch, rows - first * batch);
    const share = <Values extends RawArray | HostLabels['labels'] | Tensor<DType>>(values: Values): Values =>
      shareOf(what, values, rows, first * batch, samples) as Values;
    const shard = { source, samples, first, steps: 1, batches };
    return { shard, inputs: share(inputs), labels: share(labels) };
  };
  return [part(0), ...Array.from({ length: batches - 1 }, (_, number) => part(number + 1))];
}

/** Some of the rows of an array or a tensor. */
function shareOf(
  what: string,
  values: RawArray | HostLabels['labels'] | Tensor<DType>,
  rows: number,
  first: number,
  count: number,
): ArrayBufferView | Tensor<DType> {
  const columns = values.length / rows;
  const start = first * columns;
  if (!(values instanceof Tensor)) return values.subarray(start, start + count * columns);
  return values.view(start, [count, columns]).assertCopyable(`${what}: row ${first} of a tensor`);
}

/** Overwrites the first rows of a tensor: from the host, or on the device. */
export function overwrite(device: DeviceMemory, to: Tensor<DType>, values: ArrayBufferView | Tensor<DType>): void {
  if (values instanceof Tensor) to.view(0, values.shape).copyFrom(values);
  else device.write(to.buffer, 0, values);
}

/** The trainer's method that uses sources of a purpose, for error messages. */
const callerOf = (use: EpochUse): string => (use === 'step' ? 'fit' : 'evaluate');

/** The key of a kind of minibatches. */
const kindOf = (dtype: 'u8' | 'f32', labels: LabelKind, purpose: Purpose): string =>
  [dtype, ...labels, purpose].join('/');

/**
 * Checks that a model and a loss can use a data set.
 * @throws {DisposedError} if the data set is disposed
 * @throws {MlpError} `other-gpu` if the data set is on another device than the model
 * @throws {ShapeError|DataError} if its features or labels do not fit
 */
export function checkDataset(where: string, dataset: Dataset, model: Model, loss: Loss): void {
  assertMethod(`${where}: the data set`, dataset, 'statistics', 'Dataset.create(gpu, { inputs, features, classes })');
  dataset.check(where);
  if (dataset.device !== model.device) {
    throw new MlpError('other-gpu', `${where}: the data set is on another device than the model.`);
  }
  if (dataset.features !== model.spec.inputs) {
    throw new ShapeError(
      `${where}: a sample of the data set has ${dataset.features} features, but the model has ${model.spec.inputs} inputs.`,
    );
  }
  checkAlike(where, dataset, model.spec);
  // The labels of a stream are checked when they are read.
  if (dataset.source.read === undefined) checkLabels(where, dataset, model, loss);
}

/** Checks that a loss can compare labels with a model's outputs. @throws {DataError} */
export function checkLabels(
  where: string,
  labels: {
    readonly classCount: number;
    readonly indices: boolean;
    readonly flaws: Flaws;
    readonly rowClasses?: Uint32Array | undefined;
  },
  { outputs }: Model,
  { link, spec: { type } }: Loss,
): void {
  const { classCount, indices, flaws } = labels;
  if (!indices && classCount !== outputs) {
    throw new DataError(`${where}: a row of targets has ${classCount} numbers, but the model has ${outputs} outputs.`);
  }
  if (indices && (link === 'identity' || (link === 'logistic' && outputs > 1))) {
    throw new DataError(
      `${where}: ${type} learns from targets, ${outputs} numbers for each sample, but classes came. Pass targets, or use softmaxCrossEntropy().`,
    );
  }
  const classes = link === 'logistic' ? 2 : outputs;
  if (indices && classCount > classes) {
    const isFromOne = classCount === classes + 1 && labels.rowClasses?.includes(0) === false;
    const hint = isFromOne
      ? ' If the labels begin at 1, make the data set with { firstClass: 1 }.'
      : outputs === 1
        ? ' Use binaryCrossEntropy() for one output, or a unit for each class.'
        : '';
    throw new DataError(
      `${where}: the largest class is ${classCount - 1}, but the model has ${outputs} outputs, for classes 0 to ${classes - 1}.${hint}`,
    );
  }
  const flaw = link === 'identity' ? undefined : flaws[link];
  if (flaw !== undefined) {
    const wanted = link === 'softmax' ? '≥ 0 and with a sum of 1' : 'from 0 to 1';
    throw new DataError(`${where}: ${type} learns from probabilities, ${wanted}, but in the targets ${flaw}.`);
  }
}
