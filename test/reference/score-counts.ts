import { at, type Bounded, U } from './bounded.js';

export interface ScoreCountsOptions {
  /** Each output is the logit of a class of its own. */
  readonly logistic?: boolean | undefined;
}

/** The counts, and the number of scores that the GPU may count in a neighbouring bin. */
export interface ScoreCounts {
  /** (scores, 2, bins): other rows, and rows of the class. */
  readonly counts: Uint32Array<ArrayBuffer>;
  readonly doubtful: number;
}

/**
 * Histograms of the log-odds of each class: of two classes the second alone.
 * @param labels a class for each row, or a number for each output
 * @param rows number of valid rows; the others do not count
 */
export function scoreCounts(
  outputs: Bounded,
  labels: Uint32Array | Float32Array,
  bins: number,
  rows: number = outputs.shape[0],
  { logistic = false }: ScoreCountsOptions = {},
): ScoreCounts {
  const [, columns] = outputs.shape;
  const scores = !logistic && columns === 2 ? [1] : Array.from({ length: columns }, (_, k) => k);
  const counts = new Uint32Array(scores.length * 2 * bins);
  let doubtful = 0;
  for (let r = 0; r < rows; r++) {
    const z = [...outputs.values.subarray(r * columns, (r + 1) * columns)];
    for (const [number, k] of scores.entries()) {
      const { score, bound } = logistic ? { score: z[k] ?? 0, bound: 0 } : logOdds(z, k);
      if (!Number.isFinite(score)) continue;
      if (binOf(score - bound, bins, -1) !== binOf(score + bound, bins, 1)) doubtful += 1;
      const place = (2 * number + Number(isOf(k, labels, r, columns, logistic))) * bins + binOf(score, bins);
      counts[place] = at(counts, place) + 1;
    }
  }
  return { counts, doubtful };
}

/** True if row r is of class k. */
function isOf(k: number, labels: Uint32Array | Float32Array, r: number, columns: number, logistic: boolean): boolean {
  if (labels instanceof Uint32Array) return logistic ? at(labels, r) !== 0 : at(labels, r) === k;
  const row = labels.subarray(r * columns, (r + 1) * columns);
  return logistic ? at(row, k) >= 0.5 : row.indexOf(Math.max(...row)) === k;
}

/**
 * z[k] − ln Σ exp(z[j]) over j ≠ k, and the bound of the GPU's. With d the distance of a logit from the largest one in a
 * sum, each term of that sum is off by (3 + 3d)·U: d's rounding and exp's own. The sum has n − 1 roundings; that of the
 * classes below the largest is a difference, of numbers of which it is at least half. Its relative error is the absolute
 * one of its logarithm, which adds 2⁻²¹ or 3 ulp. Two differences round.
 */
export function logOdds(z: readonly number[], k: number): { readonly score: number; readonly bound: number } {
  const n = z.length;
  const others = z.filter((_, j) => j !== k);
  const largest = Math.max(...others);
  const sum = others.reduce((all, other) => all + Math.exp(other - largest), 0);
  const score = (z[k] ?? 0) - largest - Math.log(sum);
  if (n === 2) return { score, bound: U * Math.abs(score) };
  const terms = z.reduce((all, other) => {
    const d = Math.abs(other - Math.max(...z));
    return all + Math.exp(-d) * (3 + 3 * d);
  }, 0);
  const relative = 2 * (terms + 3 * n) * U;
  const distance = Math.abs((z[k] ?? 0) - largest);
  const logarithm = Math.abs(Math.log(sum));
  return { score, bound: relative + Math.max(2 ** -21, 3 * U * logarithm) + 2 * U * (distance + logarithm) };
}

/**
 * The bin of a score; or, with `side` 1 or −1, the last or first one that the GPU may find. Its quotient t is off by 3.5
 * ulp, its sum 1 + t and its product with bins/2 by 1 ulp each, of 2 at most: 4·U·bins in all. A score of 0 is exact.
 */
function binOf(score: number, bins: number, side = 0): number {
  const place = (1 + score / (8 + Math.abs(score))) * (bins / 2) + (score === 0 ? 0 : side * 4 * U * bins);
  return Math.floor(Math.min(Math.max(place, 0), bins - 1));
}
