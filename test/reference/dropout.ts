import { type Bounded, elementwise } from './bounded.js';
import { element, option, product } from './scalar.js';

/** Four random words from a counter and a key: Philox-4×32-10 (Salmon et al. 2011). */
export function philox(counter: readonly number[], key: readonly number[]): number[] {
  let [a = 0, b = 0, c = 0, d = 0] = counter;
  let [k0 = 0, k1 = 0] = key;
  for (let round = 0; round < 10; round++) {
    const [low0, high0] = wideProduct(0xd2511f53, a);
    const [low1, high1] = wideProduct(0xcd9e8d57, c);
    [a, b, c, d] = [(high1 ^ b ^ k0) >>> 0, low1, (high0 ^ d ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}

function wideProduct(a: number, b: number): readonly [low: number, high: number] {
  const product = BigInt(a) * BigInt(b);
  return [Number(product & 0xffffffffn), Number(product >> 32n)];
}

/** The source of a mask. */
export interface DropoutStream {
  readonly rate: number;
  readonly seed: number;
  readonly stream: number;
  /** The number of the step. */
  readonly index: number;
}

/** A mask of `count` elements: true for each element that is kept. */
export function keptElements(count: number, { rate, seed, stream, index }: DropoutStream): boolean[] {
  const threshold = Math.floor(rate * 2 ** 32);
  const key = [seed % 2 ** 32, Math.floor(seed / 2 ** 32)];
  const words = Array.from({ length: Math.ceil(count / 4) }, (_, four) => philox([four, index, stream, 0], key)).flat();
  return words.slice(0, count).map((word) => word >= threshold);
}

/** X/(1 − rate) where an element is kept, else 0; the scale and the product are rounded. */
export function dropout(X: Bounded, stream: DropoutStream): Bounded {
  const kept = keptElements(X.values.length, stream);
  const scale = option(1 / (1 - stream.rate));
  return elementwise(X.shape, (i) => {
    if (kept[i] !== true) return [0, 0];
    const { value, bound } = product(element(X, i), scale);
    return [value, bound];
  });
}
