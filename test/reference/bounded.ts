/**
 * Float64 matrices that carry an error bound for each element: how far the same element may be from `values` when a GPU
 * computes it in float32 by WGSL's rules. The bounds are running error analyses: derived, to first order where a comment
 * says so, never tuned. They hold for inputs whose own errors are within their own bounds, so they chain.
 */
export interface Bounded {
  /** Rows and columns, row-major. */
  readonly shape: readonly [number, number];
  readonly values: Float64Array<ArrayBuffer>;
  /** |GPU's value − value| ≤ bound, element by element. */
  readonly bound: Float64Array<ArrayBuffer>;
}

/** One ulp relative to 1. WGSL lets + − × round to either neighbour, so this is their relative error, not half of it. */
export const U: number = 2 ** -23;

/**
 * The absolute error of one operation below the normal range: results under 2⁻¹²⁶ may be flushed to zero, and the
 * shaders' exp is 0 (or e⁻⁸⁷) below −87, which is 1.4·2⁻¹²⁶.
 */
export const TINY: number = 2 ** -125;

/** n·U / (1 − n·U): the relative error of n roundings in a row, in any order (Higham 2002, lemma 3.1). */
export function gamma(n: number): number {
  return (n * U) / (1 - n * U);
}

/** An element. @throws if it does not exist, so that a reference never reads beyond an array unnoticed */
export function at(values: Float64Array | Float32Array | Uint32Array | Uint8Array, index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`Element ${index} of an array of ${values.length} was read.`);
  return value;
}

/** A (rows, columns) matrix of zeros, with zero bounds. */
export function zeros(shape: readonly [number, number]): Bounded {
  const length = shape[0] * shape[1];
  return { shape, values: new Float64Array(length), bound: new Float64Array(length) };
}

/**
 * Values that the GPU is given, rounded to float32 as an upload does. Their bound is zero, except that a GPU may take a
 * subnormal for zero.
 */
export function exact(shape: readonly [number, number], values: ArrayLike<number>): Bounded {
  const result = zeros(shape);
  if (values.length !== result.values.length) {
    throw new RangeError(
      `A (${shape.join(', ')}) matrix has ${result.values.length} elements, but ${values.length} are given.`,
    );
  }
  result.values.set(Float32Array.from(values));
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(at(result.values, i));
    result.bound[i] = magnitude < 2 ** -126 ? magnitude : 0;
  }
  return result;
}

/** Element by element: `compute` returns a value and its bound, by their index. */
export function elementwise(
  shape: readonly [number, number],
  compute: (index: number) => readonly [value: number, bound: number],
): Bounded {
  const result = zeros(shape);
  for (let i = 0; i < result.values.length; i++) {
    const [value, bound] = compute(i);
    result.values[i] = value;
    result.bound[i] = bound;
  }
  return result;
}

/** @throws {RangeError} if the shapes differ */
export function sameShape(kernel: string, A: Bounded, B: Bounded): void {
  if (A.shape[0] !== B.shape[0] || A.shape[1] !== B.shape[1]) {
    throw new RangeError(`${kernel}: (${A.shape.join(', ')}) and (${B.shape.join(', ')}) must be the same shape.`);
  }
}
