import shader from '../../shaders/loss/softmax-cross-entropy.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type LabelledComputation, type LabelledDispatch, type Labels, labelForm } from './gather-rows.js';

/** The results of a loss kernel. */
export interface LossOutputs {
  /** (rows, 1): the loss of each row. Their mean over the valid rows is the batch's loss. */
  readonly losses: Tensor;
  /** (rows, outputs): ∂(the batch's loss)/∂outputs. */
  readonly gradient: Tensor;
  /**
   * (2, rows): accumulators over steps. Added to are the losses, and 1 for each row whose largest logit is that of its label. With class weights (3,
   * rows): the last are what the sum of the losses is to be divided by.
   */
  readonly totals: Tensor;
  /** (3, rows): totals and losses in one tensor, for a plan that is a single kernel. A loss of an app's own leaves it alone. */
  readonly packed?: Tensor;
  /** At least 1 word: status[0] becomes the smallest step whose loss is not finite. Start it at 0xffffffff. */
  readonly status: Tensor<'u32'>;
}

/** Options of softmax-cross-entropy beyond the plain form. */
export interface CrossEntropyForm {
  /** The share of each label that is spread evenly over all classes. */
  readonly labelSmoothing?: number;
  /** (classes): what each class counts. */
  readonly classWeights?: Tensor | undefined;
}

/** The mathematics of a `softmaxCrossEntropyRows`. */
export interface CrossEntropyComputation extends LabelledComputation {
  readonly kind: 'softmax-cross-entropy';
  readonly logits: Tensor;
  readonly outputs: LossOutputs;
  readonly step: StepValues | typeof PER_STEP;
  /** Names of the options that make it more than −log softmax(logits)[label], if any do. */
  readonly more: string | undefined;
}

/** A `softmaxCrossEntropyRows` dispatch, and the loss that it computes. */
export interface CrossEntropyDispatch extends LabelledDispatch {
  /** @internal */
  readonly computes: CrossEntropyComputation;
}

/**
 * Describes −Σₖ yₖ·log softmax(logits)ₖ for each row, its gradient and its sums; `shaders/loss/softmax-cross-entropy.wgsl`
 * tells how.
 * @param logits (rows, classes)
 * @param labels (rows, 1): class indices as u32; or (rows, classes): probabilities as f32; one more column has the rows'
 * weights; or those of a data set
 * @param step how many rows are valid, and the number of the step; a plan fills it in at each replay
 * @throws {ShapeError} if the shapes do not fit together
 */
export function softmaxCrossEntropyRows(
  logits: Tensor,
  labels: Labels,
  outputs: LossOutputs,
  step: StepValues | typeof PER_STEP,
  { labelSmoothing = 0, classWeights }: CrossEntropyForm = {},
): CrossEntropyDispatch {
  const [rows = 1, classes = 1] = logits.shape;
  const where = 'softmaxCrossEntropyRows';
  const form = labelForm(where, labels, rows, classes);
  if (classWeights !== undefined && classWeights.length !== classes) {
    throw new ShapeError(`${where}: there are ${classWeights.length} classWeights for ${classes} classes.`);
  }
  checkOutputs(where, logits, outputs, classWeights === undefined ? 2 : 3);
  const { losses, gradient, totals, status } = outputs;
  const overrides = {
    PROBABILITIES: !form.indices,
    GATHERED: form.order !== undefined,
    SMOOTHING: labelSmoothing,
    SAMPLE_WEIGHTS: form.weighted,
    CLASS_WEIGHTS: classWeights !== undefined,
  };
  const described = dispatch(shader, {
    label: `softmax-cross-entropy ${rows}×${classes}`,
    programs: [program(shader, overrides, linearGrid(rows))],
    uniforms: { dims: { rows, classes, words: form.words }, step },
    buffers: {
      logits,
      labels: form.labels,
      order: form.order,
      losses,
      gradient,
      totals,
      status,
      weights: classWeights,
    },
    flops: 8 * rows * classes,
  });
  const more = [
    ...(labelSmoothing > 0 ? ['label smoothing'] : []),
    ...(classWeights === undefined ? [] : ['class weights']),
    ...(form.weighted ? ['sample weights'] : []),
  ].join(' and ');
  return {
    ...described,
    computes: {
      kind: 'softmax-cross-entropy',
      logits,
      labels,
      outputs,
      step,
      more: more === '' ? undefined : more,
      with: (others) => softmaxCrossEntropyRows(logits, others, outputs, step, { labelSmoothing, classWeights }),
    },
  };
}

/** Checks that results are those of (rows, columns) outputs. @throws {ShapeError} */
export function checkOutputs(where: string, outputs: Tensor, results: LossOutputs, sums: number): void {
  const [rows = 1] = outputs.shape;
  const { losses, gradient, totals } = results;
  if (losses.length !== rows || gradient.shape.join() !== outputs.shape.join() || totals.length !== sums * rows) {
    throw new ShapeError(
      `${where}: for outputs ${formatShape(outputs.shape)} the losses are (${rows}, 1), the gradient ${formatShape(outputs.shape)} and the totals (${sums}, ${rows}); they are ${formatShape(losses.shape)}, ${formatShape(gradient.shape)} and ${formatShape(totals.shape)}.`,
    );
  }
}
