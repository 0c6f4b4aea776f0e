import { DisposedError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { type Chunk, chunkRows, chunks, findFormat } from '../data/chunks.js';
import type { Dataset } from '../data/dataset.js';
import type { Samples } from '../data/samples.js';
import {
  type BatchSource,
  type BatchSources,
  checkLabels,
  type EpochIterator,
  type EpochUse,
  type Shard,
} from './batches.js';
import type { StepParts } from './step.js';

/**
 * The epochs of a streamed data set, which is uploaded chunk by chunk. A chunk has a whole number of batches, so that
 * only the last batch of an epoch is partial. There are two slots: while steps read one slot, the next chunk is read on
 * the host and written into the other. The device runs that write after the earlier steps that read the slot, so only
 * steps on the new chunk wait for it.
 */
export class StreamedEpochs implements EpochIterator {
  readonly source: BatchSource;
  readonly #parts: StepParts;
  readonly #dataset: Dataset;
  /** Rows of a full chunk. */
  readonly #size: number;
  readonly #slots: readonly BatchSource[];
  #chunks: AsyncGenerator<Chunk<Samples>, undefined>;
  #current: Shard | undefined;
  /** The shard after the current one, while it is loading. */
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

  /** Allocates the slots and compiles their plans. A data set that fits in one chunk needs one slot. */
  static async open(
    parts: StepParts,
    sources: BatchSources,
    dataset: Dataset,
    purpose: EpochUse,
  ): Promise<StreamedEpochs> {
    const { batch } = parts;
    const allRows = Math.ceil(dataset.length / batch) * batch;
    const format = await findFormat(dataset.source);
    const rows = chunkRows(dataset.device, dataset.source, format);
    const size = Math.min(Math.max(1, Math.floor(rows / batch)) * batch, allRows);
    const first = await sources.slot(dataset, format, size, purpose);
    if (size === allRows) return new StreamedEpochs(parts, dataset, size, [first]);
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

  /** Goes to the next shard when all steps of the current one have been queued, and begins to load the shard after it. */
  async #advance(): Promise<Shard> {
    const shard = await (this.#next ?? this.#load(0));
    this.#current = shard;
    const end = shard.first + shard.steps;
    if (end * this.#parts.batch < this.#dataset.length) this.#next = this.#load(end);
    return shard;
  }

  /** Reads the next chunk and queues its upload. @param first the epoch's step that the chunk begins with */
  #load(first: number): Promise<Shard> {
    const loading = this.#loadNow(first);
    // Rejections surface when the shard is awaited; unawaited ones are ignored.
    loading.catch(() => undefined);
    return loading;
  }

  async #loadNow(first: number): Promise<Shard> {
    const { batch, model, loss, targets } = this.#parts;
    const { value: chunk } = await this.#chunks.next();
    if (this.#disposed || chunk === undefined) throw new DisposedError('The stream was closed.');
    const { samples, order } = chunk;
    const indices = samples.labels instanceof Uint32Array;
    checkLabels('Dataset.stream: read', { ...samples, indices }, model, loss);
    const source = this.#slots[((first * batch) / this.#size) % this.#slots.length] ?? this.source;
    const { data, labels } = source.rows;
    model.device.write(data.buffer, 0, samples.inputs);
    const scaled = targets?.onHost('fit', samples.labels as Float32Array, samples.words);
    model.device.write(labels.buffer, 0, scaled ?? samples.labels);
    source.rows.order.write(order);
    const batches = Math.ceil(this.#dataset.length / batch);
    return { source, samples: order.length, first, steps: Math.ceil(order.length / batch), batches };
  }
}
