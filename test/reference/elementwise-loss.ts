import { LONG_SUM } from '../../src/kernels/long-sum.js';
import { activate, activationErrors } from './activations.js';
import { at, type Bounded, elementwise, TINY, U, zeros } from './bounded.js';

export interface ElementwiseLossOptions {
  /** The absolute error from which on huber is linear. */
  readonly delta?: number | undefined;
  /** Weight of target 1 in binaryCrossEntropy, for each column. */
  readonly positiveWeights?: Float32Array | undefined;
  /** Weight of each row. */
  readonly weights?: Float32Array | undefined;
}

export interface ElementwiseLossRows {
  /** The mean of each row's elements, times its weight, (rows of the outputs, 1). */
  readonly losses: Bounded;
  /** Like the outputs: the gradient of the mean over the valid rows. */
  readonly gradient: Bounded;
  /** Of binaryCrossEntropy the outputs on their target's side, (rows of the outputs, 1); a bound counts those in doubt. */
  readonly correct: Bounded;
}

/** A value and its error bound. */
type Estimate = readonly [value: number, bound: number];

/** An element's loss and its derivative by the output. */
type Element = readonly [loss: Estimate, slope: Estimate];

/** Products of two relative errors. */
const SLACK = 1.001;

/**
 * A loss of each output a and its own target y, in float64 with the float32 bound.
 * @param targets (batch, columns), or with one column indices that are taken for numbers
 * @param rows number of valid rows; the others give 0
 */
export function elementwiseLoss(
  name: 'binaryCrossEntropy' | 'squaredError' | 'absoluteError' | 'huber' | 'logCosh',
  outputs: Bounded,
  targets: Float32Array | Uint32Array,
  rows: number = outputs.shape[0],
  { delta = 1, positiveWeights, weights }: ElementwiseLossOptions = {},
): ElementwiseLossRows {
  const [batch, columns] = outputs.shape;
  const [losses, correct, gradient] = [zeros([batch, 1]), zeros([batch, 1]), zeros(outputs.shape)];
  const cross = name === 'binaryCrossEntropy' ? crossEntropies(outputs, targets, positiveWeights) : undefined;
  for (let r = 0; r < rows; r++) {
    const weight = weights?.[r] ?? 1;
    const share = weight / (columns * rows);
    let sum = 0;
    let error = 0;
    for (let k = 0; k < columns; k++) {
      const i = r * columns + k;
      const [a, aBound, y] = [at(outputs.values, i), at(outputs.bound, i), at(targets, i)];
      const [loss, slope] = cross?.(i) ?? regression(name, a - y, aBound + U * Math.abs(a - y), Math.fround(delta));
      sum += loss[0];
      error += loss[1];
      // The count of elements is rounded, its reciprocal 2.5, the product 1.
      gradient.values[i] = share * slope[0];
      gradient.bound[i] = share * SLACK * (slope[1] + 4.5 * U * Math.abs(slope[0])) + TINY;
      if (cross === undefined) continue;
      if (a >= 0 === y >= 0.5) correct.values[r] = at(correct.values, r) + 1;
      if (aBound > 0 && Math.abs(a) <= aBound) correct.bound[r] = at(correct.bound, r) + 1;
    }
    // The terms are ≥ 0: their sum has as many roundings as terms, or 3 if it is compensated; the mean 2.5, the weight 1.
    const roundings = columns > LONG_SUM ? 3 : columns;
    losses.values[r] = (weight * sum) / columns;
    losses.bound[r] = ((weight * SLACK) / columns) * (error + (roundings + 3.5) * U * sum) + TINY;
  }
  return { losses, gradient, correct };
}

/** w·y·softplus(−a) + (1 − y)·softplus(a), and (1 − y)·σ(a) − w·y·σ(−a): products of 2 roundings each, and a sum. */
function crossEntropies(
  outputs: Bounded,
  targets: Float32Array | Uint32Array,
  positiveWeights: Float32Array | undefined,
): (index: number) => Element {
  const [, columns] = outputs.shape;
  const negated = elementwise(outputs.shape, (i) => [-at(outputs.values, i), at(outputs.bound, i)]);
  const [above, below] = [activate(outputs, 'softplus'), activate(negated, 'softplus')];
  const [right, left] = [activate(outputs, 'sigmoid'), activate(negated, 'sigmoid')];
  return (i) => {
    const y = at(targets, i);
    const positive = y * (positiveWeights?.[i % columns] ?? 1);
    const both = (one: Bounded, other: Bounded, sign: number): Estimate => {
      const [p, q] = [positive * at(one.values, i), (1 - y) * at(other.values, i)];
      const inherited = positive * at(one.bound, i) + (1 - y) * at(other.bound, i);
      return [sign * p + q, SLACK * (inherited + 3 * U * (p + q))];
    };
    return [both(below, above, 1), both(left, right, -1)];
  };
}

/** Losses of the difference e = a − y, which is off by `bound`. */
function regression(name: string, e: number, bound: number, delta: number): Element {
  const size = Math.abs(e);
  if (name === 'squaredError') {
    return [
      [e * e, (2 * size + bound) * bound + U * e * e],
      [2 * e, 2 * bound],
    ];
  }
  if (name === 'absoluteError') {
    // The difference of two numbers has the right sign, unless one of them is in doubt.
    const doubtful = bound > U * size && size <= bound;
    return [
      [size, bound],
      [Math.sign(e), doubtful ? 2 : 0],
    ];
  }
  if (name === 'logCosh') {
    // Below 1: expm1 is off by 15 relative at most, at 0.3, and counts twice; its square, 1 + e and the division add 8, ln(1 + q)
    // 6.5. Above, the terms of the sum are off by less. The slopes are at most tanh (|e| + bound) and 1.
    const loss =
      size < 1 ? Math.log1p(2 * Math.sinh(size / 2) ** 2) : size + Math.log1p(Math.exp(-2 * size)) - Math.LN2;
    return [
      [loss, Math.tanh(size + bound) * bound + 45 * U * loss + TINY],
      [Math.tanh(e), bound + activationErrors.tanh.value(e, 0)],
    ];
  }
  const inside = Math.max(-delta, Math.min(delta, e));
  const loss = inside * (e - 0.5 * inside);
  return [
    [loss, (Math.abs(inside) + bound) * bound + 2 * U * loss],
    [inside, size <= delta + bound ? bound : 0],
  ];
}
