import { at, type Bounded, zeros } from './bounded.js';

/**
 * The smallest and the largest value of each column, (2, columns); exact.
 * @param rows number of leading rows that count
 */
export function columnExtremes(X: Bounded, rows: number = X.shape[0]): Bounded {
  const [, columns] = X.shape;
  const result = zeros([2, columns]);
  for (let c = 0; c < columns; c++) {
    const column = Array.from({ length: rows }, (_, r) => at(X.values, r * columns + c));
    result.values[c] = Math.min(...column);
    result.values[columns + c] = Math.max(...column);
  }
  return result;
}
