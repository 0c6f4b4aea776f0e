import shader from '../../shaders/data/column-statistics.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, program } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { LONG_SUM } from './long-sum.js';

/** Invocations of a workgroup. */
const WORKGROUP = 64;
/** Invocations that keep a GPU busy. */
const INVOCATIONS = 65536;
/** The fewest rows for which an invocation is worth while. */
const FEWEST_ROWS = 16;

/** Cuts rows into `slices` slices of `sliceRows` rows; the last slice may have fewer. */
export function slicesOf(rows: number, columns: number): { readonly slices: number; readonly sliceRows: number } {
  const wanted = Math.min(Math.ceil(INVOCATIONS / columns), Math.ceil(rows / FEWEST_ROWS));
  const sliceRows = Math.ceil(rows / wanted);
  return { slices: Math.ceil(rows / sliceRows), sliceRows };
}

/**
 * Describes a dispatch that computes, for each column and slice of rows, the sums from which the host computes mean and
 * standard deviation in float64: a value p near the slice's mean, Σ(x − p) and Σ(x − p)².
 * Kernel: `shaders/data/column-statistics.wgsl`.
 * @param data (samples, columns), bytes or float32
 * @param order (rows): indices of the samples that count
 * @param partials (3, slices, columns), overwritten; there are ⌈rows/s⌉ slices of s = ⌈rows/n⌉ rows, where
 * n = min(⌈65536/columns⌉, ⌈rows/16⌉)
 * @throws {ShapeError} if `partials` has another shape
 * @example
 * gpu.run([columnStatistics(data, order, partials)]);
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
    programs: [
      program(shader, { BYTES: data.dtype === 'u8', LONG: sliceRows > LONG_SUM }, [
        Math.ceil(columns / WORKGROUP),
        slices,
      ]),
    ],
    uniforms: { dims: { rows, columns, slices, slice_rows: sliceRows } },
    buffers: { data, order, partials },
    flops: 6 * rows * columns,
  });
}
