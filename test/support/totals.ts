import { expect } from 'vitest';
import { U } from '../reference/bounded.js';

/** Sums of a long training: at 2²⁰ a float32 is a multiple of ⅛, and at 2²⁴ it no longer counts. */
const [LOSS, HITS] = [2 ** 20, 2 ** 24];

/** Totals (4, batch) after many steps: losses, hits, and low parts of 0. */
export function lateTotals(batch: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: 4 * batch }, (_, i) => [LOSS, HITS, 0, 0][Math.floor(i / batch)] ?? 0);
}

/**
 * Compares totals that began as `lateTotals` with the losses and hits of `times` equal steps. Each addition rounds its
 * term, with the low part, and what remains of the term, by one U: the low part is at most U/2 of the sum.
 * @param totals (4, batch)
 */
export function expectLateTotals(
  totals: Float32Array,
  losses: ArrayLike<number>,
  hits: ArrayLike<number>,
  times: number,
): void {
  const batch = losses.length;
  for (let row = 0; row < batch; row++) {
    const of = (number: number): number =>
      (totals[number * batch + row] ?? 0) + (totals[(2 + number) * batch + row] ?? 0);
    const loss = losses[row] ?? 0;
    const bound = times * 2 * U * (Math.abs(loss) + (U / 2) * LOSS);
    expect(Math.abs(of(0) - LOSS - times * loss), `row ${row}`).toBeLessThanOrEqual(bound);
    expect(of(1), `hits of row ${row}`).toBe(HITS + times * (hits[row] ?? 0));
  }
}
