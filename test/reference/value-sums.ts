import { at, type Bounded, TINY, U, zeros } from './bounded.js';

/** n, c, Σ(y − c), Σ(y − c)², Σ(a − y)², Σ|a − y|. */
const NUMBERS = 6;

/**
 * For each column and slot six numbers, (columns, slots·6): sums over every slots-th row, relative to an origin c.
 * @param targets (rows of the outputs, columns)
 * @param rows number of valid rows; the others do not count
 * @param originOf the origin of a slot of a column: any number will do, and the sums must be those relative to it
 */
export function valueSums(
  outputs: Bounded,
  targets: Float32Array,
  slots: number,
  rows: number,
  originOf: (column: number, slot: number) => number,
): Bounded {
  const [, columns] = outputs.shape;
  const sums = zeros([columns, slots * NUMBERS]);
  for (let column = 0; column < columns; column++) {
    for (let slot = 0; slot < slots && slot < rows; slot++) {
      const place = (column * slots + slot) * NUMBERS;
      const mine = Array.from(
        { length: Math.ceil((rows - slot) / slots) },
        (_, i) => (slot + i * slots) * columns + column,
      );
      const origin = originOf(column, slot);
      const errors = rowErrors(mine.map((i) => at(targets, i)));
      sums.values.set([mine.length, origin], place);
      for (const i of mine) {
        const [y, a] = [at(targets, i), at(outputs.values, i)];
        const terms = [y - origin, (y - origin) ** 2, (a - y) ** 2, Math.abs(a - y)];
        for (const [number, term] of terms.entries())
          sums.values[place + 2 + number] = at(sums.values, place + 2 + number) + term;
        // The difference is off by 1 and by the output's bound, its square by twice that and 1; an addition by 3.
        const off = at(outputs.bound, i) + U * Math.abs(a - y);
        errors[2] += (2 * Math.abs(a - y) + off) * off + 4 * U * (a - y) ** 2;
        errors[3] += off + 3 * U * Math.abs(a - y);
      }
      for (const [number, error] of errors.entries()) sums.bound[place + 2 + number] = 1.001 * error + TINY;
    }
  }
  return sums;
}

/**
 * Errors of Σ(y − c) and Σ(y − c)², while c begins as the first y and moves to the mean when the number of rows is a
 * power of two; then 0 and 0, for two more sums. A term is off by 1 or 3, its addition by 3, a move by 4 and 8 of the sum
 * of magnitudes.
 */
function rowErrors(targets: readonly number[]): [number, number, number, number] {
  let c = targets[0] ?? 0;
  let [first, second] = [0, 0];
  for (const [i, y] of targets.entries()) {
    first += 4 * U * Math.abs(y - c);
    second += 6 * U * (y - c) ** 2;
    if (((i + 1) & i) !== 0) continue;
    const before = targets.slice(0, i + 1);
    first += 4 * U * before.reduce((sum, each) => sum + Math.abs(each - c), 0);
    second += 8 * U * before.reduce((sum, each) => sum + (each - c) ** 2, 0);
    const mean = before.reduce((sum, each) => sum + each, 0) / before.length;
    const spread = before.reduce((sum, each) => sum + (each - mean) ** 2, 0);
    if (before.length * (mean - c) ** 2 > spread) c = mean;
  }
  return [first, second, 0, 0];
}
