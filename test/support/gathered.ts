import { Random } from '../../src/base/random.js';
import type { GatheredRows } from '../../src/kernels/gather-rows.js';
import { type Gpu, type RowSource, type StepValues, Tensor } from '../../src/kernels.js';
import { upload } from '../../src/plan/tensor.js';
import type { Bounded } from '../reference/bounded.js';
import { gatherRows } from '../reference/gather-rows.js';

/** A batch as a matmul reads it from a data set, and the same batch as a matrix (batch, columns). */
export interface GatheredBatch {
  readonly A: Omit<GatheredRows, 'step'> & { readonly step: StepValues };
  readonly X: Bounded;
}

/** A data set of random samples, and a batch that begins inside of it; all values are scaled and shifted alike. */
export function gatheredBatch(
  gpu: Gpu,
  { dtype, columns, batch, rows }: Readonly<Record<'columns' | 'batch' | 'rows', number>> & { dtype: 'u8' | 'f32' },
): GatheredBatch {
  const random = new Random(5);
  const first = 11;
  const samples = first + rows + 20;
  const length = samples * columns;
  const data =
    dtype === 'u8'
      ? Uint8Array.from({ length }, () => random.integer(256))
      : Float32Array.from({ length }, () => random.uniform(-3, 3));
  const order = random.shuffled(samples);
  const common = [Math.fround(1 / 127.5), -1] as const;
  const [scale, shift] = common.map((value) => new Array<number>(columns).fill(value));
  const source = {
    data: upload<'u8' | 'f32'>(gpu, data, [samples, columns], 'data') as RowSource['data'],
    order: upload<'u32'>(gpu, order, [samples], 'order'),
    labels: Tensor.empty(gpu, [samples, 1], 'labels', 'u32'),
    normalization: Tensor.empty(gpu, [columns, 2]),
    common,
  };
  return {
    A: { source, batch, step: { first, rows, index: 0, learning_rate: 0 } },
    X: gatherRows(data, columns, order, { first, rows, batch, scale, shift }),
  };
}
