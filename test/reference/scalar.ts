import { LONG_SUM } from '../../src/kernels/long-sum.js';
import { at, type Bounded, gamma, TINY, U } from './bounded.js';

/** A number, and the bound on a GPU's deviation from it. */
export interface Scalar {
  readonly value: number;
  readonly bound: number;
}

export const scalar = (value: number, bound = 0): Scalar => ({ value, bound });

export const element = ({ values, bound }: Bounded, i: number): Scalar => scalar(at(values, i), at(bound, i));

export function put(matrix: Bounded, i: number, { value, bound }: Scalar): void {
  matrix.values[i] = value;
  matrix.bound[i] = bound;
}

/** The bound of a result: the inherited error plus `roundings`·U of the result. */
function rounded(value: number, inherited: number, roundings: number): Scalar {
  return { value, bound: inherited + roundings * U * (Math.abs(value) + inherited) + TINY };
}

export function plus(a: Scalar, b: Scalar): Scalar {
  if (b.value === 0 && b.bound === 0) return a;
  return rounded(a.value + b.value, a.bound + b.bound, 1);
}

export const minus = (a: Scalar, b: Scalar): Scalar => plus(a, { ...b, value: -b.value });

/** An option, exact in float64 and rounded to f32 on the GPU, times a number. */
export function times(option: number, a: Scalar): Scalar {
  if (option === 0) return { value: 0, bound: 0 };
  return rounded(option * a.value, Math.abs(option) * a.bound, 2.001);
}

/** An option as f32. */
export const option = (value: number): Scalar => scalar(value, U * Math.abs(value));

export function product(a: Scalar, b: Scalar): Scalar {
  const inherited = Math.abs(a.value) * b.bound + Math.abs(b.value) * a.bound + a.bound * b.bound;
  return rounded(a.value * b.value, inherited, 1);
}

/** WGSL divides within 2.5 ulp. A divisor that may be zero leaves no bound. */
export function quotient(a: Scalar, b: Scalar): Scalar {
  const value = a.value / b.value;
  const least = Math.abs(b.value) - b.bound;
  return rounded(value, least > 0 ? (a.bound + Math.abs(value) * b.bound) / least : Infinity, 2.5);
}

/** WGSL's sqrt is 1 / inverseSqrt: 2 ulp and 2.5; 5 with what is of second order. Of less than zero, that of zero. */
export function root(a: Scalar): Scalar {
  const value = Math.sqrt(Math.max(0, a.value));
  const high = Math.sqrt(Math.max(0, a.value + a.bound)) - value;
  const low = value - Math.sqrt(Math.max(0, a.value - a.bound));
  return rounded(value, Math.max(high, low), 5);
}

/** a / b for an exact b. */
export const over = (a: Scalar, b: number): Scalar => quotient(a, scalar(b));

/** 1/√a for a > 0, within 2 ulp; it changes most at the lower end. */
export function inverseSqrt({ value, bound }: Scalar): Scalar {
  const inverse = 1 / Math.sqrt(value);
  return rounded(inverse, 1 / Math.sqrt(value - bound) - inverse, 2);
}

/** Roundings of a sum that is compensated: 3 of each slice, and as many more as a GPU has slices. */
const LONG_ROUNDINGS = 3 + 16;

/** Σ of numbers in any order: γ for as many roundings as there are numbers, or for those of a compensated sum. */
export function sum(numbers: readonly Scalar[]): Scalar {
  let value = 0;
  let inherited = 0;
  let magnitude = 0;
  for (const number of numbers) {
    value += number.value;
    inherited += number.bound;
    magnitude += Math.abs(number.value) + number.bound;
  }
  const roundings = numbers.length > LONG_SUM ? LONG_ROUNDINGS : numbers.length;
  return { value, bound: inherited + gamma(roundings) * magnitude + numbers.length * TINY };
}
