import { type Bounded, sameShape, zeros } from './bounded.js';
import { element, minus, option, plus, product, put, quotient, root, scalar, times } from './scalar.js';

export interface AdamOptions {
  readonly learningRate: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly weightDecay?: number;
  /** AdamW. */
  readonly decoupled?: boolean;
}

export interface AdamState {
  readonly parameters: Bounded;
  readonly mean: Bounded;
  readonly squares: Bounded;
}

/**
 * One step of Adam, or of AdamW if decoupled, in PyTorch's order (documentation of torch.optim.Adam and AdamW):
 *
 *   g ← g + weightDecay·p, or p ← p·(1 − learningRate·weightDecay) if decoupled
 *   m ← m + (1 − β₁)·(g − m)
 *   v ← β₂·v + (1 − β₂)·g²
 *   p ← p − learningRate / (1 − β₁ᵗ)·m / (√v / √(1 − β₂ᵗ) + ε), with t = index + 1
 *
 * @param before of the step before, or undefined on the first
 * @param index the step's number, from 0 on
 */
export function adam(
  parameters: Bounded,
  gradient: Bounded,
  before: AdamState | undefined,
  index: number,
  options: AdamOptions,
): AdamState {
  const { learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0, decoupled = false } = options;
  sameShape('adam', parameters, gradient);
  const next = { parameters: zeros(parameters.shape), mean: zeros(parameters.shape), squares: zeros(parameters.shape) };
  const size = quotient(option(learningRate), option(1 - beta1 ** (index + 1)));
  const correction = option(Math.sqrt(1 - beta2 ** (index + 1)));
  const shrink = minus(scalar(1), times(weightDecay, option(learningRate)));
  for (let i = 0; i < parameters.values.length; i++) {
    const last = (matrix: Bounded | undefined) => (matrix === undefined ? scalar(0) : element(matrix, i));
    const p = element(parameters, i);
    const g = decoupled ? element(gradient, i) : plus(element(gradient, i), times(weightDecay, p));
    const m = plus(last(before?.mean), times(1 - beta1, minus(g, last(before?.mean))));
    const v = plus(times(beta2, last(before?.squares)), product(times(1 - beta2, g), g));
    put(next.mean, i, m);
    put(next.squares, i, v);
    const denominator = plus(quotient(root(v), correction), option(epsilon));
    const change = quotient(product(size, m), denominator);
    put(next.parameters, i, minus(decoupled ? product(p, shrink) : p, change));
  }
  return next;
}
