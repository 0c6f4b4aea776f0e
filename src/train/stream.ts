import { DisposedError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { type Chunk, chunkRows, chunks, findFormat } from '../data/chunks.js';
import type { Dataset } from '../data/dataset.js';
import type { Samples } from '../data/samples.js';
import { type BatchSource, type BatchSources, checkLabels, type EpochIterator, type Shard } from './batches.js';
import type { StepParts } from './step.js';

/**
 * The epochs of a data set that comes to the device chunk by chunk. A chunk has whole batches, so that only an epoch's last
 * batch is partial. There are two slots: while steps read one, the next chunk is read and written into the other. It is
 * queued behind the steps that have used that slot before, so nothing waits for it but those that need it.
 */
export class StreamedEpochs implements EpochIterator {
  readonly source: BatchSource;
  readonly #parts: StepParts;
  readonly #dataset: Dataset;
  /** Rows of a chunk. */
  readonly #size: number;
  readonly #slots: readonly BatchSource[];
  #chunks: AsyncGenerator<Chunk<Samples>, undefined>;
  #current: Shard | undefined;
  /** The shard behind the current one. */
  #next: Promise<Shard> | undefined;
  #disposed = false;

  private constructor(
    parts: StepParts,
    dataset: Dataset,
    size: number,
    slots: readonly [BatchSource, ...BatchSource[]],
  ) {
    this.source = slots[0];
    this.#parts = parts;
    this.#dataset = dataset;
    this.#size = size;
    this.#slots = slots;
    this.#chunks = chunks(dataset.source, size);
  }

  /** Makes the slots, and compiles their plans. */
  static async open(
    parts: StepParts,
    sources: BatchSources,
    dataset: Dataset,
    purpose: 'step' | 'evaluate',
  ): Promise<StreamedEpochs> {
    const { batch } = parts;
    const most = Math.ceil(dataset.length / batch) * batch;
    const format = await findFormat(dataset.source);
    const rows = chunkRows(dataset.device, dataset.source, format);
    const size = Math.min(Math.max(1, Math.floor(rows / batch)) * batch, most);
    const first = await sources.slot(dataset, format, size, purpose);
    if (size === most) return new StreamedEpochs(parts, dataset, size, [first]);
    try {
      const second = await sources.slot(dataset, format, size, purpose);
      return new StreamedEpochs(parts, dataset, size, [first, second]);
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

  shard(step: number): Shard | Promise<Shard> {
    const current = this.#current;
    return current !== undefined && step < current.first + current.steps ? current : this.#advance();
  }

  dispose(): void {
    this.#disposed = true;
    for (const slot of this.#slots) slot.dispose();
  }

  /** Moves on: all steps of the shard before have been queued. */
  async #advance(): Promise<Shard> {
    const shard = await (this.#next ?? this.#load(0));
    this.#current = shard;
    const end = shard.first + shard.steps;
    if (end * this.#parts.batch < this.#dataset.length) this.#next = this.#load(end);
    return shard;
  }

  /** Reads the next chunk and queues it. @param first the step that it begins with */
  #load(first: number): Promise<Shard> {
    const loading = this.#loadNow(first);
    // Rejections surface when the shard is awaited; unawaited ones are ignored.
    loading.catch(() => undefined);
    return loading;
  }

  async #loadNow(first: number): Promise<Shard> {
    const { batch, model, loss } = this.#parts;
    const { value: chunk } = await this.#chunks.next();
    if (this.#disposed || chunk === undefined) throw new DisposedError('The stream has been left.');
    const { samples, order } = chunk;
    const indices = samples.labels instanceof Uint32Array;
    checkLabels('Dataset.stream: read', { ...samples, indices }, model, loss);
    const source = this.#slots[((first * batch) / this.#size) % this.#slots.length] ?? this.source;
    const { data, labels } = source.rows;
    model.device.write(data.buffer, 0, samples.inputs);
    model.device.write(labels.buffer, 0, samples.labels);
    source.rows.order.write(order);
    return { source, samples: order.length, first, steps: Math.ceil(order.length / batch) };
  }
}
