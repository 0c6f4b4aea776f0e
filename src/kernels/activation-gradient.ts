import type { Tensor } from '../plan/tensor.js';
import type { Activation } from './activations.js';

/** The derivative f′ of an activation, at what the activation kept: a gradient is multiplied by it where it is written. */
export interface ActivationGradient {
  readonly activation: Activation;
  /** The activation's output, or its pre-activation, as the table in `activations.ts` says. */
  readonly at: Tensor;
}

/** @deprecated The earlier name of `ActivationGradient`. */
export type Gate = ActivationGradient;

/** An activation gradient under its name, or under the earlier one. */
export interface WithActivationGradient {
  readonly activationGradient?: ActivationGradient | undefined;
  /** @deprecated The earlier name of `activationGradient`. */
  readonly gate?: ActivationGradient | undefined;
}

/** The activation gradient of a kernel's options or of a recorded layer, by either name. */
export const activationGradientOf = (given: WithActivationGradient | undefined): ActivationGradient | undefined =>
  given?.activationGradient ?? given?.gate;
