import { DataError, MlpError, ShapeError } from '../base/errors.js';
import { type Disposable, Owner } from '../base/owner.js';
import type { Random } from '../base/random.js';
import type { Format } from '../data/chunks.js';
import type { Dataset, RawTensor, Resident } from '../data/dataset.js';
import type { Flaws } from '../data/samples.js';
import type { LabelTensor, RowSource } from '../kernels/gather-rows.js';
import { type Model, rowSource } from '../model/model.js';
import type { Purpose } from '../nn/layers/layer.js';
import type { Loss } from '../nn/losses/loss.js';
import type { PlanBuilder } from '../plan/builder.js';
import { verified } from '../plan/device.js';
import type { Plan } from '../plan/plan.js';
import type { StepRecords } from '../plan/step-records.js';
import { Tensor } from '../plan/tensor.js';
import type { Accumulators } from './accumulators.js';
import { recordStep, type StepParts } from './step.js';

/** Data as steps read them: where batches come from, and the plan that is replayed for each. */
export interface BatchSource extends Disposable {
  readonly plan: Plan;
  readonly rows: RowSource;
  /** The gradients of all parameters, where the plan keeps them. */
  readonly gradients: Tensor;
  /** The accumulators that the plan adds to. */
  readonly accumulators: Omit<Accumulators, 'packed'>;
  /** The data set that batches come from, if they do not come from the host. */
  readonly dataset?: Dataset;
}

/** Batches of an epoch whose samples are on the device together. */
export interface Shard {
  readonly source: BatchSource;
  readonly samples: number;
  /** The epoch's first step that it is for. */
  readonly first: number;
  readonly steps: number;
}

/** A data set as its epochs need it, shard by shard. */
export interface EpochIterator extends Disposable {
  /** The source of any shard: they have the same plan and the same accumulators. */
  readonly source: BatchSource;
  /** Begins an epoch, in an order that `random` makes. */
  begin(random?: Random): void;
  /** The shard that a step is in; steps are asked for in their order. A promise, if it is not on the device yet. */
  shard(step: number): Shard | Promise<Shard>;
}

/** The epochs of a data set that is on the device: all of an epoch is one shard. */
export function residentEpochs(
  source: BatchSource,
  { rows, length }: { readonly rows: Uint32Array<ArrayBuffer>; readonly length: number },
  batch: number,
): EpochIterator {
  const shard = { source, samples: length, first: 0, steps: Math.ceil(length / batch) };
  return {
    source,
    begin: (random) => source.rows.order.write(random?.shuffled(rows) ?? rows),
    shard: () => shard,
    dispose: () => {},
  };
}

/** A kind of labels: their type, and how many words one has. */
type LabelKind = Format['labels'];

/**
 * The batch sources of a session: one for each data set and purpose, until the data set is disposed, and one for minibatches
 * of each kind.
 */
