import type { Bounded } from './bounded.js';
import { matmul } from './matmul.js';
import { type SgdOptions, type SgdState, sgd } from './sgd.js';

/** A dense layer: the batch's inputs, the gradient of its pre-activation, and its parameters, weights above biases. */
export interface LayerState {
  /** (batch, inputs) */
  readonly A: Bounded;
  /** (batch, units) */
  readonly dZ: Bounded;
  readonly bias: boolean;
  /** (inputs, units); (inputs + 1, units) with bias. */
  readonly parameters: Bounded;
  /** As the parameters; undefined on the first step. */
  readonly velocity: Bounded | undefined;
}

/** [W; b] and its velocity after a step of `sgd` with the gradient [A 1]ᵀ·dZ, in float64 with the float32 bound. */
export function weightUpdate({ A, dZ, bias, parameters, velocity }: LayerState, options: SgdOptions): SgdState {
  return sgd(parameters, matmul(A, dZ, { transposeA: true, onesRow: bias }), velocity, options);
}
