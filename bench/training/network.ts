import { Random } from '../../src/base/random.js';

/** Layer widths from inputs to classes, and the rows of a step. */
export interface Network {
  readonly layers: readonly number[];
  readonly batch: number;
}

export const nameOf = ({ layers, batch }: Network): string => `${layers.join('-')} batch ${batch}`;

/** Rows with the density of handwritten digits: four numbers in five are 0. Images are bytes, all else is float32. */
export function samples(
  { layers }: Network,
  count: number,
): {
  readonly inputs: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  readonly classes: Uint32Array<ArrayBuffer>;
} {
  const [features = 1] = layers;
  const random = new Random(3);
  const drawn = Math.min(count * features, 2 ** 18);
  const values = Float32Array.from({ length: drawn }, () => Math.max(0, random.uniform(-4, 1)));
  const length = count * features;
  const inputs =
    features === 784
      ? Uint8Array.from({ length }, (_, i) => 255 * (values[i % drawn] ?? 0))
      : Float32Array.from({ length }, (_, i) => values[i % drawn] ?? 0);
  const classes = Uint32Array.from({ length: count }, (_, row) => row % (layers.at(-1) ?? 1));
  return { inputs, classes };
}

/** Floating-point operations of a step: forward, dW, and dX of all layers but the first. */
export function stepFlops({ layers, batch }: Network): number {
  let flops = 0;
  for (let i = 1; i < layers.length; i++) {
    const product = 2 * batch * (layers[i - 1] ?? 0) * (layers[i] ?? 0);
    flops += product * (i === 1 ? 2 : 3);
  }
  return flops;
}

/**
 * Bytes that a step has to move at the least. Of each weight: read forward, read for dX in all layers but the first, read
 * and written with its velocity. Of each unit and row: Y written and read three times (next layer, its dW, activation gradient), dZ
 * written and read twice. X is read twice.
 */
export function stepBytes({ layers, batch }: Network): number {
  let words = batch * (layers[0] ?? 0) * 2;
  for (let i = 1; i < layers.length; i++) {
    const weights = ((layers[i - 1] ?? 0) + 1) * (layers[i] ?? 0);
    words += weights * (i === 1 ? 5 : 6) + 7 * batch * (layers[i] ?? 0);
  }
  return 4 * words;
}
