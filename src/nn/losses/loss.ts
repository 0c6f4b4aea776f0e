import type { LabelTensor } from '../../kernels/gather-rows.js';
import type { LossOutputs } from '../../kernels/softmax-cross-entropy.js';
import type { PlanBuilder } from '../../plan/builder.js';
import type { Tensor } from '../../plan/tensor.js';
import type { Link } from '../output.js';

/** The loss that a training makes small. A value: its spec, and the function that records its dispatches. */
export interface Loss {
  readonly spec: { readonly type: string } & Readonly<Record<string, unknown>>;
  /**
   * The meaning that the loss gives to outputs, and so the labels that it takes: `softmax` class indices or rows of probabilities, `logistic`
   * rows of numbers from 0 to 1, or for one output the classes 0 and 1, `identity` rows of any numbers.
   */
  readonly link: Link;
  /** True if the sum of losses is divided by what the classes of the rows weigh instead of their number: the totals' third row. */
  readonly weighsClasses?: boolean;
  /**
   * Records the loss of each row, the gradient of the batch's loss, and the sums over steps.
   * @param labels (batch, 1) or (batch, outputs); with one column more, the last has the float32 weight of each row
   */
  record(plan: PlanBuilder, outputs: Tensor, labels: LabelTensor, results: LossOutputs): void;
}
