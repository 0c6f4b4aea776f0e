import type { Activation } from '../../src/kernels/activations.js';
import { belowActivation } from './bias-activation.js';
import { type Bounded, U, zeros } from './bounded.js';
import { affine, normalised, normalisedBackward, statisticsOf, weightOf } from './norm.js';
import { element, inverseSqrt, option, over, plus, product, put, type Scalar, scalar, sum } from './scalar.js';

export interface BatchNormOptions {
  readonly epsilon: number;
  /** Valid rows; all by default. */
  readonly rows?: number | undefined;
  /** (2, columns): weight, then bias. */
  readonly parameters?: Bounded | undefined;
}

/** Rows r < rows of a column. */
const columnOf = (X: Bounded, c: number, rows: number): Scalar[] =>
  Array.from({ length: rows }, (_, r) => element(X, r * X.shape[1] + c));

/**
 * Y = (X − μ)·ρ·weight + bias by the valid rows' mean and biased variance of each column, ρ = 1/√(v + ε), 0 for a single row;
 * the statistics are (2, columns): μ, then ρ, and the variances (2, columns) μ and the unbiased v.
 */
export function batchNorm(
  X: Bounded,
  { epsilon, rows = X.shape[0], parameters }: BatchNormOptions,
): { readonly Y: Bounded; readonly statistics: Bounded; readonly unbiased: Bounded } {
  const [allRows, columns] = X.shape;
  const [Y, statistics, unbiased] = [zeros(X.shape), zeros([2, columns]), zeros([2, columns])];
  for (let c = 0; c < columns; c++) {
    const { mean, scale: found, squares } = statisticsOf(columnOf(X, c, rows), epsilon);
    const scale = rows === 1 ? scalar(0) : found;
    put(statistics, c, mean);
    put(statistics, columns + c, scale);
    put(unbiased, c, mean);
    put(unbiased, columns + c, over(squares, rows - 1));
    for (let r = 0; r < allRows; r++) {
      const i = r * columns + c;
      put(Y, i, affine(normalised(element(X, i), { mean, scale }), parameters, c));
    }
  }
  return { Y, statistics, unbiased };
}

/** The same by running statistics (2, columns): mean, then variance. */
export function batchNormRunning(X: Bounded, running: Bounded, { epsilon, parameters }: BatchNormOptions): Bounded {
  const columns = X.shape[1];
  const Y = zeros(X.shape);
  for (let i = 0; i < Y.values.length; i++) {
    const c = i % columns;
    const scale = inverseSqrt(plus(element(running, columns + c), option(epsilon)));
    put(Y, i, affine(normalised(element(X, i), { mean: element(running, c), scale }), parameters, c));
  }
  return Y;
}

/** ∂loss/∂X = weight·ρ·∂loss/∂Y of the same: the statistics are constants. 0 in rows that do not count. */
export function batchNormRunningBackward(
  dY: Bounded,
  running: Bounded,
  { epsilon, rows = dY.shape[0], parameters }: BatchNormOptions,
  activationGradient?: { readonly at: Bounded; readonly activation: Activation },
): Bounded {
  const columns = dY.shape[1];
  const dX = zeros(dY.shape);
  for (let i = 0; i < rows * columns; i++) {
    const c = i % columns;
    const scale = inverseSqrt(plus(element(running, columns + c), option(epsilon)));
    put(dX, i, product(product(scale, weightOf(parameters, c)), element(dY, i)));
  }
  return belowActivation(dX, activationGradient);
}

/** running ← (1 − momentum)·running + momentum·of the batch, both (2, columns). */
export function updateRunning(running: Bounded, unbiased: Bounded, momentum: number): Bounded {
  const updated = zeros(running.shape);
  for (let i = 0; i < updated.values.length; i++) {
    // momentum is rounded, and the difference: by momentum·U and (1 − momentum)·U.
    const kept = product({ value: 1 - momentum, bound: U }, element(running, i));
    put(updated, i, plus(kept, product(option(momentum), element(unbiased, i))));
  }
  return updated;
}

/**
 * From the input, the statistics that the forward half left and ∂loss/∂Y: ∂loss/∂X, 0 in rows that do not count, and that of
 * the parameters (2, columns), Σ dY·x̂ and Σ dY.
 */
export function batchNormBackward(
  X: Bounded,
  dY: Bounded,
  statistics: Bounded,
  {
    rows = X.shape[0],
    parameters,
    activationGradient,
  }: Omit<BatchNormOptions, 'epsilon'> & {
    readonly activationGradient?: { readonly at: Bounded; readonly activation: Activation };
  },
): { readonly dX: Bounded; readonly gradients: Bounded } {
  const columns = X.shape[1];
  const [dX, gradients] = [zeros(X.shape), zeros([2, columns])];
  for (let c = 0; c < columns; c++) {
    const [mean, scale] = [element(statistics, c), element(statistics, columns + c)];
    const hats = columnOf(X, c, rows).map((x) => normalised(x, { mean, scale }));
    const g = columnOf(dY, c, rows);
    put(gradients, c, sum(g.map((value, r) => product(value, hats[r] ?? scalar(Number.NaN)))));
    put(gradients, columns + c, sum(g));
    for (const [r, d] of normalisedBackward(hats, g, scale).entries()) {
      put(dX, r * columns + c, product(weightOf(parameters, c), d));
    }
  }
  return {
    dX: belowActivation(dX, activationGradient),
    gradients,
  };
}
