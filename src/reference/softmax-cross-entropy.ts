import { at, type Bounded, TINY, U, zeros } from './bounded.js';
import { isDecided, softmaxRow } from './softmax.js';

export interface SoftmaxCrossEntropy {
  /** −Σₖ y[r, k]·log softmax(z[r])[k], (rows of the logits, 1). */
  readonly losses: Bounded;
  /** (softmax(z)·Σy − y) / rows, like the logits: the gradient of the mean over the valid rows. */
  readonly gradient: Bounded;
  /** 1 where the first largest logit is that of the (first) likeliest class, (rows of the logits, 1); bound 1 in doubt. */
  readonly correct: Bounded;
}

/**
 * Loss and gradient from logits (batch, classes), in float64 with the float32 bound.
 * @param labels a class index for each row, or a row of probabilities for each (Float32Array, batch × classes)
 * @param rows how many rows are valid; the others give 0
 */
export function softmaxCrossEntropy(
  logits: Bounded,
  labels: Uint32Array | Float32Array,
  rows: number = logits.shape[0],
): SoftmaxCrossEntropy {
  const [batch, classes] = logits.shape;
  const losses = zeros([batch, 1]);
  const gradient = zeros(logits.shape);
  const correct = zeros([batch, 1]);
  for (let r = 0; r < rows; r++) {
    const start = r * classes;
    const z = logits.values.subarray(start, start + classes);
    const zBound = logits.bound.subarray(start, start + classes);
    const y = targets(labels, r, classes);
    const { p, bound, maximum, argmax, logSum, sumError } = softmaxRow(z, zBound);
    let mass = 0;
    let likeliest = 0;
    let moved = 0; // Σ pⱼδzⱼ, what the logits' bounds make of ln Σ exp
    for (let k = 0; k < classes; k++) {
      mass += at(y, k);
      if (at(y, k) > at(y, likeliest)) likeliest = k;
      moved += at(p, k) * at(zBound, k);
    }
    // log is off by 2⁻²¹ in [½, 2] and 3 ulp elsewhere; the sum's relative error passes through it unchanged.
    const logError = Math.max(2 ** -21, 3 * U * logSum) + sumError;
    // With a class index there is one term, and Σy is 1.
    const massError = labels instanceof Float32Array ? classes * U : 0;
    let loss = 0;
    let lossBound = 0;
    for (let k = 0; k < classes; k++) {
      const yk = at(y, k);
      const distance = maximum - at(z, k);
      const term = logSum + distance;
      loss += yk * term;
      const error = logError + U * distance + U * term + moved + at(zBound, k);
      lossBound += yk * (error + (U + massError) * (term + error));
      const scaled = at(p, k) * mass;
      const scaledError = at(bound, k) * mass + (scaled + at(bound, k) * mass) * (U + massError);
      const difference = scaled - yk;
      gradient.values[start + k] = difference / rows;
      gradient.bound[start + k] =
        (scaledError + U * (Math.abs(difference) + scaledError)) * ((1 + 2.5 * U) / rows) +
        2.5 * U * (Math.abs(difference) / rows) +
        TINY;
    }
    losses.values[r] = loss;
    losses.bound[r] = lossBound;
    correct.values[r] = argmax === likeliest ? 1 : 0;
    correct.bound[r] = isDecided(z, zBound, argmax) ? 0 : 1;
  }
  return { losses, gradient, correct };
}

/** A row of probabilities; of a class index, a one at its place. */
function targets(labels: Uint32Array | Float32Array, row: number, classes: number): Float64Array {
  if (labels instanceof Float32Array) return Float64Array.from(labels.subarray(row * classes, (row + 1) * classes));
  const y = new Float64Array(classes);
  const label = at(labels, row);
  if (label >= classes) throw new RangeError(`softmaxCrossEntropy: row ${row} is of class ${label} of ${classes}.`);
  y[label] = 1;
  return y;
}
