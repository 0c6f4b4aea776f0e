import { U } from './bounded.js';

export interface HistogramBounds {
  /** Values in each bin that rounding cannot move to another bin. */
  readonly least: readonly number[];
  /** Values in each bin, and values that rounding may move into it. */
  readonly most: readonly number[];
}

/**
 * Counts the values in each of equal parts of a range, in float64; a value near a border may be on either side of it.
 */
export function histogram(values: ArrayLike<number>, bins: number, low: number, high: number): HistogramBounds {
  const [least, most] = [new Array<number>(bins).fill(0), new Array<number>(bins).fill(0)];
  const bin = (place: number): number => Math.floor(Math.min(Math.max(place, 0), bins - 1));
  for (const x of Array.from(values).filter(Number.isFinite)) {
    const place = ((x - low) * bins) / (high - low);
    // low and the scale are rounded to f32, then a difference and a product.
    const error = (bins / (high - low)) * (U * Math.abs(low) + 4 * U * Math.abs(x - low));
    const [from, to] = [bin(place - error), bin(place + error)];
    for (let b = from; b <= to; b++) most[b] = (most[b] ?? 0) + 1;
    if (from === to) least[from] = (least[from] ?? 0) + 1;
  }
  return { least, most };
}
