import shader from '../../shaders/loss/value-sums.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { dispatch, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type LabelledDispatch, type Labels, labelForm } from './gather-rows.js';

/** Invocations of a workgroup. */
const WORKGROUP = 64;
/** The number of sums of a slot: n, c, Σ(y − c), Σ(y − c)², Σ(a − y)², Σ|a − y|. Each has a high and a low part. */
export const VALUE_SUMS = 6;

/**
 * Describes a dispatch that adds to the sums from which R² and the mean absolute error follow. For each column and
 * slot: n, c, Σ(y − c), Σ(y − c)², Σ(a − y)², Σ|a − y|, where a is an output, y its target, n the number of rows of the
 * slot and c a number near the mean of its targets, which moves as rows are added.
 * Kernel: `shaders/loss/value-sums.wgsl`.
 * @param outputs (rows, columns)
 * @param labels (rows, columns) targets as f32; weights in one more column are ignored; or the labels and order of a
 * data set
 * @param sums (columns, slots, 2, 6), read and written; zeros before the first batch. A slot has the six numbers and
 * then six low parts: number plus low part is the sum without the rounding errors of its additions. Slot s adds up rows
 * s, s + slots, s + 2·slots, …; the slots run in parallel
 * @param step `rows` is the number of valid rows, `first` the first row in the data set's order; `PER_STEP` in a
 * recorded plan, which sets them at each replay
 * @throws {ShapeError} if the shapes do not fit together
 * @example
 * gpu.run([valueSums(outputs, targets, sums, { first: 0, rows: 32, index: 0, learning_rate: 0 })]);
 */
export function valueSums(
  outputs: Tensor,
  labels: Labels,
  sums: Tensor,
  step: StepValues | typeof PER_STEP,
): LabelledDispatch {
  const [rows = 1, columns = 1] = outputs.shape;
  const form = labelForm('valueSums', labels, rows, columns);
  const [sumsOf, slots = 1, parts, numbers] = sums.shape;
  if (form.indices || sumsOf !== columns || parts !== 2 || numbers !== VALUE_SUMS) {
    throw new ShapeError(
      `valueSums: labels are ${form.labels.dtype} and sums ${formatShape(sums.shape)}; they must be f32 and (${columns}, slots, 2, ${VALUE_SUMS}).`,
    );
  }
  const described = dispatch(shader, {
    label: `value-sums ${rows}×${columns}`,
    programs: [program(shader, { GATHERED: form.order !== undefined }, [Math.ceil(slots / WORKGROUP), columns])],
    uniforms: { dims: { columns, words: form.words, slots }, step },
    buffers: { outputs, labels: form.labels, order: form.order, sums },
    flops: 8 * rows * columns,
  });
  return {
    ...described,
    computes: { kind: 'accumulator', labels, with: (others) => valueSums(outputs, others, sums, step) },
  };
}
