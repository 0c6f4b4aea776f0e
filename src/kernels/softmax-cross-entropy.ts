import shader from '../../shaders/softmax-cross-entropy.wgsl';
import { text } from '../check.js';
import { ShapeError } from '../errors.js';
import { type Dispatch, dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../gpu/dispatch.js';
import type { Tensor } from '../gpu/tensor.js';
import type { RowSource } from './gather-rows.js';

/** What the loss kernel writes beside the gradient. */
export interface LossOutputs {
  /** (rows, 1): the loss of each row. */
  readonly losses: Tensor;
  /** (rows, classes): ∂(mean loss)/∂logits. */
  readonly gradient: Tensor;
  /** (2, rows): added to: the losses, and 1 for each row whose largest logit is that of its label. */
  readonly totals: Tensor;
  /** (3, rows): totals and losses in one tensor, where a plan that is one kernel has them instead. */
  readonly together?: Tensor;
  /** At least 1 word: status[0] becomes the smallest step whose loss is not finite. Start it at 0xffffffff. */
  readonly status: Tensor<'u32'>;
}

/** Labels of the rows; or a data set's, and the order in which a batch takes them. */
type Labels = Tensor<'u32'> | Pick<RowSource, 'labels' | 'order'>;

/** A `softmaxCrossEntropyRows` dispatch, and what it compares. */
export interface LossDispatch extends Dispatch {
  readonly loss: {
    readonly logits: Tensor;
    readonly labels: Labels;
    readonly outputs: LossOutputs;
    readonly step: StepValues | typeof PER_STEP;
  };
}

/**
 * Describes −Σₖ yₖ·log softmax(logits)ₖ for each row, its gradient and its sums; `shaders/softmax-cross-entropy.wgsl` tells how.
 * @param logits (rows, classes)
 * @param labels (rows, 1): class indices; or (rows, classes): the bits of float32 probabilities; or those of a data set
 * @param step how many rows are valid, and the number of the step; a plan fills it in at each replay
 * @throws {ShapeError} if the shapes do not fit together
 */
export function softmaxCrossEntropyRows(
  logits: Tensor,
  labels: Labels,
  outputs: LossOutputs,
  step: StepValues | typeof PER_STEP,
): LossDispatch {
  const [rows = 1, classes = 1] = logits.shape;
  const { losses, gradient, totals, status } = outputs;
  const gathered = 'order' in labels;
  const stored = gathered ? labels.labels : labels;
  const width = stored.shape[1] ?? 1;
  if ((!gathered && stored.shape[0] !== rows) || (width !== 1 && width !== classes)) {
    throw new ShapeError(
      `softmaxCrossEntropyRows: logits are ${text(logits.shape)}, but labels are ${text(stored.shape)}; they are (${rows}, 1) indices or (${rows}, ${classes}) probabilities.`,
    );
  }
  if (losses.length !== rows || gradient.shape.join() !== logits.shape.join() || totals.length !== 2 * rows) {
    throw new ShapeError(
      `softmaxCrossEntropyRows: for logits (${rows}, ${classes}) the losses are (${rows}, 1), the gradient (${rows}, ${classes}) and the totals (2, ${rows}); they are ${text(losses.shape)}, ${text(gradient.shape)} and ${text(totals.shape)}.`,
    );
  }
  const described = dispatch(shader, {
    label: `softmax-cross-entropy ${rows}×${classes}`,
    // One class has one row of labels either way; an index of it says nothing, so it is taken for a probability.
    programs: [
      program(shader, { PROBABILITIES: width === classes && classes > 1, GATHERED: gathered }, linearGrid(rows)),
    ],
    uniforms: { dims: { rows, classes }, step },
    buffers: { logits, labels: stored, order: gathered ? labels.order : undefined, losses, gradient, totals, status },
    flops: 8 * rows * classes,
  });
  return { ...described, loss: { logits, labels, outputs, step } };
}
