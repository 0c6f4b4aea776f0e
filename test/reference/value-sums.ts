import { at, type Bounded, TINY, U, zeros } from './bounded.js';

/** n, c, Σ(y − c), Σ(y − c)², Σ(a − y)², Σ|a − y|. */
const NUMBERS = 6;

/**
 * For each column and slot six numbers, (columns, slots·6): sums over every slots-th row, relative to its first target.
 * @param targets (rows of the outputs, columns)
 * @param rows number of valid rows; the others do not count
 */
export function valueSums(outputs: Bounded, targets: Float32Array, slots: number, rows: number): Bounded {
  const [, columns] = outputs.shape;
  const sums = zeros([columns, slots * NUMBERS]);
  for (let column = 0; column < columns; column++) {
    for (let slot = 0; slot < slots && slot < rows; slot++) {
      const place = (column * slots + slot) * NUMBERS;
      const origin = at(targets, slot * columns + column);
      const magnitudes = new Float64Array(NUMBERS);
      const errors = new Float64Array(NUMBERS);
      let count = 0;
      for (let row = slot; row < rows; row += slots) {
        const i = row * columns + column;
        const distance = at(targets, i) - origin;
        const error = at(outputs.values, i) - at(targets, i);
        // A difference is off by 1, and by the output's bound; a square by twice that and 1.
        const off = at(outputs.bound, i) + U * Math.abs(error);
        const terms = [1, 0, distance, distance ** 2, error ** 2, Math.abs(error)];
        const own = [0, 0, U * Math.abs(distance), 3 * U * distance ** 2, (2 * Math.abs(error) + off) * off, off];
        own[4] = (own[4] ?? 0) + U * error ** 2;
        for (const [number, term] of terms.entries()) {
          sums.values[place + number] = at(sums.values, place + number) + term;
          magnitudes[number] = at(magnitudes, number) + Math.abs(term);
          errors[number] = at(errors, number) + (own[number] ?? 0);
        }
        count += 1;
      }
      sums.values[place + 1] = origin;
      for (let number = 2; number < NUMBERS; number++) {
        sums.bound[place + number] = 1.001 * (at(errors, number) + count * U * at(magnitudes, number)) + TINY;
      }
    }
  }
  return sums;
}
