import type { Tensor } from '../plan/tensor.js';
import type { Activation } from './activations.js';

/**
 * The derivative f′ of an activation, as an option of kernels that write a gradient: they multiply the gradient by f′
 * before they store it.
 */
export interface ActivationGradient {
  /** The activation f. */
  readonly activation: Activation;
  /**
   * The argument of f′, as many elements as the gradient: the output y = f(z) for linear, relu, leakyRelu, sigmoid,
   * tanh, elu, selu, softplus and step; the pre-activation z for prelu, swish, gelu, abs and sine.
   */
  readonly at: Tensor;
}

/** @deprecated The earlier name of `ActivationGradient`. */
export type Gate = ActivationGradient;

/** Options with an activation gradient, by its current or its earlier name. */
export interface WithActivationGradient {
  /** The activation gradient by which the kernel multiplies its result. Default: none. */
  readonly activationGradient?: ActivationGradient | undefined;
  /** @deprecated The earlier name of `activationGradient`. Default: none. */
  readonly gate?: ActivationGradient | undefined;
}

/** The activation gradient of a kernel's options or of a recorded layer, by its current or its earlier name. */
export const activationGradientOf = (given: WithActivationGradient | undefined): ActivationGradient | undefined =>
  given?.activationGradient ?? given?.gate;
