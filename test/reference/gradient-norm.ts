import { type Bounded, elementwise, gamma, U } from './bounded.js';
import { element, option, plus, product, quotient, root, type Scalar, scalar, times } from './scalar.js';

/**
 * The factor that limits the norm of all gradients together to `maximum`: PyTorch's
 * min(1, maximum / (norm + 1e-6)). The sum of squares passes at most `depth` additions on its way, in any order.
 */
export function clipCoefficient(gradients: readonly Bounded[], maximum: number, depth: number): Scalar {
  let value = 0;
  let bound = 0;
  for (const gradient of gradients) {
    for (let i = 0; i < gradient.values.length; i++) {
      const square = product(element(gradient, i), element(gradient, i));
      value += square.value;
      bound += square.bound;
    }
  }
  const sum = scalar(value, bound + gamma(depth) * (value + bound));
  const coefficient = quotient(option(maximum), plus(root(sum), option(1e-6)));
  if (coefficient.value - coefficient.bound >= 1) return scalar(1);
  return scalar(Math.min(1, coefficient.value), coefficient.bound);
}

/** Gradients times a coefficient, whose two factors are multiplied one after the other. */
export function scaled(gradient: Bounded, coefficient: Scalar): Bounded {
  return elementwise(gradient.shape, (i) => {
    const { value, bound } = product(coefficient, element(gradient, i));
    return [value, bound + U * (Math.abs(value) + bound)];
  });
}

/** Each gradient within ±limit. */
export function clamped(gradient: Bounded, limit: number): Bounded {
  return elementwise(gradient.shape, (i) => {
    const { value, bound } = element(gradient, i);
    const clamp = (g: number): number => Math.max(-limit, Math.min(limit, g));
    const most = Math.max(clamp(value + bound) - clamp(value), clamp(value) - clamp(value - bound));
    return [clamp(value), most + U * limit];
  });
}

/** ∂(l1·Σ|w| + l2·Σw²)/∂w = l1·sign(w) + 2·l2·w, added to the gradient of a weight matrix. */
export function penalised(gradient: Bounded, W: Bounded, l1: number, l2: number): Bounded {
  return elementwise(gradient.shape, (i) => {
    const w = element(W, i);
    // If the sign is uncertain, the penalty is uncertain too.
    const sign = scalar(Math.sign(w.value), Math.abs(w.value) > w.bound ? 0 : w.bound > 0 ? 2 : 0);
    const penalty = plus(times(l1, sign), times(2 * l2, w));
    const { value, bound } = plus(element(gradient, i), penalty);
    return [value, bound];
  });
}
