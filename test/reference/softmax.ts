import { LONG_SUM } from '../../src/kernels/long-sum.js';
import { at, type Bounded, TINY, U, zeros } from './bounded.js';

/**
 * One row's softmax, and the intermediate results that the loss needs. Errors are for the sum of exponentials in any
 * order, running or not.
 */
export interface SoftmaxRow {
  /** softmax(z)ₖ, and its bound. */
  readonly p: Float64Array;
  readonly bound: Float64Array;
  readonly maximum: number;
  /** The first k with the largest z. */
  readonly argmax: number;
  /** ln Σ exp(z − maximum), and the relative error of that sum (which is the absolute error of its logarithm). */
  readonly logSum: number;
  readonly sumError: number;
}

/**
 * With d = maximum − z, exp(−d) is off by (3 + 3d)·U: d's rounding and exp's own. A running sum is multiplied by a further
 * exp whenever the maximum rises: the d of the parts add up to d, and each part adds 3 (exp), 1 (product), 1 (sum). So the
 * sum is off by Σ p(3 + 3d) + 5(n − 1), or 3 instead of 5(n − 1) if it is compensated and not rescaled, and p by the sum of both and 2.5 for the division. Logits off by δz move p by
 * p·((1 − pₖ)·δzₖ + Σ_{j≠k} pⱼδzⱼ), to first order.
 */
export function softmaxRow(z: Float64Array, zBound: Float64Array): SoftmaxRow {
  const n = z.length;
  let argmax = 0;
  for (let k = 1; k < n; k++) if (at(z, k) > at(z, argmax)) argmax = k;
  const maximum = at(z, argmax);
  let sum = 0;
  for (const value of z) sum += Math.exp(value - maximum);
  const p = z.map((value) => Math.exp(value - maximum) / sum);
  let sumError = n > LONG_SUM ? 3 * U : 5 * (n - 1) * U;
  let moved = 0;
  for (let k = 0; k < n; k++) {
    sumError += at(p, k) * (3 + 3 * (maximum - at(z, k))) * U;
    moved += at(p, k) * at(zBound, k);
  }
  const bound = p.map((pk, k) => {
    const own = (3 + 3 * Math.min(maximum - at(z, k), 90) + 2.5) * U;
    const inherited = (1 - 2 * pk) * at(zBound, k) + moved; // `moved` contains pₖδzₖ already
    return pk * Math.expm1(own + sumError + inherited) + n * TINY;
  });
  return { p, bound, maximum, argmax, logSum: Math.log(sum), sumError };
}

/** softmax of each row of the logits (rows, classes), in float64 with the float32 bound. */
export function softmax(logits: Bounded): Bounded {
  const [rows, classes] = logits.shape;
  const probabilities = zeros(logits.shape);
  for (let r = 0; r < rows; r++) {
    const start = r * classes;
    const row = softmaxRow(
      logits.values.subarray(start, start + classes),
      logits.bound.subarray(start, start + classes),
    );
    probabilities.values.set(row.p, start);
    probabilities.bound.set(row.bound, start);
  }
  return probabilities;
}

/**
 * The first k with the largest logit of each row, (rows, 1). The bound is 0 where the logits' bounds leave no doubt, else
 * classes − 1.
 */
export function largestClass(logits: Bounded): Bounded {
  const [rows, classes] = logits.shape;
  const result = zeros([rows, 1]);
  for (let r = 0; r < rows; r++) {
    const start = r * classes;
    const z = logits.values.subarray(start, start + classes);
    const bound = logits.bound.subarray(start, start + classes);
    const { argmax } = softmaxRow(z, bound);
    result.values[r] = argmax;
    result.bound[r] = isDecided(z, bound, argmax) ? 0 : classes - 1;
  }
  return result;
}

/** True if no other logit can be the (first) largest, given the bounds. */
export function isDecided(z: Float64Array, bound: Float64Array, argmax: number): boolean {
  return z.every((value, k) => {
    const doubt = at(bound, k) + at(bound, argmax);
    return k === argmax || doubt === 0 || at(z, argmax) - value > doubt;
  });
}
