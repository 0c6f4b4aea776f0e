import { DataError, ShapeError } from '../base/errors.js';
import { Owner } from '../base/owner.js';
import { counting, type Random } from '../base/random.js';
import type { Device } from '../plan/device.js';
import { type ArrayOf, type Tensor, upload } from '../plan/tensor.js';

/** Element types of samples and their labels. */
export interface Format {
  /** Element type of the inputs. */
  readonly dtype: 'u8' | 'f32';
  /** Element type of the labels, and the number of 32-bit words of one label, its weight included. */
  readonly labels: readonly [dtype: 'u32' | 'f32', words: number];
}

/** Samples in the memory of the host. */
interface HostRows {
  readonly inputs: ArrayOf<'u8'> | ArrayOf<'f32'>;
  readonly features: number;
  readonly labels: ArrayOf<'u32'> | ArrayOf<'f32'>;
  readonly words: number;
}

/** Source of chunks: rows of samples in the host's memory, or the results of `read`. */
export interface Source<Samples extends HostRows> {
  /** Number of samples. */
  readonly length: number;
  /** Numbers in a sample. */
  readonly features: number;
  /** Row numbers of the samples in `host`, in order; empty if `read` supplies the samples. */
  readonly rows: Uint32Array<ArrayBuffer>;
  /** All samples, if they are in the host's memory. */
  readonly host?: Samples | undefined;
  /** Reads and checks `count` samples from number `first` on. @param where the beginning of error messages */
  readonly read?: (where: string, first: number, count: number) => Promise<Samples>;
  /** Samples in a chunk, if the app has set it. */
  readonly chunk?: number | undefined;
  /** Element types of the samples, once they are known. */
  format?: Format;
}

/** Part of the samples. */
export interface Chunk<Samples> {
  readonly samples: Samples;
  /** Row numbers within the chunk, in the order in which training takes them. */
  readonly order: Uint32Array<ArrayBuffer>;
}

/** Default size of a chunk in bytes: 32 MiB. */
const CHUNK_BYTES = 2 ** 25;

/** Element types of the samples of a source. If they are not known yet, the first sample is read. */
export async function findFormat<Samples extends HostRows>(source: Source<Samples>): Promise<Format> {
  source.format ??= formatOf(source.host ?? (await read(source, 0, 1)));
  return source.format;
}

/** Number of samples in a chunk: as the app has set it, or as many as fit in 32 MiB and in a buffer of the device. */
export function chunkRows<Samples extends HostRows>({ info }: Device, source: Source<Samples>, format: Format): number {
  const { maxStorageBufferBindingSize, maxBufferSize } = info.limits;
  const maxBytes = Math.min(CHUNK_BYTES, maxStorageBufferBindingSize, maxBufferSize);
  const perRow = Math.max(source.features * (format.dtype === 'u8' ? 1 : 4), 4 * format.labels[1]);
  return source.chunk ?? Math.max(1, Math.floor(maxBytes / perRow));
}

/**
 * Yields all samples in chunks of `size` samples: in their own order without `random`, in a random order with it.
 * Samples in the host's memory are shuffled as a whole. Samples that `read` supplies are not: the full chunks come in a
 * random order, a partial chunk comes last, and the samples are shuffled within each chunk.
 * @throws {ShapeError} if `read` returns another number of samples than requested
 * @throws {DataError} if the element types differ from those of earlier samples
 */
export async function* chunks<Samples extends HostRows>(
  source: Source<Samples>,
  size: number,
  random?: Random,
): AsyncGenerator<Chunk<Samples>, undefined> {
  const { host, length } = source;
  if (host !== undefined) {
    const order = random?.shuffled(source.rows) ?? source.rows;
    for (let first = 0; first < length; first += size) {
      const rows = order.subarray(first, first + size);
      yield { samples: copyRows(host, rows), order: counting(rows.length) };
    }
    return;
  }
  const { dtype, labels } = await findFormat(source);
  const fullChunks = Math.floor(length / size);
  for (const chunk of [...(random?.shuffled(fullChunks) ?? counting(fullChunks)), fullChunks]) {
    const first = chunk * size;
    const count = Math.min(size, length - first);
    if (count === 0) return;
    const samples = await read(source, first, count);
    const found = formatOf(samples);
    if (found.dtype !== dtype || found.labels.join() !== labels.join()) {
      throw new DataError(
        `${readCall(first, count)} gave ${formatText(found)}, but an earlier call gave ${formatText({ dtype, labels })}. All calls must give the same types.`,
      );
    }
    yield { samples, order: random?.shuffled(count) ?? counting(count) };
  }
}

/**
 * Uploads the inputs, or the labels, chunk by chunk. The tensor of a chunk is freed when the next chunk is requested.
 */
export async function* uploads<Samples extends HostRows>(
  device: Device,
  source: Source<Samples>,
  part: 'inputs' | 'labels' = 'inputs',
): AsyncGenerator<{ data: Tensor<'u8'> | Tensor; rows: Uint32Array<ArrayBuffer> }> {
  const size = chunkRows(device, source, await findFormat(source));
  for await (const { samples, order } of chunks(source, size)) {
    const shape = [order.length, part === 'inputs' ? source.features : samples.words];
    const values = samples[part] as ArrayOf<'u8'> | ArrayOf<'f32'>;
    const owner = new Owner('The chunk has been used.');
    try {
      const data = await device.guarded('statistics', () =>
        owner.own(upload<'u8' | 'f32'>(device, values, shape, 'chunk') as Tensor<'u8'> | Tensor),
      );
      yield { data, rows: order };
    } finally {
      owner.dispose();
    }
  }
}

const readCall = (first: number, count: number): string => `Dataset.stream: read(${first}, ${count})`;

/** Reads samples. @throws {ShapeError} if `read` returns another number of samples than requested */
async function read<Samples extends HostRows>(source: Source<Samples>, first: number, count: number): Promise<Samples> {
  const where = readCall(first, count);
  const samples = await source.read?.(where, first, count);
  const got = (samples?.inputs.length ?? 0) / source.features;
  if (samples !== undefined && got === count) return samples;
  throw new ShapeError(`${where} gave ${got} samples; ${count} were requested.`);
}

/** Formats element types for messages. */
const formatText = ({ dtype, labels: [labelType, words] }: Format): string =>
  `${dtype} inputs and ${words} ${labelType} for each label`;

/** Element types of samples. */
const formatOf = ({ inputs, labels, words }: HostRows): Format => ({
  dtype: inputs instanceof Uint8Array ? 'u8' : 'f32',
  labels: [labels instanceof Uint32Array ? 'u32' : 'f32', words],
});

/** Copies the given rows of samples. */
function copyRows<Samples extends HostRows>(samples: Samples, rows: Uint32Array): Samples {
  const { inputs, labels, features, words } = samples;
  const length = rows.length * features;
  const copied = inputs instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length);
  const count = rows.length * words;
  const copiedLabels = labels instanceof Uint32Array ? new Uint32Array(count) : new Float32Array(count);
  for (const [index, row] of rows.entries()) {
    copied.set(inputs.subarray(row * features, (row + 1) * features), index * features);
    copiedLabels.set(labels.subarray(row * words, (row + 1) * words), index * words);
  }
  return { ...samples, inputs: copied, labels: copiedLabels };
}
