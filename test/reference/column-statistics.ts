import { at, type Bounded, gamma, U, zeros } from './bounded.js';

/** Rows that the kernel adds up at a time. */
const RUN = 16;

/**
 * Mean and population standard deviation of each column, (1, columns), in float64. In a slice of n rows the kernel takes
 * differences from p, which is near the slice's mean m: |p − m| ≤ γ·Σ|x − x₀|/n + u·max|x|. Its sums s = Σ(x − p) and
 * q = Σ(x − p)² are off by δs ≤ γ·Σ|x − p| and δq ≤ γ·Σ(x − p)²; so are m = p + s/n by δs/n, and Σ(x − m)² = q − s²/n by
 * δq + (2|s| + δs)·δs/n. The rest is float64.
 */
export function columnStatistics(X: Bounded, sliceRows: number): { readonly mean: Bounded; readonly std: Bounded } {
  const [rows, columns] = X.shape;
  const g = gamma(RUN + Math.ceil(sliceRows / RUN) + 3);
  const result = { mean: zeros([1, columns]), std: zeros([1, columns]) };
  for (let c = 0; c < columns; c++) {
    const values = Float64Array.from({ length: rows }, (_, r) => at(X.values, r * columns + c));
    const mean = total(values) / rows;
    const squares = total(values.map((x) => (x - mean) ** 2));
    let meanError = 0;
    let squaresError = 0;
    for (let begin = 0; begin < rows; begin += sliceRows) {
      const slice = values.subarray(begin, begin + sliceRows);
      const n = slice.length;
      const own = total(slice) / n;
      const largest = slice.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      const off = (g * total(slice.map((x) => Math.abs(x - at(slice, 0))))) / n + U * largest;
      const sumError = g * (total(slice.map((x) => Math.abs(x - own))) + n * off);
      meanError += sumError;
      squaresError += g * total(slice.map((x) => (Math.abs(x - own) + off) ** 2));
      squaresError += (2 * n * off + sumError) * (sumError / n);
      // A slice's mean counts by its distance from that of all.
      squaresError += (2 * Math.abs(own - mean) + sumError / n) * sumError;
    }
    result.mean.values[c] = mean;
    result.mean.bound[c] = meanError / rows + 1e-12 * Math.abs(mean);
    const [variance, error] = [squares / rows, squaresError / rows];
    const std = Math.sqrt(variance);
    result.std.values[c] = std;
    result.std.bound[c] = Math.max(Math.sqrt(variance + error) - std, std - Math.sqrt(Math.max(variance - error, 0)));
  }
  return result;
}

const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);
