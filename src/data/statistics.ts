import { DataError, MlpError } from '../base/errors.js';
import { columnStatistics, slicesOf } from '../kernels/column-statistics.js';
import type { Device } from '../plan/device.js';
import { Tensor, upload } from '../plan/tensor.js';

/** Mean and population standard deviation, as `normalize` takes them. */
export interface Statistics<Value = number | number[]> {
  readonly mean: Value;
  /** 1 where all values are the same: they become 0. */
  readonly std: Value;
}

/** Some rows of samples that are on the GPU. */
interface Rows {
  readonly data: Tensor<'u8'> | Tensor;
  readonly rows: Uint32Array<ArrayBuffer>;
}

/** All rows, as far as they are on the GPU at the same time. */
type Parts = AsyncIterable<Rows> | Iterable<Rows>;

/** The number of values, their mean, and the sum of their squared differences from it. */
interface Moments {
  count: number;
  mean: number;
  squares: number;
}

/**
 * Mean and deviation of each feature, or of all together.
 * @throws {DataError} if they are beyond float32
 */
export async function statistics(device: Device, parts: Parts, per: 'set' | 'feature' = 'set'): Promise<Statistics> {
  if (per !== 'set' && per !== 'feature') {
    throw new MlpError('bad-option', `statistics: per = "${String(per)}"; it is "set" or "feature".`);
  }
  const moments = await momentsOf(device, parts);
  if (per === 'feature') return { mean: moments.map(({ mean }) => mean), std: moments.map(deviation) };
  const all = none();
  for (const feature of moments) merge(all, feature);
  return { mean: all.mean, std: deviation(all) };
}

/** The GPU adds up slices of rows; the host adds up slices, in float64 and always in the same order. */
async function momentsOf(device: Device, parts: Parts): Promise<Moments[]> {
  const moments: Moments[] = [];
  for await (const { data, rows } of parts) {
    const [, columns = 1] = data.shape;
    const { slices, sliceRows } = slicesOf(rows.length, columns);
    const partials = await partialsOf(device, { data, rows });
    const size = slices * columns;
    for (let place = 0; place < size; place++) {
      const [near = 0, sum = 0, squares = 0] = [partials[place], partials[size + place], partials[2 * size + place]];
      const column = place % columns;
      if (!Number.isFinite(near + sum + squares)) {
        throw new DataError(
          `statistics: the squares of feature ${column} are beyond float32. Scale the data, or leave extreme values out.`,
        );
      }
      const count = Math.min(sliceRows, rows.length - Math.floor(place / columns) * sliceRows);
      moments[column] ??= none();
      merge(moments[column], { count, mean: near + sum / count, squares: Math.max(squares - (sum * sum) / count, 0) });
    }
  }
  return moments;
}

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

const none = (): Moments => ({ count: 0, mean: 0, squares: 0 });

/** Adds values to others. Source: Chan, Golub and LeVeque 1979. */
function merge(total: Moments, { count, mean, squares }: Moments): void {
  const difference = mean - total.mean;
  const sum = total.count + count;
  total.squares += squares + (difference * difference * total.count * count) / sum;
  total.mean = total.count === 0 ? mean : total.mean + (difference * count) / sum;
  total.count = sum;
}

function deviation({ count, squares }: Moments): number {
  return squares === 0 ? 1 : Math.sqrt(squares / count);
}
