import { DisposedError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { type Chunk, chunkRows, chunks, findFormat } from '../data/chunks.js';
import type { Dataset } from '../data/dataset.js';
import type { Samples } from '../data/samples.js';
import { type Course, checkLabels, type Feed, type Feeds, type Part } from './batches.js';
import type { Training } from './step.js';

/**
 * A data set that comes to the GPU chunk by chunk. A chunk has whole batches, so that only an epoch's last batch is partial.
 * There are two slots: while steps read one, the next chunk is read and written into the other. It is queued behind the
 * steps that have used that slot before, so nothing waits for it but those that need it.
 */
export class StreamedCourse implements Course {
  readonly feed: Feed;
  readonly #training: Training;
  readonly #dataset: Dataset;
  /** Rows of a chunk. */
  readonly #size: number;
  readonly #slots: readonly Feed[];
  #chunks: AsyncGenerator<Chunk<Samples>, undefined>;
  #current: Part | undefined;
  /** The part behind the current one. */
  #next: Promise<Part> | undefined;
  #disposed = false;

  private constructor(training: Training, dataset: Dataset, size: number, slots: readonly [Feed, ...Feed[]]) {
    this.feed = slots[0];
    this.#training = training;
    this.#dataset = dataset;
    this.#size = size;
    this.#slots = slots;
    this.#chunks = chunks(dataset.source, size);
  }

  /** Makes the slots, and compiles their plans. */
  static async open(
    training: Training,
    feeds: Feeds,
    dataset: Dataset,
    purpose: 'step' | 'evaluate',
  ): Promise<StreamedCourse> {
    const { batch } = training;
    const most = Math.ceil(dataset.length / batch) * batch;
    const format = await findFormat(dataset.source);
    const rows = chunkRows(dataset.device, dataset.source, format);
    const size = Math.min(Math.max(1, Math.floor(rows / batch)) * batch, most);
    const first = await feeds.slot(dataset, format, size, purpose);
    if (size === most) return new StreamedCourse(training, dataset, size, [first]);
    try {
      const second = await feeds.slot(dataset, format, size, purpose);
      return new StreamedCourse(training, dataset, size, [first, second]);
    } catch (error) {
      first.dispose();
      throw error;
    }
  }

  begin(random?: Random): void {
    this.#chunks = chunks(this.#dataset.source, this.#size, random);
    this.#current = undefined;
    this.#next = this.#load(0);
  }

  part(step: number): Part | Promise<Part> {
    const current = this.#current;
    return current !== undefined && step < current.first + current.steps ? current : this.#advance();
  }

  dispose(): void {
    this.#disposed = true;
    for (const slot of this.#slots) slot.dispose();
  }

  /** All steps of the part before have been queued. */
  async #advance(): Promise<Part> {
    const part = await (this.#next ?? this.#load(0));
    this.#current = part;
    const end = part.first + part.steps;
    if (end * this.#training.batch < this.#dataset.length) this.#next = this.#load(end);
    return part;
  }

  /** Reads the next chunk and queues it. @param first the step that it begins with */
  #load(first: number): Promise<Part> {
    const loading = this.#loadNow(first);
    // Whoever comes for the part is told; if nobody does any more, nobody minds.
    loading.catch(() => undefined);
    return loading;
  }

  async #loadNow(first: number): Promise<Part> {
    const { batch, model, loss } = this.#training;
    const { value: chunk } = await this.#chunks.next();
    if (this.#disposed || chunk === undefined) throw new DisposedError('The stream has been left.');
    const { samples, order } = chunk;
    const indices = samples.labels instanceof Uint32Array;
    checkLabels('Dataset.stream: read', { ...samples, indices }, model, loss);
    const feed = this.#slots[((first * batch) / this.#size) % this.#slots.length] ?? this.feed;
    const { data, labels } = feed.source;
    model.device.write(data.buffer, 0, samples.inputs);
    model.device.write(labels.buffer, 0, samples.labels);
    feed.source.order.write(order);
    return { feed, samples: order.length, first, steps: Math.ceil(order.length / batch) };
  }
}
