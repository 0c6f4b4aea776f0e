import shader from '../../shaders/loss/value-sums.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { dispatch, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type LabelledDispatch, type Labels, labelForm } from './gather-rows.js';

const WORKGROUP = 64;
/** Numbers of a slot: n, c, Σ(y − c), Σ(y − c)², Σ(a − y)², Σ|a − y|. */
export const VALUE_SUMS = 6;

/**
 * Describes sums over a batch's rows, for R² and mean absolute error; `shaders/loss/value-sums.wgsl` tells how.
 * @param outputs (rows, columns)
 * @param labels (rows, columns) targets; one more column is not looked at; or those of a data set
 * @param sums (columns, slots, 6), zeros at first; added to. As many slots add up at once, each every slots-th row
 * @throws {ShapeError} if the shapes do not fit together
 */
export function valueSums(
  outputs: Tensor,
  labels: Labels,
  sums: Tensor,
  step: StepValues | typeof PER_STEP,
): LabelledDispatch {
  const [rows = 1, columns = 1] = outputs.shape;
  const form = labelForm('valueSums', labels, rows, columns);
  const [sumsOf, slots = 1, numbers] = sums.shape;
  if (form.indices || sumsOf !== columns || numbers !== VALUE_SUMS) {
    throw new ShapeError(
      `valueSums: labels are ${form.labels.dtype} and sums ${formatShape(sums.shape)}; they must be f32 and (${columns}, slots, ${VALUE_SUMS}).`,
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
