import { LONG_SUM } from '../../src/kernels/long-sum.js';
import { at, type Bounded, gamma, zeros } from './bounded.js';

/** sums[c] = Σᵣ X[r, c], (1, columns), in float64; |error| ≤ γ·Σ|x| plus Σδx, γ for as many roundings as there are rows, or 3 if compensated. */
export function columnSum(X: Bounded): Bounded {
  const [rows, columns] = X.shape;
  const sums = zeros([1, columns]);
  for (let c = 0; c < columns; c++) {
    let sum = 0;
    let inherited = 0;
    let magnitude = 0;
    for (let r = 0; r < rows; r++) {
      const x = at(X.values, r * columns + c);
      const bound = at(X.bound, r * columns + c);
      sum += x;
      inherited += bound;
      magnitude += Math.abs(x) + bound;
    }
    sums.values[c] = sum;
    sums.bound[c] = inherited + gamma(rows > LONG_SUM ? 3 : rows) * magnitude + rows * 2 ** -126;
  }
  return sums;
}
