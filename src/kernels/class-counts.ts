import shader from '../../shaders/loss/class-counts.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type LabelledDispatch, type Labels, labelForm } from './gather-rows.js';

/** The counts that a dispatch adds to. */
export interface ClassCountsForm {
  /** Number of the largest outputs that may be the actual class'; without it a confusion matrix is counted. */
  readonly topK?: number | undefined;
  /** The only output is a logit: class 1 from 0 on. */
  readonly logistic?: boolean;
}

/**
 * Describes the count of a batch's classifications: a confusion matrix, or how many rows have their class among the `topK`
 * largest outputs; `shaders/loss/class-counts.wgsl` tells how.
 * @param outputs (rows, columns)
 * @param labels (rows, 1) class indices or (rows, columns) probabilities; one more column is not looked at; or a data set's
 * @param counts (classes, classes), rows for what is, columns for what is predicted; or (1, 1) with `topK`; added to
 * @throws {ShapeError} if the shapes do not fit together
 */
export function classCounts(
  outputs: Tensor,
  labels: Labels,
  counts: Tensor<'u32'>,
  step: StepValues | typeof PER_STEP,
  { topK = 0, logistic = false }: ClassCountsForm = {},
): LabelledDispatch {
  const [rows = 1, columns = 1] = outputs.shape;
  const form = labelForm('classCounts', labels, rows, columns);
  const classes = topK > 0 ? 1 : logistic ? 2 : columns;
  if (counts.shape.join() !== [classes, classes].join()) {
    throw new ShapeError(`classCounts: counts are ${formatShape(counts.shape)}, but must be (${classes}, ${classes}).`);
  }
  const described = dispatch(shader, {
    label: `class-counts ${rows}×${columns}${topK > 0 ? ` top ${topK}` : ''}`,
    programs: [
      program(
        shader,
        { TOP_K: topK, LOGISTIC: logistic, PROBABILITIES: !form.indices, GATHERED: form.order !== undefined },
        linearGrid(rows),
      ),
    ],
    uniforms: { dims: { columns, words: form.words }, step },
    buffers: { outputs, labels: form.labels, order: form.order, counts },
    flops: rows * columns,
  });
  const others = (source: Labels): LabelledDispatch => classCounts(outputs, source, counts, step, { topK, logistic });
  return { ...described, computes: { kind: 'accumulator', labels, with: others } };
}
