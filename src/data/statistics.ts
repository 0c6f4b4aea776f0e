import { assertWord } from '../base/check.js';
import { DataError } from '../base/errors.js';
import { columnStatistics, slicesOf } from '../kernels/column-statistics.js';
import type { Device } from '../plan/device.js';
import { Tensor, upload } from '../plan/tensor.js';
import { findFormat, type Source, uploads } from './chunks.js';
import type { Samples } from './samples.js';

/**
 * Mean and population standard deviation of inputs, for the option `normalize` of `Mlp.create`: numbers, or one per
 * feature.
 */
export interface Statistics<Value = number | number[]> {
  /** Mean of the values. */
  readonly mean: Value;
  /** Population standard deviation, √(Σ(x − mean)² / count); 1 if all values are equal, which normalises them to 0. */
  readonly std: Value;
}

/** Samples on the GPU. */
interface Rows {
  /** (samples, features) */
  readonly data: Tensor<'u8'> | Tensor;
  /** Numbers of the rows of `data` to include. */
  readonly rows: Uint32Array<ArrayBuffer>;
}

/** All samples, in parts that are on the GPU one after the other. */
type Parts = AsyncIterable<Rows> | Iterable<Rows>;

/** Moments of a set of values. */
interface Moments {
  count: number;
  mean: number;
  /** Sum of the squared differences from the mean. */
  squares: number;
}

/** A data set, as its statistics need it. */
interface Measured {
  readonly device: Device;
  readonly resident: { readonly inputs: Tensor<'u8'> | Tensor; readonly labels: Tensor<'u32'> | Tensor } | undefined;
  readonly source: Source<Samples>;
  readonly rows: Uint32Array<ArrayBuffer>;
  /** Width of a row of targets, once it is known. */
  readonly classCount: number;
  check(where: string): void;
  ready(): Promise<void>;
}

/**
 * Computes the mean and the standard deviation of each input of a data set, or of all inputs together.
 * @throws {DisposedError} if the data set is disposed
 * @throws as `statistics`
 */
export async function inputStatistics(dataset: Measured, per?: 'set' | 'feature'): Promise<Statistics> {
  const { device, resident, source, rows } = dataset;
  dataset.check('statistics');
  await dataset.ready();
  const parts: Parts = resident === undefined ? uploads(device, source) : [{ data: resident.inputs, rows }];
  return await statistics(device, parts, per);
}

/**
 * Computes the mean and the standard deviation of each feature, or of all inputs together.
 * @throws {DataError} if the squares of the values exceed float32
 * @throws {MlpError} `bad-option` if `per` is not allowed, or `out-of-memory`
 */
export async function statistics(device: Device, parts: Parts, per: 'set' | 'feature' = 'set'): Promise<Statistics> {
  assertWord('statistics:', { per }, ['set', 'feature']);
  const moments = await momentsOf(device, parts);
  if (per === 'feature') return { mean: moments.map(({ mean }) => mean), std: moments.map(deviation) };
  const all = noValues();
  for (const feature of moments) merge(all, feature);
  return { mean: all.mean, std: deviation(all) };
}

/**
 * Computes the mean and the standard deviation of each target.
 * @throws {DataError} if the labels are classes, or the squares of the values exceed float32
 * @throws {MlpError} `out-of-memory`
 */
export async function targetStatistics(dataset: Measured): Promise<Statistics<number[]>> {
  const { device, resident, source, rows } = dataset;
  dataset.check('targetStatistics');
  await dataset.ready();
  const dtype = resident?.labels.dtype ?? (await findFormat(source)).labels[0];
  if (dtype === 'u32') throw new DataError('targetStatistics: the labels are classes, not targets.');
  const parts: Parts =
    resident === undefined ? uploads(device, source, 'labels') : [{ data: resident.labels as Tensor, rows }];
  // Behind the targets may be the weight of each sample.
  const moments = (await momentsOf(device, parts, 'target')).slice(0, dataset.classCount);
  return { mean: moments.map(({ mean }) => mean), std: moments.map(deviation) };
}

/**
 * Computes the moments of each feature. The GPU sums slices of rows; the host merges slices in float64, in a fixed
 * order.
 */
async function momentsOf(device: Device, parts: Parts, column: 'feature' | 'target' = 'feature'): Promise<Moments[]> {
  const moments: Moments[] = [];
  for await (const { data, rows } of parts) {
    const [, columns = 1] = data.shape;
    const { slices, sliceRows } = slicesOf(rows.length, columns);
    const partials = await partialsOf(device, { data, rows });
    const size = slices * columns;
    for (let place = 0; place < size; place++) {
      // The sums of a slice are over the differences from `shift`, a value near the mean of the slice.
      const [shift = 0, sum = 0, squares = 0] = [partials[place], partials[size + place], partials[2 * size + place]];
      const index = place % columns;
      if (!Number.isFinite(shift + sum + squares)) {
        throw new DataError(
          `statistics: the squares of ${column} ${index} exceed float32. Scale the data, or remove extreme values.`,
        );
      }
      const count = Math.min(sliceRows, rows.length - Math.floor(place / columns) * sliceRows);
      moments[index] ??= noValues();
      merge(moments[index], { count, mean: shift + sum / count, squares: Math.max(squares - (sum * sum) / count, 0) });
    }
  }
  return moments;
}

/** Runs the kernel that sums slices of rows, and reads its result, (3, slices, columns). */
async function partialsOf(device: Device, { data, rows }: Rows): Promise<Float32Array> {
  const [, columns = 1] = data.shape;
  const parts: { dispose(): void }[] = [];
  try {
    const partials = await device.guarded('statistics', () => {
      const order = upload<'u32'>(device, rows, [rows.length], 'order');
      parts.push(order);
      const sums = Tensor.empty(device, [3, slicesOf(rows.length, columns).slices, columns], 'partials');
      parts.push(sums);
      device.run([columnStatistics(data, order, sums)]);
      return sums;
    });
    return await partials.read();
  } finally {
    for (const part of parts) part.dispose();
  }
}

const noValues = (): Moments => ({ count: 0, mean: 0, squares: 0 });

/** Merges the moments of more values into `total`. Source: Chan, Golub and LeVeque 1979. */
function merge(total: Moments, { count, mean, squares }: Moments): void {
  const difference = mean - total.mean;
  const sum = total.count + count;
  total.squares += squares + (difference * difference * total.count * count) / sum;
  total.mean = total.count === 0 ? mean : total.mean + (difference * count) / sum;
  total.count = sum;
}

/** Population standard deviation; 1 if all values are equal. */
function deviation({ count, squares }: Moments): number {
  return squares === 0 ? 1 : Math.sqrt(squares / count);
}
