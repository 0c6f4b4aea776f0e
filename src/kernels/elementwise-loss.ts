import shader from '../../shaders/loss/elementwise-loss.wgsl';
import { ShapeError } from '../base/errors.js';
import { dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { type LabelledDispatch, type Labels, labelForm } from './gather-rows.js';
import { checkOutputs, type LossOutputs } from './softmax-cross-entropy.js';

/** In the order of the override LOSS. */
const names = ['binaryCrossEntropy', 'squaredError', 'absoluteError', 'huber', 'logCosh'] as const;

/** A loss by its name, and its numbers. */
export interface ElementwiseLoss {
  readonly name: (typeof names)[number];
  /** The difference from which on huber is linear; 1 by default. */
  readonly delta?: number;
  /** (columns): what a target of 1 counts in binaryCrossEntropy; 1 without. */
  readonly positiveWeights?: Tensor | undefined;
}

/**
 * Describes a loss that compares each output with a target of its own: the mean of each row, its gradient and its sums;
 * `shaders/loss/elementwise-loss.wgsl` tells how.
 * @param outputs (rows, columns); logits for binaryCrossEntropy
 * @param labels (rows, columns) targets, or with one column (rows, 1) indices that are taken for numbers; one more column has
 * the rows' weights; or those of a data set
 * @param step how many rows are valid, and the number of the step; a plan fills it in at each replay
 * @throws {ShapeError} if the shapes do not fit together
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
  checkOutputs(where, outputs, results, 2);
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
