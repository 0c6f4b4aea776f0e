import { at, type Bounded, U, zeros } from './bounded.js';

export interface GatherOptions {
  /** Index in `order` at which the batch begins. */
  readonly first: number;
  /** Number of valid rows; the others repeat the last valid one. */
  readonly rows: number;
  /** Number of rows of X. */
  readonly batch: number;
  /** Scale and shift of each column, rounded to f32. Default: 1 and 0. */
  readonly scale?: ArrayLike<number> | undefined;
  readonly shift?: ArrayLike<number> | undefined;
}

/**
 * X[b, c] = data[order[first + b], c]·scale[c] + shift[c], (batch, columns), in float64 with the float32 bound: one product
 * and one sum.
 */
export function gatherRows(
  data: Uint8Array | Float32Array,
  columns: number,
  order: Uint32Array,
  options: GatherOptions,
): Bounded {
  const { first, rows, batch } = options;
  const scale = Float32Array.from(options.scale ?? new Float32Array(columns).fill(1));
  const shift = Float32Array.from(options.shift ?? new Float32Array(columns));
  const X = zeros([batch, columns]);
  for (let b = 0; b < batch; b++) {
    const row = at(order, first + Math.min(b, rows - 1));
    for (let c = 0; c < columns; c++) {
      const product = at(data, row * columns + c) * at(scale, c);
      const value = product + at(shift, c);
      X.values[b * columns + c] = value;
      X.bound[b * columns + c] = U * (Math.abs(product) * (1 + U) + Math.abs(value)) + 2 ** -125;
    }
  }
  return X;
}

/** Y[b, w] = labels[order[first + b], w]: the labels' 32-bit words, unchanged. */
export function gatherLabels(
  labels: Uint32Array,
  words: number,
  order: Uint32Array,
  { first, rows, batch }: GatherOptions,
): Uint32Array<ArrayBuffer> {
  const Y = new Uint32Array(batch * words);
  for (let b = 0; b < batch; b++) {
    const row = at(order, first + Math.min(b, rows - 1));
    Y.set(labels.subarray(row * words, (row + 1) * words), b * words);
  }
  return Y;
}
