import type { LabelTensor } from '../../kernels/gather-rows.js';
import type { LossOutputs } from '../../kernels/softmax-cross-entropy.js';
import type { PlanBuilder } from '../../plan/builder.js';
import type { Tensor } from '../../plan/tensor.js';
import type { Link } from '../output.js';

/** A loss, which training minimizes: an immutable value that records its dispatches. */
export interface Loss {
  /** Type and options of the loss, with every default filled in: plain data that can be saved as JSON. */
  readonly spec: { readonly type: string } & Readonly<Record<string, unknown>>;
  /**
   * The meaning of the outputs under this loss, which decides the labels that it takes. `softmax`: class indices or
   * rows of probabilities. `logistic`: rows of numbers from 0 to 1, or for one output the classes 0 and 1. `identity`:
   * rows of any numbers.
   */
  readonly link: Link;
  /**
   * True if the sum of the losses is divided by the sum of the class weights of the rows, which the third row of
   * `LossOutputs.totals` accumulates. Default: false, to divide by the number of rows.
   */
  readonly weighsClasses?: boolean | undefined;
  /**
   * The weights of the classes, if `weighsClasses` is true and labels may be class indices. A trainer with `accumulate`
   * needs them. Default: none.
   */
  readonly classWeights?: readonly number[] | undefined;
  /**
   * Records the loss of each row, the gradient of the batch's loss, and the accumulators over steps.
   * @param outputs (batch, outputs): the model's outputs, or its logits
   * @param labels (batch, 1) or (batch, outputs); one more column, if there is one, has the float32 weight of each row
   * @param results tensors to write
   */
  record(plan: PlanBuilder, outputs: Tensor, labels: LabelTensor, results: LossOutputs): void;
}
