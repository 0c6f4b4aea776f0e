import { at, type Bounded, gamma, TINY, U } from './bounded.js';

/** A float64 number, and how far a GPU's float32 may be from it: each operation adds the rounding that WGSL allows it. */
export interface Scalar {
  readonly value: number;
  readonly bound: number;
}

export const exactly = (value: number): Scalar => ({ value, bound: 0 });

/** A number that is rounded to f32 on its way to the GPU. */
export const rounded = (value: number): Scalar => ({ value, bound: U * Math.abs(value) });

export const element = ({ values, bound }: Bounded, index: number): Scalar => ({
  value: at(values, index),
  bound: at(bound, index),
});

export function put(matrix: Bounded, index: number, { value, bound }: Scalar): void {
  matrix.values[index] = value;
  matrix.bound[index] = bound;
}

/** A result whose operands' bounds bring `inherited`, and the operation `relative` of its magnitude. */
function result(value: number, inherited: number, relative = U): Scalar {
  return { value, bound: inherited + relative * (Math.abs(value) + inherited) + TINY };
}

export const plus = (a: Scalar, b: Scalar): Scalar => result(a.value + b.value, a.bound + b.bound);
export const minus = (a: Scalar, b: Scalar): Scalar => result(a.value - b.value, a.bound + b.bound);
export const times = (a: Scalar, b: Scalar): Scalar =>
  result(a.value * b.value, Math.abs(a.value) * b.bound + Math.abs(b.value) * a.bound + a.bound * b.bound);

/** a / b for an exact b; WGSL's division is within 2.5 ulp. */
export const over = (a: Scalar, b: number): Scalar => result(a.value / b, a.bound / Math.abs(b), 2.5 * U);

/** 1/√a for a > 0, within 2 ulp; it changes most at the lower end. */
export function inverseSqrt({ value, bound }: Scalar): Scalar {
  const inverse = 1 / Math.sqrt(value);
  return result(inverse, 1 / Math.sqrt(value - bound) - inverse, 2 * U);
}

/** Σ of numbers in any order: γ for as many roundings as there are numbers. */
export function sum(numbers: readonly Scalar[]): Scalar {
  let value = 0;
  let inherited = 0;
  let magnitude = 0;
  for (const number of numbers) {
    value += number.value;
    inherited += number.bound;
    magnitude += Math.abs(number.value) + number.bound;
  }
  return { value, bound: inherited + gamma(numbers.length) * magnitude + numbers.length * TINY };
}
