import shader from '../../shaders/loss/elementwise-loss.wgsl';
import { ShapeError } from '../base/errors.js';
import { dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type LabelledDispatch, type Labels, labelForm } from './gather-rows.js';
import { LONG_SUM } from './long-sum.js';
import { checkOutputs, type LossOutputs } from './softmax-cross-entropy.js';

/** Names of the losses: the index of a name is the override LOSS. */
const names = ['binaryCrossEntropy', 'squaredError', 'absoluteError', 'huber', 'logCosh'] as const;

/** A loss that compares each output a with its target y, and the options of the loss. */
export interface ElementwiseLoss {
  /**
   * The loss of an element:
   * - binaryCrossEntropy: −w·y·ln σ(a) − (1 − y)·ln σ(−a), where a is a logit and w comes from `positiveWeights`
   * - squaredError: (a − y)²
   * - absoluteError: |a − y|
   * - huber: (a − y)²/2 if |a − y| ≤ delta, else delta·(|a − y| − delta/2)
   * - logCosh: ln cosh(a − y)
   */
  readonly name: (typeof names)[number];
  /** The difference at which huber becomes linear, > 0. Default: 1. */
  readonly delta?: number | undefined;
  /** (columns): the weight w of a target of 1 in binaryCrossEntropy. Default: 1 for each column. */
  readonly positiveWeights?: Tensor | undefined;
}

/**
 * Describes a dispatch that computes an elementwise loss: the loss of a row is the mean over its columns, the loss of a
 * batch the mean over its valid rows. The kernel also writes the gradient and adds to the accumulators.
 * Kernel: `shaders/loss/elementwise-loss.wgsl`.
 * @param outputs (rows, columns); logits for binaryCrossEntropy
 * @param labels (rows, columns) targets as f32; or, for one column, (rows, 1) numbers as u32; one more column holds the
 * weights of the rows; or the labels and order of a data set
 * @param results tensors that the kernel writes
 * @param step `rows` is the number of valid rows, `index` the number of the step, `first` the first row in the data
 * set's order; `PER_STEP` in a recorded plan, which sets them at each replay
 * @throws {ShapeError} if the shapes do not fit together
 * @example
 * gpu.run([elementwiseLossRows({ name: 'huber' }, outputs, targets, results, step)]);
 */
export function elementwiseLossRows(
  { name, delta = 1, positiveWeights }: ElementwiseLoss,
  outputs: Tensor,
  labels: Labels,
  results: LossOutputs,
  step: StepValues | typeof PER_STEP,
): LabelledDispatch {
  const [rows = 1, columns = 1] = outputs.shape;
  const where = `elementwiseLossRows: ${name}`;
  const form = labelForm(where, labels, rows, columns);
  if (form.indices && columns !== 1) {
    throw new ShapeError(`${where}: labels are indices, but there are ${columns} columns; each needs a target.`);
  }
  if (positiveWeights !== undefined && positiveWeights.length !== columns) {
    throw new ShapeError(`${where}: there are ${positiveWeights.length} positiveWeights for ${columns} columns.`);
  }
  const PAIRS = checkOutputs(where, outputs, results, 2);
  const { losses, gradient, totals, status } = results;
  const described = dispatch(shader, {
    label: `elementwise-loss ${name} ${rows}×${columns}`,
    programs: [
      program(
        shader,
        {
          LOSS: names.indexOf(name),
          DELTA: delta,
          INDICES: form.indices,
          GATHERED: form.order !== undefined,
          SAMPLE_WEIGHTS: form.weighted,
          POSITIVE_WEIGHTS: positiveWeights !== undefined,
          PAIRS,
          LONG: columns > LONG_SUM,
        },
        linearGrid(rows),
      ),
    ],
    uniforms: { dims: { rows, columns, words: form.words }, step },
    buffers: {
      outputs,
      labels: form.labels,
      order: form.order,
      losses,
      gradient,
      totals,
      status,
      weights: positiveWeights,
    },
    flops: 8 * rows * columns,
  });
  return {
    ...described,
    computes: {
      kind: 'elementwise-loss',
      labels,
      with: (others) => elementwiseLossRows({ name, delta, positiveWeights }, outputs, others, results, step),
    },
  };
}
