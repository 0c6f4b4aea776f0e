import shader from '../../shaders/data/column-statistics.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, program } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/** Invocations of a workgroup. */
const WORKGROUP = 64;
/** Invocations that keep a GPU busy, and rows that are worth one. */
const INVOCATIONS = 65536;
const FEWEST_ROWS = 16;

/** The cut of rows: `slices` of `sliceRows`, the last of which may have fewer. */
export function slicesOf(rows: number, columns: number): { readonly slices: number; readonly sliceRows: number } {
  const wanted = Math.min(Math.ceil(INVOCATIONS / columns), Math.ceil(rows / FEWEST_ROWS));
  const sliceRows = Math.ceil(rows / wanted);
  return { slices: Math.ceil(rows / sliceRows), sliceRows };
}

/**
 * Describes sums from which float64 makes every column's mean and deviation; `shaders/data/column-statistics.wgsl` tells how.
 * @param data (samples, columns)
 * @param order the rows that count
 * @param partials (3, slices, columns), overwritten: slices of s = ⌈rows/n⌉ rows, ⌈rows/s⌉ of them, for
 * n = min(⌈65536/columns⌉, ⌈rows/16⌉)
 * @throws {ShapeError} if partials has another shape
 */
export function columnStatistics(data: Tensor<'u8'> | Tensor, order: Tensor<'u32'>, partials: Tensor): Dispatch {
  const [, columns = 1] = data.shape;
  const rows = order.length;
  const { slices, sliceRows } = slicesOf(rows, columns);
  if (partials.shape.join() !== [3, slices, columns].join()) {
    throw new ShapeError(
      `columnStatistics: partials is ${formatShape(partials.shape)}, but must be ${formatShape([3, slices, columns])}.`,
    );
  }
  return dispatch(shader, {
    label: `column-statistics ${rows}×${columns} ${data.dtype}`,
    programs: [program(shader, { BYTES: data.dtype === 'u8' }, [Math.ceil(columns / WORKGROUP), slices])],
    uniforms: { dims: { rows, columns, slices, slice_rows: sliceRows } },
    buffers: { data, order, partials },
    flops: 6 * rows * columns,
  });
}
