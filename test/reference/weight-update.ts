import type { Bounded } from './bounded.js';
import { type MatmulOptions, matmul } from './matmul.js';
import { type SgdOptions, type SgdState, sgd } from './sgd.js';

/**
 * Parameters and their velocity after a step of `sgd` with the gradient op(A)·op(B), in float64 with the float32 bound.
 * @param state velocity is undefined before the first step
 */
export function weightUpdate(
  A: Bounded,
  B: Bounded,
  { parameters, velocity }: { readonly parameters: Bounded; readonly velocity: Bounded | undefined },
  options: SgdOptions & Pick<MatmulOptions, 'transposeA' | 'onesRow'>,
): SgdState {
  return sgd(parameters, matmul(A, B, options), velocity, options);
}
