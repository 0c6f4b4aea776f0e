import { counting } from '../base/random.js';
import type { RawTensor } from '../data/dataset.js';
import type { LabelTensor, RowSource } from '../kernels/gather-rows.js';
import { upload } from '../plan/tensor.js';
import type { Model } from './model.js';

/** Rows of samples in their order, all unless told otherwise. Without labels the row numbers stand in for them. */
export function rowSource(
  { device, normalization, common }: Model,
  data: RawTensor,
  labels?: LabelTensor,
  rows: Uint32Array<ArrayBuffer> = counting(data.shape[0] ?? 1),
): RowSource {
  const order = upload<'u32'>(device, rows, [rows.length], 'order');
  return { data, labels: labels ?? order.view(0, [rows.length, 1]), order, normalization, common };
}
