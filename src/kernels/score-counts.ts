import shader from '../../shaders/loss/score-counts.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type LabelledDispatch, type Labels, labelForm } from './gather-rows.js';

/** Options of `scoreCounts`. */
export interface ScoreCountsForm {
  /** True if each output is the logit of a class of its own. Default: false, the outputs are logits of a softmax. */
  readonly logistic?: boolean | undefined;
}

/** Number of scores of a row: one for each class, but for two classes only that of the second. */
export function scoresOf(columns: number, { logistic = false }: ScoreCountsForm): number {
  return !logistic && columns === 2 ? 1 : columns;
}

/**
 * Describes a dispatch that adds the scores of a batch to histograms, from which the area under the ROC curve follows:
 * counts[k, 1, bin] += 1 for each valid row of class k, and counts[k, 0, bin] += 1 for each other one, where bin is that
 * of the log-odds of class k. Scores that are not finite do not count.
 * Kernel: `shaders/loss/score-counts.wgsl`.
 * @param outputs (rows, columns) logits
 * @param labels (rows, 1) class indices as u32, or (rows, columns) probabilities as f32; weights in one more column are
 * ignored; or the labels and order of a data set
 * @param counts (scores, 2, bins), read and written; scores is columns, but 1 for a softmax of two classes, whose second
 * class counts
 * @param step `rows` is the number of valid rows, `first` the first row in the data set's order; `PER_STEP` in a
 * recorded plan, which sets them at each replay
 * @throws {ShapeError} if the shapes do not fit together
 * @example
 * const counts = Tensor.empty(gpu, [10, 2, 4096], 'counts', 'u32');
 * gpu.run([scoreCounts(logits, labels, counts, { first: 0, rows: 32, index: 0, learning_rate: 0 })]);
 */
export function scoreCounts(
  outputs: Tensor,
  labels: Labels,
  counts: Tensor<'u32'>,
  step: StepValues | typeof PER_STEP,
  { logistic = false }: ScoreCountsForm = {},
): LabelledDispatch {
  const [rows = 1, columns = 1] = outputs.shape;
  const form = labelForm('scoreCounts', labels, rows, columns);
  const scores = scoresOf(columns, { logistic });
  const [of, kinds, bins = 1] = counts.shape;
  if (counts.shape.length !== 3 || of !== scores || kinds !== 2 || (!logistic && columns < 2)) {
    throw new ShapeError(
      `scoreCounts: outputs are ${formatShape(outputs.shape)} and counts ${formatShape(counts.shape)}; counts must be (${scores}, 2, bins), for at least two columns without logistic.`,
    );
  }
  const described = dispatch(shader, {
    label: `score-counts ${rows}×${columns} in ${bins}`,
    programs: [
      program(
        shader,
        { LOGISTIC: logistic, PROBABILITIES: !form.indices, GATHERED: form.order !== undefined },
        linearGrid(rows),
      ),
    ],
    uniforms: { dims: { columns, words: form.words, bins }, step },
    buffers: { outputs, labels: form.labels, order: form.order, counts },
    flops: 12 * rows * columns,
  });
  return {
    ...described,
    computes: {
      kind: 'accumulator',
      labels,
      with: (source) => scoreCounts(outputs, source, counts, step, { logistic }),
    },
  };
}
