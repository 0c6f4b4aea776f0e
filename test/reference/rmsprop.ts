import { type Bounded, sameShape, zeros } from './bounded.js';
import { element, minus, option, plus, product, put, quotient, root, scalar, times } from './scalar.js';

export interface RmspropOptions {
  readonly learningRate: number;
  readonly decay?: number;
  readonly epsilon?: number;
  readonly weightDecay?: number;
  readonly momentum?: number;
  readonly centered?: boolean;
}

export interface RmspropState {
  readonly parameters: Bounded;
  readonly squares: Bounded;
  /** The mean of gradients; used if `centered`. */
  readonly mean: Bounded;
  readonly velocity: Bounded;
}

/**
 * One step of RMSprop, in PyTorch's order (documentation of torch.optim.RMSprop):
 *
 *   g ← g + weightDecay·p
 *   s ← decay·s + (1 − decay)·g²
 *   a ← a + (1 − decay)·(g − a), if centered, and s − a² in place of s
 *   v ← momentum·v + g / (√s + ε)
 *   p ← p − learningRate·v
 *
 * @param before of the step before, or undefined on the first
 */
export function rmsprop(
  parameters: Bounded,
  gradient: Bounded,
  before: RmspropState | undefined,
  options: RmspropOptions,
): RmspropState {
  const { learningRate, decay = 0.99, epsilon = 1e-8, weightDecay = 0, momentum = 0, centered = false } = options;
  sameShape('rmsprop', parameters, gradient);
  const next = {
    parameters: zeros(parameters.shape),
    squares: zeros(parameters.shape),
    mean: zeros(parameters.shape),
    velocity: zeros(parameters.shape),
  };
  for (let i = 0; i < parameters.values.length; i++) {
    const last = (matrix: Bounded | undefined) => (matrix === undefined ? scalar(0) : element(matrix, i));
    const p = element(parameters, i);
    const g = plus(element(gradient, i), times(weightDecay, p));
    const s = plus(times(decay, last(before?.squares)), product(times(1 - decay, g), g));
    put(next.squares, i, s);
    let variance = s;
    if (centered) {
      const a = plus(last(before?.mean), times(1 - decay, minus(g, last(before?.mean))));
      put(next.mean, i, a);
      variance = minus(s, product(a, a));
    }
    const d = quotient(g, plus(root(variance), option(epsilon)));
    const v = plus(d, times(momentum, last(before?.velocity)));
    put(next.velocity, i, v);
    put(next.parameters, i, plus(p, times(-learningRate, v)));
  }
  return next;
}
