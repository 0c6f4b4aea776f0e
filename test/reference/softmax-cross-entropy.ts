import { LONG_SUM } from '../../src/kernels/long-sum.js';
import { at, type Bounded, TINY, U, zeros } from './bounded.js';
import { isDecided, softmaxRow } from './softmax.js';

/** Options of softmax-cross-entropy beyond the plain form. */
export interface CrossEntropyOptions {
  /** The share of each label that is spread evenly over all classes. */
  readonly labelSmoothing?: number | undefined;
  /** Weight of each class. */
  readonly classWeights?: Float32Array | undefined;
  /** Weight of each row. */
  readonly weights?: Float32Array | undefined;
}

export interface SoftmaxCrossEntropy {
  /** −Σₖ t[r, k]·log softmax(z[r])[k], (rows of the logits, 1), scaled so that their mean is the batch's loss. */
  readonly losses: Bounded;
  /** (softmax(z)·Σt − t) / rows, like the logits: the gradient of the batch's loss. */
  readonly gradient: Bounded;
  /** 1 where the first largest logit is that of the (first) likeliest class, (rows of the logits, 1); bound 1 in doubt. */
  readonly correct: Bounded;
  /**
   * The losses as they are summed up over steps: with the rows' weights, not divided by the sum of the class weights.
   */
  readonly summed: Bounded;
  /** The divisors that the sum of the losses is divided by. */
  readonly divisors: Bounded;
}

/**
 * Loss and gradient from logits (batch, classes), in float64 with the float32 bound.
 * @param labels a class index for each row, or a row of probabilities for each (Float32Array, batch × classes)
 * @param rows number of valid rows; the others give 0
 */
export function softmaxCrossEntropy(
  logits: Bounded,
  labels: Uint32Array | Float32Array,
  rows: number = logits.shape[0],
  { labelSmoothing = 0, classWeights, weights }: CrossEntropyOptions = {},
): SoftmaxCrossEntropy {
  const [batch, classes] = logits.shape;
  const losses = zeros([batch, 1]);
  const gradient = zeros(logits.shape);
  const correct = zeros([batch, 1]);
  const summed = zeros([batch, 1]);
  const divisors = zeros([batch, 1]);
  const byIndex = labels instanceof Uint32Array;
  for (let r = 0; r < rows; r++) {
    divisors.values[r] = byIndex && classWeights !== undefined ? at(classWeights, at(labels, r)) : 1;
  }
  const divisor = divisors.values.reduce((sum, weight) => sum + weight, 0);
  const smoothing = Math.fround(labelSmoothing);
  // With smoothing: 1 − s and y 1 each or s/n 2.5, their sum 1; the class' weight 1.
  const targetError = (smoothing > 0 ? 3.5 * U : 0) + (classWeights === undefined ? 0 : U);
  for (let r = 0; r < rows; r++) {
    const start = r * classes;
    const z = logits.values.subarray(start, start + classes);
    const zBound = logits.bound.subarray(start, start + classes);
    const y = labelRow(labels, r, classes);
    const t = y.map((yk, k) => ((1 - smoothing) * yk + smoothing / classes) * (classWeights?.[k] ?? 1));
    const { p, bound, maximum, argmax, logSum, sumError } = softmaxRow(z, zBound);
    let mass = 0;
    let likeliest = 0;
    let moved = 0; // Σ pⱼδzⱼ, the effect of the logits' bounds on ln Σ exp
    for (let k = 0; k < classes; k++) {
      mass += at(t, k);
      if (at(y, k) > at(y, likeliest)) likeliest = k;
      moved += at(p, k) * at(zBound, k);
    }
    // log is off by 2⁻²¹ in [½, 2] and 3 ulp elsewhere; the sum's relative error passes through it unchanged.
    const logError = Math.max(2 ** -21, 3 * U * logSum) + sumError;
    // With a class index there is one term, and Σt is its own, unless it is smoothed.
    const massError = (byIndex && smoothing === 0 ? 0 : (classes > LONG_SUM ? 3 : classes) * U) + targetError;
    // Without weights the scale is 1. The sum of weights is off by 3, the quotient rounds 2.5, each product 1.
    const isScaled = weights !== undefined || classWeights !== undefined;
    const weight = weights?.[r] ?? 1;
    const scale = divisor > 0 ? (weight * rows) / divisor : 0;
    const scaleError = isScaled ? 8 * U : 0;
    let loss = 0;
    let lossBound = 0;
    for (let k = 0; k < classes; k++) {
      const tk = at(t, k);
      const distance = maximum - at(z, k);
      const term = logSum + distance;
      loss += tk * term;
      const error = logError + U * distance + U * term + moved + at(zBound, k);
      lossBound += tk * (error + (U + massError) * (term + error));
      const scaled = at(p, k) * mass;
      const scaledError = at(bound, k) * mass + (scaled + at(bound, k) * mass) * (U + massError) + targetError * tk;
      const difference = scaled - tk;
      const slope = (scale * difference) / rows;
      const slopeBound =
        (scaledError + U * (Math.abs(difference) + scaledError)) * ((1 + 2.5 * U) / rows) +
        2.5 * U * (Math.abs(difference) / rows);
      gradient.values[start + k] = slope;
      gradient.bound[start + k] = scale * slopeBound * (1 + scaleError) + Math.abs(slope) * scaleError + TINY;
    }
    losses.values[r] = scale * loss;
    losses.bound[r] = scale * lossBound * (1 + scaleError) + scale * loss * scaleError;
    summed.values[r] = weight * loss;
    summed.bound[r] = weight * (lossBound + U * (loss + lossBound));
    correct.values[r] = argmax === likeliest ? 1 : 0;
    correct.bound[r] = isDecided(z, zBound, argmax) ? 0 : 1;
  }
  return { losses, gradient, correct, summed, divisors };
}

/** A row of probabilities; for a class index a one-hot row. */
function labelRow(labels: Uint32Array | Float32Array, row: number, classes: number): Float64Array {
  if (labels instanceof Float32Array) return Float64Array.from(labels.subarray(row * classes, (row + 1) * classes));
  const y = new Float64Array(classes);
  const label = at(labels, row);
  if (label >= classes) throw new RangeError(`softmaxCrossEntropy: row ${row} is of class ${label} of ${classes}.`);
  y[label] = 1;
  return y;
}
