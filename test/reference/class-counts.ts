import { at, type Bounded } from './bounded.js';

export interface ClassCountsOptions {
  /** Number k of largest outputs that count as a hit for the actual class; without it a confusion matrix is counted. */
  readonly topK?: number | undefined;
  /** The only output is a logit: class 1 from 0 on. */
  readonly logistic?: boolean | undefined;
}

/**
 * A confusion matrix with a row per actual class and a column per predicted class, row by row; or the number of rows
 * whose class is among the `topK` largest outputs, the first of equals first.
 * @param labels a class for each row, or a number for each output
 * @param rows number of valid rows; the others do not count
 */
export function classCounts(
  outputs: Bounded,
  labels: Uint32Array | Float32Array,
  rows: number = outputs.shape[0],
  { topK, logistic = false }: ClassCountsOptions = {},
): Uint32Array<ArrayBuffer> {
  const [, columns] = outputs.shape;
  const classes = topK === undefined ? (logistic ? 2 : columns) : 1;
  const counts = new Uint32Array(classes * classes);
  for (let r = 0; r < rows; r++) {
    const row = [...outputs.values.subarray(r * columns, (r + 1) * columns)];
    const wanted = labels instanceof Uint32Array ? [] : [...labels.subarray(r * columns, (r + 1) * columns)];
    const actual =
      labels instanceof Uint32Array ? at(labels, r) : logistic ? Number((wanted[0] ?? 0) >= 0.5) : ranked(wanted)[0];
    const order = logistic ? [Number((row[0] ?? 0) >= 0)] : ranked(row);
    const place = topK === undefined ? (actual ?? 0) * classes + (order[0] ?? 0) : 0;
    if (topK === undefined || order.indexOf(actual ?? -1) < topK) counts[place] = at(counts, place) + 1;
  }
  return counts;
}

/** Indices, those of the largest values first; of equals the first is first, as sorting is stable. */
function ranked(values: readonly number[]): number[] {
  return [...values.keys()].sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0));
}
