import type { Adjustment } from '../../kernels/update.js';
import type { PlanBuilder } from '../../plan/builder.js';
import type { Tensor } from '../../plan/tensor.js';

/** All parameters of a model in one flat tensor, and what belongs to each element. */
export interface ParameterSet {
  /** The parameters. */
  readonly values: Tensor;
  readonly gradients: Tensor;
  /** For each block of 64 elements, the number of the layer that they belong to. */
  readonly layerOfBlock: Tensor<'u32'>;
  /** @deprecated The earlier name of `layerOfBlock`. */
  readonly owners: Tensor<'u32'>;
  /** Word 0 is the loss', word 1 + n layer n's: the smallest step that left something not finite. */
  readonly status: Tensor<'u32'>;
  /** The trainer's `clip` and `penalties`; an update kernel applies them as it reads the gradients. */
  readonly adjustment?: Adjustment | undefined;
}

/** The rule by which gradients become updates. A value: its spec, and the one function that records its dispatches. */
export interface Optimizer {
  readonly spec: { readonly type: string; readonly learningRate: number } & Readonly<Record<string, unknown>>;
  /** Records one update of all parameters; the learning rate comes with each step's record. */
  record(plan: PlanBuilder, parameters: ParameterSet): void;
  /** At most 60 numbers that stand behind the learning rate in the record of a step, as f32; steps count from 0 on. */
  perStep?(index: number): readonly number[];
}
