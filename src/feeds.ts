import { type FeedTarget, recordFeed } from './compile.js';
import { type Dataset, upload, uploadWords } from './dataset.js';
import { DataError, DisposedError, MlpError, ShapeError } from './errors.js';
import type { Plan, StepRecords } from './gpu/plan.js';
import type { RowSource } from './kernels/gather-rows.js';
import type { Loss } from './losses/loss.js';
import type { Model } from './model.js';

/** Data as a training step reads them: where batches come from, and the dispatches that depend on it. */
export interface Feed {
  readonly plan: Plan;
  readonly source: RowSource;
  dispose(): void;
}

/** The feeds of a trainer: made once for each data set and purpose, and for minibatches of each kind. */
export class Feeds {
  readonly #model: Model;
  readonly #loss: Loss;
  readonly #target: FeedTarget;
  readonly #records: StepRecords;
  readonly #ofDatasets: Map<Dataset, Map<string, Promise<Feed>>> = new Map<Dataset, Map<string, Promise<Feed>>>();
  readonly #ofBatches: Map<string, Feed> = new Map<string, Feed>();
  readonly #made: Feed[] = [];
  #disposed = false;

  constructor(model: Model, loss: Loss, target: FeedTarget, records: StepRecords) {
    this.#model = model;
    this.#loss = loss;
    this.#target = target;
    this.#records = records;
  }

  /** The feed of a data set. Training and evaluation have an order each, so that neither disturbs the other. */
  of(dataset: Dataset, purpose: 'train' | 'evaluate'): Promise<Feed> {
    const feeds = this.#ofDatasets.get(dataset) ?? new Map<string, Promise<Feed>>();
    this.#ofDatasets.set(dataset, feeds);
    const feed = feeds.get(purpose) ?? this.#make(dataset);
    feeds.set(purpose, feed);
    feed.catch(() => feeds.delete(purpose));
    return feed;
  }

  /** The feed of minibatches: their data are overwritten at each use. */
  ofBatch(inputs: Uint8Array | Float32Array, words: number): Feed {
    const bytes = inputs instanceof Uint8Array;
    const key = `${bytes}/${words}`;
    let feed = this.#ofBatches.get(key);
    if (feed === undefined) {
      const { gpu, spec, normalization } = this.#model;
      const [batch = 1] = this.#target.X.shape;
      const size = batch * spec.inputs;
      const empty = bytes ? new Uint8Array(size) : new Float32Array(size);
      const data = upload(gpu, 'batch inputs', empty, [batch, spec.inputs]);
      const labels = uploadWords(gpu, new Uint32Array(batch * words), [batch, words]);
      const order = uploadWords(gpu, counting(batch), [batch]);
      const source = { data, labels, order, normalization };
      const plan = recordFeed(source, this.#loss, this.#target).build(gpu, 'batch feed', this.#records);
      feed = this.#keep(plan, source, [plan, data, labels, order]);
      this.#ofBatches.set(key, feed);
    }
    return feed;
  }

  /** A feed to show as part of the plan. */
  get any(): Feed {
    return this.#made[0] ?? this.ofBatch(new Float32Array(0), 1);
  }

  dispose(): void {
    this.#disposed = true;
    for (const feed of this.#made) feed.dispose();
  }

  async #make(dataset: Dataset): Promise<Feed> {
    const { gpu, normalization } = this.#model;
    const order = uploadWords(gpu, counting(dataset.length), [dataset.length]);
    try {
      const source = { data: dataset.inputs, labels: dataset.labels, order, normalization };
      const plan = await recordFeed(source, this.#loss, this.#target).compile(gpu, 'data set feed', this.#records);
      const feed = this.#keep(plan, source, [plan, order]);
      if (this.#disposed) feed.dispose();
      return feed;
    } catch (error) {
      order.dispose();
      throw error;
    }
  }

  #keep(plan: Plan, source: RowSource, parts: readonly { dispose(): void }[]): Feed {
    const dispose = (): void => {
      for (const part of parts) part.dispose();
    };
    const feed = { plan, source, dispose };
    this.#made.push(feed);
    return feed;
  }
}

/** 0, 1, 2 … */
export function counting(count: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: count }, (_, row) => row);
}

/** Whether a data set can go through a model. @throws {DisposedError|MlpError|ShapeError|DataError} */
export function checkDataset(where: string, dataset: Dataset, model: Model, loss: Loss): void {
  if (dataset.disposed) throw new DisposedError(`${where}: the data set has been disposed.`);
  if (dataset.gpu !== model.gpu) {
    throw new MlpError('other-gpu', `${where}: the data set is on another Gpu than the model.`);
  }
  if (dataset.features !== model.spec.inputs) {
    throw new ShapeError(
      `${where}: a sample of the data set has ${dataset.features} features, but the model has ${model.spec.inputs} inputs.`,
    );
  }
  const { classCount, notProbabilities, labels } = dataset;
  checkLabels(where, { classCount, notProbabilities, words: labels.shape[1] ?? 1 }, model, loss);
}

/** Whether labels are among a model's outputs. @throws {DataError} */
export function checkLabels(
  where: string,
  labels: { readonly classCount: number; readonly words: number; readonly notProbabilities: string | undefined },
  { outputs }: Model,
  loss: Loss,
): void {
  const { classCount, words, notProbabilities } = labels;
  if (words === 1 ? classCount > outputs : classCount !== outputs) {
    throw new DataError(
      words === 1
        ? `${where}: the largest class is ${classCount - 1}, but the model has ${outputs} outputs, for classes 0 to ${outputs - 1}.`
        : `${where}: a row of targets has ${classCount} numbers, but the model has ${outputs} outputs.`,
    );
  }
  if (notProbabilities !== undefined) {
    throw new DataError(
      `${where}: ${loss.spec.type} learns from probabilities, ≥ 0 and with a sum of 1, but in the targets ${notProbabilities}.`,
    );
  }
}
