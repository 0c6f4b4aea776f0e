import type { ActivationGradient, WithActivationGradient } from '../../kernels/activation-gradient.js';
import type { ResolvedActivation } from '../../kernels/activations.js';
import type { GatheredRows } from '../../kernels/gather-rows.js';
import type { MatmulDispatch, MatmulOptions } from '../../kernels/matmul/matmul.js';
import type { PlanBuilder } from '../../plan/builder.js';
import type { Tensor } from '../../plan/tensor.js';
import type { Initializer } from '../initializers.js';

/** A parameter that a layer wants: (fanIn, fanOut) for a weight matrix, (units) for a bias. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** Its start: drawn, or a number for every element. */
  readonly initializer: Initializer | number;
  /** False for what only the layer itself changes, such as running statistics: it has no gradient. True by default. */
  readonly trained?: boolean;
  /** The matrix is so many, whose columns take turns: each begins by itself, with its own fan-out. */
  readonly pieces?: number;
}

/** The numbers that a model keeps for a layer, in the order of its parameters. They begin at a multiple of 64 elements. */
export interface ParameterBlock {
  /** The trained parameters, one after the other. */
  readonly values: Tensor;
  /** As `values`. Not there where nothing is learned: in evaluation and prediction. */
  readonly gradients: Tensor | undefined;
  /** The parameters that are not trained, one after the other. */
  readonly states: Tensor;
}

/**
 * The purpose of a replay: train; compute gradients, as training does, but nothing may change; or `evaluate`, which
 * is prediction too.
 */
export type Purpose = 'step' | 'gradients' | 'evaluate';

/** The context of a layer, beside its input and its parameters. Rows from `step.rows` on of a batch do not count. */
export interface LayerContext {
  readonly purpose: Purpose;
  /** The model's. */
  readonly seed: number;
  /** No other layer of the model has it: a layer that draws numbers has a stream of its own. */
  readonly number: number;
  /** Those of `Layer.layers`, in their places. */
  readonly layers: readonly PlacedLayer[];
  /** The model's. */
  readonly kernels: LayerKernels;
}

/** The kernels that recording takes and that a page downloads with its first model, not before. */
export interface LayerKernels {
  /** `matmul` of 'webgpu-mlp/kernels', with the programs that the model's device may choose from. */
  matmul(A: Tensor | GatheredRows, B: Tensor, C: Tensor, options?: MatmulOptions): MatmulDispatch;
  /** @internal Records what follows the matmul of a dense layer. */
  readonly endDense: RecordDenseEnd;
}

/** The end of a dense layer, behind its matmul. */
export interface DenseEnd {
  readonly output: Tensor;
  /** @returns ∂loss/∂Z */
  backward(dY: Tensor): Tensor;
}

/**
 * Records the end of a dense layer.
 * @param Z of the matmul
 * @param end maxout, or an activation and the place of its learned parameter in the layer's block; nothing for the other layers
 * @param values the layer's parameters
 */
export type RecordDenseEnd = (
  plan: PlanBuilder,
  Z: Tensor,
  end: { readonly pieces: number } | { readonly activation: ResolvedActivation; readonly start: number } | undefined,
  values: Tensor,
  gradients: Tensor | undefined,
) => DenseEnd;

/** A layer in a model: with the parameters and the number that are its own. */
export interface PlacedLayer {
  readonly layer: Layer;
  readonly block: ParameterBlock;
  readonly context: LayerContext;
}

/** The forward half of a layer, recorded, and a function that records its backward half. */
export interface RecordedLayer extends WithActivationGradient {
  readonly output: Tensor;
  /** The layer's activation, if it ends in one: the kernel that writes ∂loss/∂output multiplies by its derivative there. */
  readonly activationGradient?: ActivationGradient | undefined;
  /**
   * Records the gradients of the parameters, and that of the input.
   * @param gradient ∂loss/∂(pre-activation) where `activationGradient` is given, else ∂loss/∂output; others may read it later
   * @param below the activation gradient of the layer below, to multiply ∂loss/∂input by
   * @returns ∂loss/∂input, times the derivative of `below`; the plan drops it if nobody reads it
   */
  backward(gradient: Tensor, below: ActivationGradient | undefined): Tensor;
}

/** A layer is a value: its spec, plain data with every default filled in, and how it records its dispatches. */
export interface Layer {
  readonly spec: { readonly type: string } & Readonly<Record<string, unknown>>;
  /** Layers that it contains, each fed by the one before, the first by its own input; their parameters are placed as `3.0.weight`. */
  readonly layers?: readonly Layer[];
  /** Why it cannot be trained, and what to do about that: how a sentence that begins with the layer goes on. */
  readonly untrainable?: string;
  /** The same layer without its activation, where a link takes that over: the sigmoid before binaryCrossEntropy. */
  readonly linear?: Layer;
  /**
   * In a file, the layer is these modules of a `torch.nn.Sequential`: the tensors of each by their names there, which are
   * parameters of the layer, or an int64 that PyTorch keeps and nobody here reads (`{ num_batches_tracked: 0n }`). Without
   * it, one module that has the parameters by their own names. Layers within are a `Sequential` in the first module.
   */
  readonly modules?: readonly Readonly<Record<string, string | bigint>>[];
  /** Features of its output. */
  outputs(inputs: number): number;
  /** Its own parameters. @throws {ShapeError|MlpError} if the layer cannot be; `where` says which it is */
  parameters(inputs: number, where: string): readonly ParameterSpec[];
  /** Records its forward half, or nothing if the output is the input. */
  record(plan: PlanBuilder, X: Tensor, block: ParameterBlock, context: LayerContext): RecordedLayer | undefined;
}
