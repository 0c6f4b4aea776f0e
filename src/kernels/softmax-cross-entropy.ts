import shader from '../../shaders/loss/softmax-cross-entropy.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type LabelledComputation, type LabelledDispatch, type Labels, labelForm } from './gather-rows.js';
import { LONG_SUM } from './long-sum.js';

/** The tensors that a loss kernel writes. */
export interface LossOutputs {
  /** (rows, 1), overwritten: the loss of each row. The mean over the valid rows is the loss of the batch. */
  readonly losses: Tensor;
  /** (rows, outputs), overwritten: ∂(loss of the batch)/∂outputs. */
  readonly gradient: Tensor;
  /**
   * (2, rows): accumulators over steps. The kernel adds the loss of each row to the first row of the tensor, and 1 to
   * the second if the row's largest logit is that of its label. With class weights (3, rows): the kernel adds to the
   * third row the divisors of the losses, whose sum divides the sum of the losses.
   *
   * A float32 sum of n steps is off by up to n roundings. A tensor with twice as many rows keeps what the sums lose: the
   * second half of its rows has the low parts of the sums in the first half, and a sum plus its low part is exact to two
   * roundings. A trainer passes such tensors; a custom loss may leave their second half 0.
   */
  readonly totals: Tensor;
  /** (5, rows): `totals`, then `losses`, for a plan of a single kernel. A custom loss ignores it. Default: none. */
  readonly packed?: Tensor | undefined;
  /** At least one word: status[0] becomes the first step whose loss is not finite. Start it at 0xffffffff. */
  readonly status: Tensor<'u32'>;
}

/** Options of `softmaxCrossEntropyRows`. */
export interface CrossEntropyForm {
  /** The share of each label that is spread evenly over all classes, in [0, 1]. Default: 0. */
  readonly labelSmoothing?: number | undefined;
  /** (classes): the weight of each class in the loss. Default: 1 for each class. */
  readonly classWeights?: Tensor | undefined;
}

/** The computation of a `softmaxCrossEntropyRows`. */
export interface CrossEntropyComputation extends LabelledComputation {
  readonly kind: 'softmax-cross-entropy';
  readonly logits: Tensor;
  readonly outputs: LossOutputs;
  readonly step: StepValues | typeof PER_STEP;
  /** Names of the options that change the loss from −log softmax(logits)[label]; `undefined` if there are none. */
  readonly more: string | undefined;
}

/** A `softmaxCrossEntropyRows` dispatch, and the loss that it computes. */
export interface CrossEntropyDispatch extends LabelledDispatch {
  /** @internal */
  readonly computes: CrossEntropyComputation;
}

/**
 * Describes a dispatch that computes softmax-cross-entropy: the loss of a row is −Σₖ yₖ·log softmax(logits)ₖ, where y
 * is 1 at the label, or the probabilities. The loss of a batch is the mean over its valid rows. The kernel also writes
 * the gradient and adds to the accumulators.
 * Kernel: `shaders/loss/softmax-cross-entropy.wgsl`.
 * @param logits (rows, classes)
 * @param labels (rows, 1) class indices as u32, or (rows, classes) probabilities as f32; one more column holds the
 * weights of the rows; or the labels and order of a data set
 * @param outputs tensors that the kernel writes
 * @param step `rows` is the number of valid rows, `index` the number of the step, `first` the first row in the data
 * set's order; `PER_STEP` in a recorded plan, which sets them at each replay
 * @throws {ShapeError} if the shapes do not fit together
 * @example
 * gpu.run([softmaxCrossEntropyRows(logits, labels, { losses, gradient, totals, status }, step)]);
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
  const TOTALS = classWeights === undefined ? 2 : 3;
  const PAIRS = checkOutputs(where, logits, outputs, TOTALS);
  const { losses, gradient, totals, status } = outputs;
  const overrides = {
    PROBABILITIES: !form.indices,
    GATHERED: form.order !== undefined,
    SMOOTHING: labelSmoothing,
    SAMPLE_WEIGHTS: form.weighted,
    CLASS_WEIGHTS: classWeights !== undefined,
    TOTALS,
    PAIRS,
    LONG: classes > LONG_SUM,
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

/**
 * Checks that the results of a loss have the shapes for (rows, columns) outputs.
 * @returns true if the totals have low parts
 * @throws {ShapeError} if a shape does not fit
 */
export function checkOutputs(where: string, outputs: Tensor, results: LossOutputs, sums: number): boolean {
  const [rows = 1] = outputs.shape;
  const { losses, gradient, totals } = results;
  const hasPairs = totals.length === 2 * sums * rows;
  const fits = hasPairs || totals.length === sums * rows;
  if (losses.length !== rows || gradient.shape.join() !== outputs.shape.join() || !fits) {
    throw new ShapeError(
      `${where}: for outputs ${formatShape(outputs.shape)} the losses are (${rows}, 1), the gradient ${formatShape(outputs.shape)} and the totals (${sums}, ${rows}) or (${2 * sums}, ${rows}); they are ${formatShape(losses.shape)}, ${formatShape(gradient.shape)} and ${formatShape(totals.shape)}.`,
    );
  }
  return hasPairs;
}
