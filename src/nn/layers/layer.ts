import type { ActivationGradient, WithActivationGradient } from '../../kernels/activation-gradient.js';
import type { ResolvedActivation } from '../../kernels/activations.js';
import type { GatheredRows } from '../../kernels/gather-rows.js';
import type { MatmulDispatch, MatmulOptions } from '../../kernels/matmul/matmul.js';
import type { PlanBuilder } from '../../plan/builder.js';
import type { Tensor } from '../../plan/tensor.js';
import type { Initializer } from '../initializers.js';

/** The declaration of one parameter of a layer. */
export interface ParameterSpec {
  /** Name, unique in the layer; `Mlp.weights()` and files have it behind the layer's number, as in `0.weight`. */
  readonly name: string;
  /** (fanIn, fanOut) for a weight matrix, (units) for a bias. */
  readonly shape: readonly number[];
  /** Initializer, or the initial value of every element. */
  readonly initializer: Initializer | number;
  /**
   * False for a buffer, in PyTorch's sense: a tensor without a gradient that only the layer itself changes, such as
   * running statistics. Default: true.
   */
  readonly trained?: boolean | undefined;
  /**
   * Number of matrices whose columns are interleaved in this one: column c belongs to matrix c mod pieces. Each is
   * initialized on its own, with its own fan-out. Default: 1.
   */
  readonly pieces?: number | undefined;
}

/**
 * The tensors of a layer's parameters, in the order of `Layer.parameters`. Each starts at a multiple of 64 elements.
 */
export interface ParameterBlock {
  /** The parameters, one after the other, without those of `states`. */
  readonly values: Tensor;
  /** The gradients, laid out as `values`; undefined in evaluation and prediction, and if the layer is frozen. */
  readonly gradients: Tensor | undefined;
  /** The parameters with `trained: false`, one after the other. */
  readonly states: Tensor;
}

/**
 * The purpose of a recorded plan: `step` trains; `gradients` computes the gradients of training but changes no
 * parameter and no buffer; `evaluate` serves evaluation and prediction.
 */
export type Purpose = 'step' | 'gradients' | 'evaluate';

/** The context in which a layer is recorded. A kernel must ignore the rows of a batch from `step.rows` on. */
export interface LayerContext {
  /** Purpose of the plan. */
  readonly purpose: Purpose;
  /** False if the layer is frozen, by its own `trainable: false` or by that of a layer around it. */
  readonly trainable: boolean;
  /** Seed of the model. */
  readonly seed: number;
  /** Number of the layer, unique in the model; it selects the layer's stream of random numbers. */
  readonly number: number;
  /** The layers of `Layer.layers`, with their parameters. */
  readonly layers: readonly PlacedLayer[];
  /** Kernels of the model. */
  readonly kernels: LayerKernels;
}

/** Kernels that layers need for recording; a page downloads them only with its first model. */
export interface LayerKernels {
  /** `matmul` of 'webgpu-mlp/kernels', with the variants that suit the model's device. */
  matmul(A: Tensor | GatheredRows, B: Tensor, C: Tensor, options?: MatmulOptions): MatmulDispatch;
  /** @internal Records the dispatches that follow the matmul of a dense layer. */
  readonly endDense: RecordDenseEnd;
}

/** The recorded end of a dense layer, after its matmul. */
export interface DenseEnd {
  /** The layer's output. */
  readonly output: Tensor;
  /** Records the backward half. @param dY ∂loss/∂output @returns ∂loss/∂Z */
  backward(dY: Tensor): Tensor;
}

/**
 * Records the end of a dense layer.
 * @param Z the matmul's output
 * @param end maxout's pieces, or a learned activation and the offset of its parameter in `values`; undefined for other
 * layers
 * @param values the layer's parameters
 * @param gradients their gradients, if the plan trains
 */
export type RecordDenseEnd = (
  plan: PlanBuilder,
  Z: Tensor,
  end: { readonly pieces: number } | { readonly activation: ResolvedActivation; readonly start: number } | undefined,
  values: Tensor,
  gradients: Tensor | undefined,
) => DenseEnd;

/** A layer at its place in a model. */
export interface PlacedLayer {
  /** The layer. */
  readonly layer: Layer;
  /** Parameters of the layer. */
  readonly block: ParameterBlock;
  /** Context of the layer. */
  readonly context: LayerContext;
}

/** The recorded forward half of a layer, and a function that records its backward half. */
export interface RecordedLayer extends WithActivationGradient {
  /** The layer's output, (batch, outputs). */
  readonly output: Tensor;
  /**
   * The activation that the layer ends in, and the tensor to evaluate its derivative at. The kernel that writes
   * ∂loss/∂output multiplies by this derivative. Default: none.
   */
  readonly activationGradient?: ActivationGradient | undefined;
  /**
   * Records the gradients of the parameters and of the input.
   * @param gradient ∂loss/∂(pre-activation) if `activationGradient` is given, else ∂loss/∂output. Other dispatches
   * may read it later, so it must not be overwritten
   * @param below the activation gradient of the previous layer, a factor of the result
   * @returns ∂loss/∂input times the derivative of `below`. The plan removes the dispatch that computes it if nothing
   * reads it
   */
  backward(gradient: Tensor, below: ActivationGradient | undefined): Tensor;
}

/** A layer: an immutable value that declares its parameters and records its dispatches. */
export interface Layer {
  /** Type and options of the layer, with every default filled in: plain data that can be saved as JSON. */
  readonly spec: { readonly type: string } & Readonly<Record<string, unknown>>;
  /**
   * Layers inside this one, to be recorded in sequence. The names of their parameters begin with both numbers, as in
   * `3.0.weight`. Default: none.
   */
  readonly layers?: readonly Layer[] | undefined;
  /**
   * False to freeze the layer and the layers inside it: its parameters get no gradients and are not updated. A layer that
   * is saved also has it in its spec. Default: true.
   */
  readonly trainable?: boolean | undefined;
  /**
   * Reason why the layer cannot be trained, and a remedy: the rest of a sentence whose subject is the layer.
   * Undefined if it can be trained.
   */
  readonly untrainable?: string | undefined;
  /**
   * The same layer without its activation, used if the loss contains the activation: sigmoid with binaryCrossEntropy.
   * Undefined if no loss contains it.
   */
  readonly linear?: Layer | undefined;
  /**
   * Modules of a `torch.nn.Sequential` that stand for the layer in a file. Each maps PyTorch's name of a tensor to the
   * name of the layer's parameter, or to an int64 that only PyTorch reads (`{ num_batches_tracked: 0n }`). The layers
   * of `layers` are a `Sequential` in the first module. Default: one module that has all parameters under their own
   * names.
   */
  readonly modules?: readonly Readonly<Record<string, string | bigint>>[] | undefined;
  /** Number of output features, for a number of input features. */
  outputs(inputs: number): number;
  /**
   * Declares the layer's own parameters, without those of `layers`.
   * @param inputs number of input features
   * @param where the beginning of an error message, which names the layer: `Mlp.create: layer 0`
   * @throws {ShapeError|MlpError} if the layer has an invalid option, or does not fit its inputs
   */
  parameters(inputs: number, where: string): readonly ParameterSpec[];
  /**
   * Records the forward half.
   * @param X (batch, inputs)
   * @returns undefined if the layer does nothing: the output is X
   */
  record(plan: PlanBuilder, X: Tensor, block: ParameterBlock, context: LayerContext): RecordedLayer | undefined;
}
