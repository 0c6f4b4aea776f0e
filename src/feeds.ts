import { type FeedTarget, recordFeed } from './compile.js';
import type { Dataset, RawArray, RawTensor } from './dataset.js';
import { DataError, MlpError, ShapeError } from './errors.js';
import type { Plan, StepRecords } from './gpu/plan.js';
import { Tensor, upload } from './gpu/tensor.js';
import type { RowSource } from './kernels/gather-rows.js';
import type { Loss } from './losses/loss.js';
import type { Model } from './model.js';

/** Data as a training step reads them: where batches come from, and the dispatches that depend on it. */
export interface Feed {
  readonly plan: Plan;
  readonly source: RowSource;
  /** The data set that batches come from, if they do not come from the host. */
  readonly dataset?: Dataset;
  dispose(): void;
}

/** The feeds of a trainer: made once for each data set and purpose, and for minibatches of each kind. */
export class Feeds {
  readonly #model: Model;
  readonly #loss: Loss;
  readonly #target: FeedTarget;
  readonly #records: StepRecords;
  readonly #ofDatasets: Record<'train' | 'evaluate', Map<Dataset, Promise<Feed>>> = {
    train: new Map<Dataset, Promise<Feed>>(),
    evaluate: new Map<Dataset, Promise<Feed>>(),
  };
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
    const feeds = this.#ofDatasets[purpose];
    const feed = feeds.get(dataset) ?? this.#make(dataset);
    feeds.set(dataset, feed);
    feed.catch(() => feeds.delete(dataset));
    return feed;
  }

  /** The feed of minibatches: their data are overwritten at each use. */
  ofBatch(inputs: RawArray, words: number): Feed {
    const { gpu, spec } = this.#model;
    const dtype = inputs instanceof Uint8Array ? 'u8' : 'f32';
    const key = `${dtype}/${words}`;
    let feed = this.#ofBatches.get(key);
    if (feed === undefined) {
      const [batch = 1] = this.#target.X.shape;
      const data = Tensor.empty(gpu, [batch, spec.inputs], 'batch inputs', dtype) as RawTensor;
      const labels = Tensor.empty(gpu, [batch, words], 'batch labels', 'u32');
      const source = rowSource(this.#model, data, labels);
      const plan = recordFeed(source, this.#loss, this.#target).build(gpu, 'batch feed', this.#records);
      feed = this.#keep(plan, source, [plan, data, labels, source.order]);
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
    const source = rowSource(this.#model, dataset.inputs, dataset.labels);
    try {
      const builder = recordFeed(source, this.#loss, this.#target);
      const plan = await builder.compile(this.#model.gpu, 'data set feed', this.#records);
      const feed = this.#keep(plan, source, [plan, source.order], dataset);
      if (this.#disposed) feed.dispose();
      return feed;
    } catch (error) {
      source.order.dispose();
      throw error;
    }
  }

  #keep(plan: Plan, source: RowSource, parts: readonly { dispose(): void }[], dataset?: Dataset): Feed {
    const dispose = (): void => {
      for (const part of parts) part.dispose();
    };
    const feed = { plan, source, dispose, ...(dataset && { dataset }) };
    this.#made.push(feed);
    return feed;
  }
}

/** Samples in the order they have, for a model. Without labels the row numbers stand in for them. */
export function rowSource({ gpu, normalization, common }: Model, data: RawTensor, labels?: Tensor<'u32'>): RowSource {
  const [samples = 1] = data.shape;
  const order = upload<'u32'>(gpu, counting(samples), [samples], 'order');
  return { data, labels: labels ?? order.view(0, [samples, 1]), order, normalization, common };
}

/** 0, 1, 2 … */
export function counting(count: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: count }, (_, row) => row);
}

/** Whether a data set can go through a model. @throws {DisposedError|MlpError|ShapeError|DataError} */
export function checkDataset(where: string, dataset: Dataset, model: Model, loss: Loss): void {
  dataset.check(where);
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
  labels: { readonly classCount: number; readonly words: number; readonly notProbabilities?: string | undefined },
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
