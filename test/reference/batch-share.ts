import { plus, quotient, type Scalar, scalar, sum } from './scalar.js';

/** A batch's share, and the weight of the step's batches so far. */
export interface Share {
  readonly share: Scalar;
  readonly total: Scalar;
}

/**
 * The share of a batch in a weighted mean.
 * @param weights of the batch's rows, float32
 * @param before of the batch before it in the step; undefined for the first
 */
export function batchShare(weights: readonly number[], before: Share | undefined): Share {
  const weight = weights.every((value) => value === 1) ? scalar(weights.length) : sum(weights.map((w) => scalar(w)));
  const total = before === undefined ? weight : plus(weight, before.total);
  return { share: total.value === 0 ? scalar(1) : quotient(weight, total), total };
}
