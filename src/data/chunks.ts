import { DataError, ShapeError } from '../base/errors.js';
import { Owner } from '../base/owner.js';
import { counting, type Random } from '../base/random.js';
import type { Device } from '../plan/device.js';
import { type ArrayOf, type Tensor, upload } from '../plan/tensor.js';

/** The kind of samples. */
export interface Format {
  readonly dtype: 'u8' | 'f32';
  /** Of labels, and how many words one has. */
  readonly labels: readonly [dtype: 'u32' | 'f32', words: number];
}

/** Samples on the host. */
interface Rows {
  readonly inputs: ArrayOf<'u8'> | ArrayOf<'f32'>;
  readonly features: number;
  readonly labels: ArrayOf<'u32'> | ArrayOf<'f32'>;
  readonly words: number;
}

/** The source of chunks: rows of samples on the host, or whatever `read` gives. */
export interface Source<Samples extends Rows> {
  /** Samples in all. */
  readonly length: number;
  readonly features: number;
  /** The samples, in their order; none where only `read` knows them. */
  readonly rows: Uint32Array<ArrayBuffer>;
  readonly host?: Samples | undefined;
  /** Gives samples that have been checked. @param where what is done, for messages */
  readonly read?: (where: string, first: number, count: number) => Promise<Samples>;
  /** Samples at a time, if somebody has said so. */
  readonly chunk?: number | undefined;
  /** Of which kind they are, as far as that is known. */
  format?: Format;
}

/** Some samples, and the order in which they are taken. */
export interface Chunk<Samples> {
  readonly samples: Samples;
  readonly order: Uint32Array<ArrayBuffer>;
}

/** Bytes of a chunk, where nobody says otherwise. */
const CHUNK_BYTES = 2 ** 25;

/** Of which kind samples are. Where that is not known, one of them is read. */
export async function findFormat<Samples extends Rows>(source: Source<Samples>): Promise<Format> {
  source.format ??= formatOf(source.host ?? (await read(source, 0, 1)));
  return source.format;
}

/** Samples at a time. */
export function chunkRows<Samples extends Rows>({ info }: Device, source: Source<Samples>, format: Format): number {
  const { maxStorageBufferBindingSize, maxBufferSize } = info.limits;
  const most = Math.min(CHUNK_BYTES, maxStorageBufferBindingSize, maxBufferSize);
  const perRow = Math.max(source.features * (format.dtype === 'u8' ? 1 : 4), 4 * format.labels[1]);
  return source.chunk ?? Math.max(1, Math.floor(most / perRow));
}

/**
 * All samples, `size` at a time, in the order that they have; or in one that `random` makes. Samples on the host are then
 * shuffled in full. What is read is not: whole chunks come in an order of their own, a partial one last, and in each its
 * samples do.
 */
export async function* chunks<Samples extends Rows>(
  source: Source<Samples>,
  size: number,
  random?: Random,
): AsyncGenerator<Chunk<Samples>, undefined> {
  const { host, length } = source;
  if (host !== undefined) {
    const order = random?.shuffled(source.rows) ?? source.rows;
    for (let first = 0; first < length; first += size) {
      const rows = order.subarray(first, first + size);
      yield { samples: take(host, rows), order: counting(rows.length) };
    }
    return;
  }
  const { dtype, labels } = await findFormat(source);
  const whole = Math.floor(length / size);
  for (const number of [...(random?.shuffled(whole) ?? counting(whole)), whole]) {
    const first = number * size;
    const count = Math.min(size, length - first);
    if (count === 0) return;
    const samples = await read(source, first, count);
    const found = formatOf(samples);
    if (found.dtype !== dtype || found.labels.join() !== labels.join()) {
      throw new DataError(
        `${reading(first, count)} gave ${kindOf(found)}, but ${kindOf({ dtype, labels })} before. All must be of one kind.`,
      );
    }
    yield { samples, order: random?.shuffled(count) ?? counting(count) };
  }
}

/** All inputs on the GPU, a chunk after the other. */
export async function* uploads<Samples extends Rows>(
  device: Device,
  source: Source<Samples>,
): AsyncGenerator<{ data: Tensor<'u8'> | Tensor; rows: Uint32Array<ArrayBuffer> }> {
  const size = chunkRows(device, source, await findFormat(source));
  for await (const { samples, order } of chunks(source, size)) {
    const shape = [order.length, source.features];
    const owner = new Owner('The chunk has been used.');
    try {
      const data = await device.guarded('statistics', () =>
        owner.own(upload<'u8' | 'f32'>(device, samples.inputs, shape, 'chunk') as Tensor<'u8'> | Tensor),
      );
      yield { data, rows: order };
    } finally {
      owner.dispose();
    }
  }
}

const reading = (first: number, count: number): string => `Dataset.stream: read(${first}, ${count})`;

/** @throws {ShapeError} if there are fewer or more than were asked for */
async function read<Samples extends Rows>(source: Source<Samples>, first: number, count: number): Promise<Samples> {
  const where = reading(first, count);
  const samples = await source.read?.(where, first, count);
  const got = (samples?.inputs.length ?? 0) / source.features;
  if (samples !== undefined && got === count) return samples;
  throw new ShapeError(`${where} gave ${got} samples; ${count} were asked for.`);
}

const kindOf = ({ dtype, labels: [labelType, words] }: Format): string =>
  `${dtype} and ${words} words of ${labelType} a label`;

const formatOf = ({ inputs, labels, words }: Rows): Format => ({
  dtype: inputs instanceof Uint8Array ? 'u8' : 'f32',
  labels: [labels instanceof Uint32Array ? 'u32' : 'f32', words],
});

/** A copy of some rows. */
function take<Samples extends Rows>(samples: Samples, rows: Uint32Array): Samples {
  const { inputs, labels, features, words } = samples;
  const length = rows.length * features;
  const taken = inputs instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length);
  const count = rows.length * words;
  const takenLabels = labels instanceof Uint32Array ? new Uint32Array(count) : new Float32Array(count);
  for (const [place, row] of rows.entries()) {
    taken.set(inputs.subarray(row * features, (row + 1) * features), place * features);
    takenLabels.set(labels.subarray(row * words, (row + 1) * words), place * words);
  }
  return { ...samples, inputs: taken, labels: takenLabels };
}
