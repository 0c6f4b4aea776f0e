import { type Bounded, sameShape, zeros } from './bounded.js';
import { element, option, plus, product, put, quotient, root, scalar, times } from './scalar.js';

export interface AdagradOptions {
  readonly learningRate: number;
  readonly learningRateDecay?: number;
  readonly weightDecay?: number;
  readonly initialAccumulator?: number;
  readonly epsilon?: number;
}

export interface AdagradState {
  readonly parameters: Bounded;
  readonly squares: Bounded;
}

/**
 * One step of Adagrad, in PyTorch's order (documentation of torch.optim.Adagrad):
 *
 *   g ← g + weightDecay·p
 *   s ← s + g²
 *   p ← p − learningRate / (1 + index·learningRateDecay)·g / (√s + ε)
 *
 * @param squares s of the step before, or undefined on the first
 * @param index the step's number, from 0 on
 */
export function adagrad(
  parameters: Bounded,
  gradient: Bounded,
  squares: Bounded | undefined,
  index: number,
  options: AdagradOptions,
): AdagradState {
  const { learningRate, learningRateDecay = 0, weightDecay = 0, initialAccumulator = 0, epsilon = 1e-10 } = options;
  sameShape('adagrad', parameters, gradient);
  const updated = zeros(parameters.shape);
  const sums = zeros(parameters.shape);
  const rate = quotient(option(learningRate), plus(scalar(1), times(learningRateDecay, scalar(index))));
  for (let i = 0; i < updated.values.length; i++) {
    const p = element(parameters, i);
    const g = plus(element(gradient, i), times(weightDecay, p));
    const s = plus(product(g, g), squares === undefined ? option(initialAccumulator) : element(squares, i));
    const change = quotient(product(rate, g), plus(root(s), option(epsilon)));
    put(updated, i, plus(p, { ...change, value: -change.value }));
    put(sums, i, s);
  }
  return { parameters: updated, squares: sums };
}
