import { DataError, MlpError, ShapeError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import type { Format } from '../data/chunks.js';
import type { Dataset, RawTensor } from '../data/dataset.js';
import type { Flaws } from '../data/samples.js';
import type { LabelTensor, RowSource } from '../kernels/gather-rows.js';
import { type Model, rowSource } from '../model/model.js';
import type { Purpose } from '../nn/layers/layer.js';
import type { Loss } from '../nn/losses/loss.js';
import type { Plan } from '../plan/plan.js';
import type { StepRecords } from '../plan/step-records.js';
import { Tensor } from '../plan/tensor.js';
import { type Results, recordTraining, type Training } from './step.js';

/** Data as a training step reads them: where batches come from, and the plan that is replayed for each. */
export interface Feed {
  readonly plan: Plan;
  readonly source: RowSource;
  /** Of all parameters, where the plan keeps them. */
  readonly gradients: Tensor;
  /** What the plan adds to. */
  readonly results: Omit<Results, 'together'>;
  /** The data set that batches come from, if they do not come from the host. */
  readonly dataset?: Dataset;
  dispose(): void;
}

/** Batches of an epoch whose samples are on the GPU together. */
export interface Part {
  readonly feed: Feed;
  readonly samples: number;
  /** The steps of the epoch that it is for. */
  readonly first: number;
  readonly steps: number;
}

/** A data set as its epochs need it, part by part. */
export interface Course {
  /** Of any part: they have the same plan and the same results. */
  readonly feed: Feed;
  /** Begins an epoch, in an order that `random` makes. */
  begin(random?: Random): void;
  /** The part that a step is in; steps are asked for in their order. A promise, if it is not on the GPU yet. */
  part(step: number): Part | Promise<Part>;
  dispose(): void;
}

/** All of an epoch is one part. */
export function residentCourse(feed: Feed, { rows, length }: Dataset, batch: number): Course {
  const part = { feed, samples: length, first: 0, steps: Math.ceil(length / batch) };
  return {
    feed,
    begin: (random) => feed.source.order.write(random?.shuffled(rows) ?? rows),
    part: () => part,
    dispose: () => {},
  };
}

/** The feeds of a trainer: made once for each data set and purpose, and for minibatches of each kind. */
export class Feeds {
  readonly #training: Training;
  readonly #records: StepRecords;
  readonly #ofDatasets: Record<'step' | 'evaluate', Map<Dataset, Promise<Feed>>> = {
    step: new Map<Dataset, Promise<Feed>>(),
    evaluate: new Map<Dataset, Promise<Feed>>(),
  };
  readonly #ofBatches: Map<string, Feed> = new Map<string, Feed>();
  readonly #made: Set<Feed> = new Set<Feed>();
  #disposed = false;

  constructor(training: Training, records: StepRecords) {
    this.#training = training;
    this.#records = records;
  }

  /**
   * Compiles a step for the data that are likeliest: bytes for a model that scales bytes, floats for others; and classes if
   * the loss tells them apart.
   * Where others come, the kernels that read them are compiled when they do.
   */
  async prepare(): Promise<Feed> {
    const { model, loss } = this.#training;
    const dtype = typeof model.spec.normalize === 'string' ? 'u8' : 'f32';
    const labels: LabelKind = loss.link === 'softmax' ? ['u32', 1] : ['f32', model.outputs];
    const source = this.#batchSource(dtype, labels);
    const feed = await this.#compile('trainer', source, 'step', [source.data, source.labels, source.order]);
    this.#ofBatches.set(batchKey(dtype, labels, 'step'), feed);
    return feed;
  }

  /** The feed of a data set. Training and evaluation have an order each, so that neither disturbs the other. */
  of(
    dataset: Dataset,
    { inputs, labels }: NonNullable<Dataset['resident']>,
    purpose: 'step' | 'evaluate',
  ): Promise<Feed> {
    const feeds = this.#ofDatasets[purpose];
    let feed = feeds.get(dataset);
    if (feed === undefined) {
      const source = rowSource(this.#training.model, inputs, labels, dataset.rows);
      feed = this.#compile('data set feed', source, purpose, [source.order], dataset);
      feeds.set(dataset, feed);
      feed.catch(() => feeds.delete(dataset));
    }
    return feed;
  }

  /** A feed of some rows of a data set, which whoever asks for it writes, and disposes of. */
  slot(dataset: Dataset, { dtype, labels }: Format, rows: number, purpose: 'step' | 'evaluate'): Promise<Feed> {
    const source = this.#batchSource(dtype, labels, rows);
    return this.#compile('stream', source, purpose, [source.data, source.labels, source.order], dataset);
  }

  /** The feed of minibatches: their data are overwritten at each use. */
  ofBatch(dtype: 'u8' | 'f32', labels: LabelKind, purpose: Purpose): Feed {
    const key = batchKey(dtype, labels, purpose);
    let feed = this.#ofBatches.get(key);
    if (feed === undefined) {
      const source = this.#batchSource(dtype, labels);
      const { builder, gradients } = recordTraining(this.#training, source, purpose);
      const plan = builder.build(this.#training.model.device, 'batch feed', this.#records);
      feed = this.#keep(plan, source, purpose, gradients, [source.data, source.labels, source.order]);
      this.#ofBatches.set(key, feed);
    }
    return feed;
  }

  dispose(): void {
    this.#disposed = true;
    for (const feed of this.#made) feed.dispose();
  }

  #batchSource(dtype: 'u8' | 'f32', [labelType, words]: LabelKind, rows: number = this.#training.batch): RowSource {
    const { model } = this.#training;
    const data = Tensor.empty(model.device, [rows, model.spec.inputs], 'batch inputs', dtype) as RawTensor;
    return rowSource(model, data, Tensor.empty(model.device, [rows, words], 'batch labels', labelType) as LabelTensor);
  }

  /** @param parts of the source, disposed with the feed */
  async #compile(
    what: string,
    source: RowSource,
    purpose: Purpose,
    parts: readonly { dispose(): void }[],
    dataset?: Dataset,
  ): Promise<Feed> {
    try {
      const { builder, gradients } = recordTraining(this.#training, source, purpose);
      const plan = await builder.compile(this.#training.model.device, what, this.#records);
      const feed = this.#keep(plan, source, purpose, gradients, parts, dataset);
      if (this.#disposed) feed.dispose();
      return feed;
    } catch (error) {
      for (const part of parts) part.dispose();
      throw error;
    }
  }

  #keep(
    plan: Plan,
    source: RowSource,
    purpose: Purpose,
    gradients: Tensor,
    parts: readonly { dispose(): void }[],
    dataset?: Dataset,
  ): Feed {
    const dispose = (): void => {
      this.#made.delete(feed);
      for (const part of [plan, ...parts]) part.dispose();
    };
    const { batch, results } = this.#training;
    const { together, ...apart } = purpose === 'step' ? results.training : results.evaluation;
    const sums = plan.takesRuns
      ? { ...apart, totals: together.view(0, [2, batch]), losses: together.view(2 * batch, [batch, 1]) }
      : apart;
    const feed: Feed = { plan, source, gradients, results: sums, dispose, ...(dataset && { dataset }) };
    this.#made.add(feed);
    return feed;
  }
}

type LabelKind = Format['labels'];

const batchKey = (dtype: 'u8' | 'f32', labels: LabelKind, purpose: Purpose): string =>
  [dtype, ...labels, purpose].join('/');

/** Whether a data set can go through a model. @throws {DisposedError|MlpError|ShapeError|DataError} */
export function checkDataset(where: string, dataset: Dataset, model: Model, loss: Loss): void {
  dataset.check(where);
  if (dataset.device !== model.device) {
    throw new MlpError('other-gpu', `${where}: the data set is on another Gpu than the model.`);
  }
  if (dataset.features !== model.spec.inputs) {
    throw new ShapeError(
      `${where}: a sample of the data set has ${dataset.features} features, but the model has ${model.spec.inputs} inputs.`,
    );
  }
  // The labels of a stream are checked as they are read.
  if (dataset.source.read === undefined) checkLabels(where, dataset, model, loss);
}

/** Whether a loss can compare labels with a model's outputs. @throws {DataError} */
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