export class BatchSources implements Disposable {
  readonly #parts: StepParts;
  readonly #records: StepRecords;
  readonly #owner: Owner;
  readonly #ofDatasets: Record<'step' | 'evaluate', Map<Dataset, Promise<BatchSource>>> = {
    step: new Map<Dataset, Promise<BatchSource>>(),
    evaluate: new Map<Dataset, Promise<BatchSource>>(),
  };
  readonly #ofMinibatches: Map<string, BatchSource> = new Map<string, BatchSource>();
  /** The device's verdicts that are on their way, on sources that were made without waiting. */
  readonly #verdicts: Map<BatchSource, Promise<Error | undefined>> = new Map<BatchSource, Promise<Error | undefined>>();
  /** The error for which a source was dropped. */
  readonly #dropped: WeakMap<BatchSource, Error> = new WeakMap<BatchSource, Error>();
  /** Ends with the compilation that was asked for last. */
  #compiling: Promise<void> = Promise.resolve();
  /** Ends listening to data sets, which outlive a trainer as well. */
  readonly #listening: Set<() => void> = new Set<() => void>();
  /** An error that the device had with a step that nobody waited for. */
  #fault: Error | undefined;

  /** @param owner of the session: disposes of the sources */
  constructor(parts: StepParts, records: StepRecords, owner: Owner) {
    this.#parts = parts;
    this.#records = records;
    this.#owner = owner;
  }

  /** @throws {MlpError} once, for a step for which the device had no memory */
  check(): void {
    const fault = this.#fault;
    this.#fault = undefined;
    if (fault !== undefined) throw fault;
  }

  /** The device's verdict on a source, if it is on its way: an error, or nothing. */
  verdict(source: BatchSource): Promise<Error | undefined> {
    return this.#verdicts.get(source) ?? Promise.resolve(undefined);
  }

  /**
   * Compiles plans of the session's workspace one after the other, and after the verdicts that are on their way: each takes memory
   * that the ones before it may have to give back.
   * @throws as `check`; and what `work` throws
   */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#compiling.then(async () => {
      await Promise.all(this.#verdicts.values());
      this.check();
      this.#owner.check();
      return await work();
    });
    const over = (): void => undefined;
    this.#compiling = turn.then(over, over);
    return turn;
  }

  /** Queues work. Errors that the device has with it while a verdict is on its way follow from that. */
  queue<T>(what: string, work: () => T): T {
    return this.#verdicts.size === 0 ? work() : this.#parts.model.device.guard(what, work).value;
  }

  /**
   * Compiles a step for the data that are likeliest: bytes for a model that scales bytes, floats for others; and classes if
   * the loss tells them apart.
   * Where others come, the kernels that read them are compiled when they do.
   */
  async prepare(): Promise<BatchSource> {
    const { model, loss } = this.#parts;
    const dtype = typeof model.spec.normalize === 'string' ? 'u8' : 'f32';
    const labels: LabelKind = loss.link === 'softmax' ? ['u32', 1] : ['f32', model.outputs];
    const source = await this.#compile('trainer', 'step', (owner) => this.#buffers(owner, dtype, labels));
    this.#ofMinibatches.set(kindOf(dtype, labels, 'step'), source);
    return source;
  }

  /** The source of a data set. Training and evaluation have an order each, so that neither disturbs the other. */
  of(dataset: Dataset, { inputs, labels }: Resident, purpose: 'step' | 'evaluate'): Promise<BatchSource> {
    const sources = this.#ofDatasets[purpose];
    const known = sources.get(dataset);
    if (known !== undefined) return known;
    const { model } = this.#parts;
    const making = this.#compile(
      callerOf(purpose),
      purpose,
      (owner) => {
        const rows = rowSource(model, inputs, labels, dataset.rows);
        owner.own(rows.order);
        return rows;
      },
      dataset,
    );
    sources.set(dataset, making);
    // A trainer outlives many data sets.
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

  /** A source of some rows of a data set, whose caller writes them, and disposes of it. */
  slot(dataset: Dataset, { dtype, labels }: Format, rows: number, purpose: 'step' | 'evaluate'): Promise<BatchSource> {
    const allocate = (owner: Owner): RowSource => this.#buffers(owner, dtype, labels, rows);
    return this.#compile(callerOf(purpose), purpose, allocate, dataset);
  }

  /** The source of minibatches from the host: its data are overwritten at each use. Nothing is waited for. */
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
      // Whoever wants gradients waits for them.
      if (purpose === 'step') this.#fault ??= cause;
      this.#drop(earlier, cause);
      builder.discard();
      return cause;
    });
    this.#verdicts.set(source, verdict);
    return source;
  }

  /**
   * Drops the sources of minibatches but for some: those made later share memory with a plan that the device had none for.
   * @param cause the error that errors with them follow from
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

  /** Buffers for samples that the host writes. */
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

  /** Allocates, records and compiles. @throws what the device has against it; nothing is left behind */
  #compile(
    what: string,
    purpose: Purpose,
    allocate: (owner: Owner) => RowSource,
    dataset?: Dataset,
  ): Promise<BatchSource> {
    return this.inTurn(() => this.#compileNow(what, purpose, allocate, dataset));
  }

  async #compileNow(
    what: string,
    purpose: Purpose,
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

  /** Allocates and records; programs are compiled when they are first used. */
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

  #keep(
    owner: Owner,
    plan: Plan,
    rows: RowSource,
    purpose: Purpose,
    gradients: Tensor,
    dataset?: Dataset,
  ): BatchSource {
    const { batch } = this.#parts;
    const { packed, ...apart } = this.#parts.accumulators[purpose];
    const accumulators = plan.takesRuns
      ? { ...apart, totals: packed.view(0, [2, batch]), losses: packed.view(2 * batch, [batch, 1]) }
      : apart;
    this.#owner.own(owner);
    const dispose = (): void => this.#owner.free(owner);
    return { plan, rows, gradients, accumulators, dispose, ...(dataset && { dataset }) };
  }
}

/** The method of a trainer that wants sources for a purpose, as errors name it. */
const callerOf = (purpose: 'step' | 'evaluate'): string => (purpose === 'step' ? 'fit' : purpose);

const kindOf = (dtype: 'u8' | 'f32', labels: LabelKind, purpose: Purpose): string =>
  [dtype, ...labels, purpose].join('/');

/** Checks that a data set can go through a model. @throws {DisposedError|MlpError|ShapeError|DataError} */
export function checkDataset(where: string, dataset: Dataset, model: Model, loss: Loss): void {
  dataset.check(where);
  if (dataset.device !== model.device) {
    throw new MlpError('other-gpu', `${where}: the data set is on another device than the model.`);
  }
  if (dataset.features !== model.spec.inputs) {
    throw new ShapeError(
      `${where}: a sample of the data set has ${dataset.features} features, but the model has ${model.spec.inputs} inputs.`,
    );
  }
  // The labels of a stream are checked as they are read.
  if (dataset.source.read === undefined) checkLabels(where, dataset, model, loss);
}

/** Checks that a loss can compare labels with a model's outputs. @throws {DataError} */
export function checkLabels(
  where: string,
  labels: { readonly classCount: number; readonly indices: boolean; readonly flaws: Flaws },
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
    throw new DataError(
      `${where}: the largest class is ${classCount - 1}, but the model has ${outputs} outputs, for classes 0 to ${classes - 1}.`,
    );
  }
  const flaw = link === 'identity' ? undefined : flaws[link];
  if (flaw !== undefined) {
    const wanted = link === 'softmax' ? '≥ 0 and with a sum of 1' : 'from 0 to 1';
    throw new DataError(`${where}: ${type} learns from probabilities, ${wanted}, but in the targets ${flaw}.`);
  }
}
