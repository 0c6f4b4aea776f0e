import type { PlanBuilder } from '../gpu/plan.js';
import type { Tensor } from '../gpu/tensor.js';
import type { LossOutputs } from '../kernels/softmax-cross-entropy.js';

/** What is learned from. A value: its spec, and the function that records its dispatches. */
export interface Loss {
  readonly spec: { readonly type: string } & Readonly<Record<string, unknown>>;
  /** Records the loss of each row, the gradient of their mean over the valid rows, and the sums over steps. */
  record(plan: PlanBuilder, outputs: Tensor, labels: Tensor<'u32'>, results: LossOutputs): void;
}
