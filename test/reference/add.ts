import type { Activation } from '../../src/kernels/activations.js';
import { activate } from './activations.js';
import { biasActivationBackward } from './bias-activation.js';
import { type Bounded, elementwise, sameShape } from './bounded.js';
import { element, plus } from './scalar.js';

/** f(A + B), or f(A) without B; in float64, with one rounding for the sum. */
export function add(A: Bounded, B: Bounded | undefined, activation: Activation = 'linear'): Bounded {
  return activate(sumOf(A, B), activation);
}

/** (A + B) ⊙ f′(at), at the activation's output or pre-activation, as its row in the table says. */
export function addBackward(A: Bounded, B: Bounded | undefined, at: Bounded, activation: Activation): Bounded {
  return biasActivationBackward(sumOf(A, B), at, activation);
}

function sumOf(A: Bounded, B: Bounded | undefined): Bounded {
  if (B === undefined) return A;
  sameShape('add', A, B);
  return elementwise(A.shape, (i) => {
    const { value, bound } = plus(element(A, i), element(B, i));
    return [value, bound];
  });
}
