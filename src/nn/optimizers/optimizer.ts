import type { Adjustment } from '../../kernels/update.js';
import type { PlanBuilder } from '../../plan/builder.js';
import type { Tensor } from '../../plan/tensor.js';

/** All parameters of a model, with their gradients, as flat tensors. */
export interface ParameterSet {
  /** The parameters. */
  readonly values: Tensor;
  /** The gradients, laid out as `values`. */
  readonly gradients: Tensor;
  /** The number of the layer that each block of 64 elements belongs to. */
  readonly layerOfBlock: Tensor<'u32'>;
  /** @deprecated The earlier name of `layerOfBlock`. */
  readonly owners: Tensor<'u32'>;
  /**
   * The smallest step after which a value was not finite. Word 0 is for the loss, word 1 + n for the parameters of
   * layer n.
   */
  readonly status: Tensor<'u32'>;
  /** The trainer's `clip` and `penalties`, which the update kernel applies to the gradients. Default: neither. */
  readonly adjustment?: Adjustment | undefined;
}

/** An optimizer, which updates parameters by their gradients: an immutable value that records its dispatches. */
export interface Optimizer {
  /** Type and options of the optimizer, with every default filled in: plain data that can be saved as JSON. */
  readonly spec: {
    readonly type: string;
    /** Initial learning rate of a trainer. */
    readonly learningRate: number;
  } & Readonly<Record<string, unknown>>;
  /**
   * True if `record` reads `adjustment.parameterMask`, which a trainer otherwise makes only for `clip` and `penalties`.
   * Default: false.
   */
  readonly needsMask?: boolean | undefined;
  /**
   * Numbers of state for each parameter, in one tensor. If such a tensor for all parameters would exceed 128 MiB, which
   * every device can bind, a trainer calls `record` for one part of the parameters after the other. Default: 1.
   */
  readonly stateRows?: number | undefined;
  /** Records one update of all parameters, or of a part of them. The learning rate is a field of the uniforms of each step. */
  record(plan: PlanBuilder, parameters: ParameterSet): void;
  /**
   * Computes at most 60 numbers of a step, which follow the learning rate in the uniforms of the step, as f32.
   * Default: none.
   * @param index number of the step, counted from 0
   */
  perStep?(index: number): readonly number[];
}
