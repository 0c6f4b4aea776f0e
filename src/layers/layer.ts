import type { PlanBuilder } from '../gpu/plan.js';
import type { Tensor } from '../gpu/tensor.js';
import type { Gate } from '../kernels/matmul.js';
import type { Initializer } from '../random.js';

/** A parameter that a layer wants: (fanIn, fanOut) for a weight matrix, (units) for a bias. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initializer: Initializer;
}

/** A layer's parameters, one after the other in one flat tensor, and their gradients in the same order. */
export interface ParameterBlock {
  readonly values: Tensor;
  /** Not there when a plan only predicts. */
  readonly gradients: Tensor | undefined;
}

/** What a layer recorded of its forward half, and how to record its backward half. */
export interface RecordedLayer {
  readonly output: Tensor;
  /** The layer's activation, if it ends in one: whoever writes ∂loss/∂output multiplies by its derivative there. */
  readonly gate: Gate | undefined;
  /**
   * Records the gradients of the parameters, and that of the input.
   * @param gradient ∂loss/∂(pre-activation) where `gate` is given, else ∂loss/∂output
   * @param below the gate of the layer below, to multiply ∂loss/∂input by
   * @returns ∂loss/∂input, times the derivative of `below`; the plan drops it if nobody reads it
   */
  backward(gradient: Tensor, below: Gate | undefined): Tensor;
}

/** A layer is a value: its spec, plain data with every default filled in, and how it records its dispatches. */
export interface Layer {
  readonly spec: { readonly type: string; readonly units: number } & Readonly<Record<string, unknown>>;
  /** The same layer without its activation, where a link takes that over: the sigmoid before binaryCrossEntropy. */
  readonly linear?: Layer;
  /** @throws {ShapeError|MlpError} if the layer cannot be; `where` says which it is */
  parameters(inputs: number, where: string): readonly ParameterSpec[];
  record(plan: PlanBuilder, X: Tensor, block: ParameterBlock, training: boolean): RecordedLayer;
}
