import { Random } from '../../src/base/random.js';

/** A float64 matrix, row-major. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

/** The rounding of results: none for the reference, random for the estimate of its sensitivity. */
export interface Arithmetic {
  /** The result of + − × ÷ or √. */
  round(value: number): number;
  /** The result of a function that float32 gives within `ulps` of its value. */
  call(value: number, ulps: number): number;
  /** A sum; `squares` is the sum of the squares of its partial sums and its summands. */
  sum(value: number, squares: number): number;
  /** True if results are not rounded, so that `sum` does not use `squares`. */
  readonly exact: boolean;
}

/** Float64, without additional rounding: the results of the documentation's formulas. */
export const exactArithmetic: Arithmetic = {
  round: (value) => value,
  call: (value) => value,
  sum: (value) => value,
  exact: true,
};

/** Half an ulp of float32 relative to 1: rounding to nearest never loses more. */
const HALF_ULP = 2 ** -24;

/**
 * Monte-Carlo arithmetic: every result is off by ±2⁻²⁴ relative, the sign drawn at random (Parker 1997; the CESTAC
 * method of Vignes 1993 draws the rounding). A sum of K products would take 2K draws; their sum is drawn at once
 * instead, as a normal number with the variance that 2K such signs have, Σ (2⁻²⁴·partial sum)² + Σ (2⁻²⁴·product)².
 *
 * The error of a function is not independent from call to call: an approximation errs to one side over whole intervals,
 * and sums do not average that away. So half of the error is common to all calls of a sample, and half is drawn for
 * each call.
 */
export function monteCarloArithmetic(seed: number): Arithmetic {
  const random = new Random(seed, 0x3c);
  const sign = (): number => (random.bits() & 1 ? 1 : -1);
  const common = random.uniform(-1, 1);
  return {
    round: (value) => value * (1 + HALF_ULP * sign()),
    call: (value, ulps) => value * (1 + HALF_ULP * ulps * (common + sign())),
    sum: (value, squares) => value + HALF_ULP * Math.sqrt(squares) * random.normal(),
    exact: false,
  };
}

export function matrix(rows: number, columns: number, values: ArrayLike<number>): Matrix {
  if (values.length !== rows * columns) {
    throw new RangeError(`A (${rows}, ${columns}) matrix has ${rows * columns} elements; ${values.length} are given.`);
  }
  return { rows, columns, values: Float64Array.from(values) };
}

/** A matrix whose elements are computed from row, column and index. */
export function build(
  rows: number,
  columns: number,
  compute: (row: number, column: number, index: number) => number,
): Matrix {
  const values = new Float64Array(rows * columns);
  for (let row = 0, index = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, index++) values[index] = compute(row, column, index);
  }
  return { rows, columns, values };
}

/** Element by element. */
export function map(A: Matrix, compute: (value: number, index: number) => number): Matrix {
  return { rows: A.rows, columns: A.columns, values: A.values.map(compute) };
}

export function transpose(A: Matrix): Matrix {
  return build(A.columns, A.rows, (row, column) => A.values[column * A.columns + row]!);
}

/** A·B: C[i, j] = Σₖ A[i, k]·B[k, j], in the order of k. */
export function product(arithmetic: Arithmetic, A: Matrix, B: Matrix): Matrix {
  if (A.columns !== B.rows) {
    throw new RangeError(`A (${A.rows}, ${A.columns}) cannot be multiplied by B (${B.rows}, ${B.columns}).`);
  }
  const C = new Float64Array(A.rows * B.columns);
  for (let i = 0; i < A.rows; i++) {
    const sums = C.subarray(i * B.columns, (i + 1) * B.columns);
    if (arithmetic.exact) accumulate(sums, A, B, i);
    else accumulateSquares(arithmetic, sums, A, B, i);
  }
  return { rows: A.rows, columns: B.columns, values: C };
}

function accumulate(sums: Float64Array, A: Matrix, B: Matrix, i: number): void {
  const columns = B.columns;
  for (let k = 0; k < A.columns; k++) {
    const a = A.values[i * A.columns + k]!;
    const start = k * columns;
    for (let j = 0; j < columns; j++) sums[j]! += a * B.values[start + j]!;
  }
}

function accumulateSquares(arithmetic: Arithmetic, sums: Float64Array, A: Matrix, B: Matrix, i: number): void {
  const columns = B.columns;
  const squares = new Float64Array(columns);
  for (let k = 0; k < A.columns; k++) {
    const a = A.values[i * A.columns + k]!;
    const start = k * columns;
    for (let j = 0; j < columns; j++) {
      const term = a * B.values[start + j]!;
      const sum = sums[j]! + term;
      sums[j] = sum;
      squares[j]! += sum * sum + term * term;
    }
  }
  for (let j = 0; j < columns; j++) sums[j] = arithmetic.sum(sums[j]!, squares[j]!);
}

/** The sum of terms, in their order. */
export function total(arithmetic: Arithmetic, count: number, term: (index: number) => number): number {
  let sum = 0;
  let squares = 0;
  for (let index = 0; index < count; index++) {
    sum += term(index);
    squares += sum * sum;
  }
  return arithmetic.sum(sum, squares);
}

/** The sum of each column, (1, columns). */
export function columnSums(arithmetic: Arithmetic, A: Matrix): Matrix {
  return build(1, A.columns, (_, column) => total(arithmetic, A.rows, (row) => A.values[row * A.columns + column]!));
}
