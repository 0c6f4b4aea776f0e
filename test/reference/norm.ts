import type { Bounded } from './bounded.js';
import { element, inverseSqrt, minus, option, over, plus, product, type Scalar, scalar, sum } from './scalar.js';

/** Mean μ and ρ = 1/√(v + ε) of a group of numbers, and the sum of their deviations' squares, v·count. */
export interface Statistics {
  readonly mean: Scalar;
  readonly scale: Scalar;
  readonly squares: Scalar;
}

/** In the shaders' two passes: v from the deviations. */
export function statisticsOf(group: readonly Scalar[], epsilon: number): Statistics {
  const mean = over(sum(group), group.length);
  const squares = sum(
    group.map((x) => {
      const deviation = minus(x, mean);
      return product(deviation, deviation);
    }),
  );
  const scale = inverseSqrt(plus(over(squares, group.length), option(epsilon)));
  return { mean, scale, squares };
}

/** x̂ = (x − μ)·ρ. */
export const normalised = (x: Scalar, { mean, scale }: Pick<Statistics, 'mean' | 'scale'>): Scalar =>
  product(minus(x, mean), scale);

/** x̂·weight + bias, with column c of the parameters (2, columns), or x̂ without. */
export function affine(x: Scalar, parameters: Bounded | undefined, c: number): Scalar {
  if (parameters === undefined) return x;
  return plus(product(x, weightOf(parameters, c)), element(parameters, parameters.shape[1] + c));
}

/** The weight of column c, 1 without parameters. */
export const weightOf = (parameters: Bounded | undefined, c: number): Scalar =>
  parameters === undefined ? scalar(1) : element(parameters, c);

/** ∂loss/∂x of a group from g = ∂loss/∂x̂: ρ·(g − (Σg + x̂·Σg·x̂)/count). */
export function normalisedBackward(hats: readonly Scalar[], g: readonly Scalar[], scale: Scalar): readonly Scalar[] {
  const total = sum(g);
  const products = sum(g.map((value, i) => product(value, hats[i] ?? scalar(Number.NaN))));
  return g.map((value, i) => {
    const removed = over(plus(total, product(hats[i] ?? scalar(Number.NaN), products)), g.length);
    return product(scale, minus(value, removed));
  });
}
