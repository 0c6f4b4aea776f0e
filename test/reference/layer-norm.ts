import type { Activation } from '../../src/kernels/activations.js';
import { belowActivation } from './bias-activation.js';
import { type Bounded, zeros } from './bounded.js';
import { affine, normalised, normalisedBackward, statisticsOf, weightOf } from './norm.js';
import { element, product, put, type Scalar, scalar, sum } from './scalar.js';

const rowOf = (X: Bounded, r: number): Scalar[] =>
  Array.from({ length: X.shape[1] }, (_, c) => element(X, r * X.shape[1] + c));

/** Y = (X − μ)·ρ·weight + bias by each row's mean and biased variance, ρ = 1/√(v + ε); statistics are (2, rows): μ, then ρ. */
export function layerNorm(
  X: Bounded,
  { epsilon, parameters }: { readonly epsilon: number; readonly parameters?: Bounded | undefined },
): { readonly Y: Bounded; readonly statistics: Bounded } {
  const [rows, columns] = X.shape;
  const [Y, statistics] = [zeros(X.shape), zeros([2, rows])];
  for (let r = 0; r < rows; r++) {
    const row = rowOf(X, r);
    const found = statisticsOf(row, epsilon);
    put(statistics, r, found.mean);
    put(statistics, rows + r, found.scale);
    for (const [c, x] of row.entries()) put(Y, r * columns + c, affine(normalised(x, found), parameters, c));
  }
  return { Y, statistics };
}

/** From the input, the statistics that the forward half left and ∂loss/∂Y: ∂loss/∂X, and that of the parameters (2, columns). */
export function layerNormBackward(
  X: Bounded,
  dY: Bounded,
  statistics: Bounded,
  {
    parameters,
    activationGradient,
  }: {
    readonly parameters?: Bounded | undefined;
    readonly activationGradient?: { readonly at: Bounded; readonly activation: Activation };
  } = {},
): { readonly dX: Bounded; readonly gradients: Bounded } {
  const [rows, columns] = X.shape;
  const [dX, gradients] = [zeros(X.shape), zeros([2, columns])];
  const hats: Scalar[] = [];
  for (let r = 0; r < rows; r++) {
    const [mean, scale] = [element(statistics, r), element(statistics, rows + r)];
    const row = rowOf(X, r).map((x) => normalised(x, { mean, scale }));
    hats.push(...row);
    const g = rowOf(dY, r).map((value, c) =>
      parameters === undefined ? value : product(value, weightOf(parameters, c)),
    );
    for (const [c, d] of normalisedBackward(row, g, scale).entries()) put(dX, r * columns + c, d);
  }
  for (let c = 0; c < columns; c++) {
    const g = Array.from({ length: rows }, (_, r) => element(dY, r * columns + c));
    const products = g.map((value, r) => product(value, hats[r * columns + c] ?? scalar(Number.NaN)));
    put(gradients, c, sum(products));
    put(gradients, columns + c, sum(g));
  }
  return {
    dX: belowActivation(dX, activationGradient),
    gradients,
  };
}
