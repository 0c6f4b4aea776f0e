import shader from '../../shaders/loss/class-counts.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type LabelledDispatch, type Labels, labelForm } from './gather-rows.js';

/** Options of `classCounts`. */
export interface ClassCountsForm {
  /** Counts the rows whose class is among the `topK` largest outputs. Default: none, for a confusion matrix. */
  readonly topK?: number | undefined;
  /** True if the only output is a logit: it predicts class 1 if it is ≥ 0, else class 0. Default: false. */
  readonly logistic?: boolean | undefined;
}

/**
 * Describes a dispatch that counts the classifications of a batch: counts[actual, predicted] += 1 for each valid row;
 * or, with `topK`, counts[0] += 1 for each valid row whose class is among the `topK` largest outputs.
 * Kernel: `shaders/loss/class-counts.wgsl`.
 * @param outputs (rows, columns)
 * @param labels (rows, 1) class indices as u32, or (rows, columns) probabilities as f32; weights in one more column are
 * ignored; or the labels and order of a data set
 * @param counts (classes, classes), or (1, 1) with `topK`; read and written
 * @param step `rows` is the number of valid rows, `first` the first row in the data set's order; `PER_STEP` in a
 * recorded plan, which sets them at each replay
 * @param options default: a confusion matrix
 * @throws {ShapeError} if the shapes do not fit together
 * @example
 * gpu.run([classCounts(logits, labels, counts, { first: 0, rows: 32, index: 0, learning_rate: 0 })]);
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
