import { at, type Bounded, elementwise, U } from './bounded.js';

/** base + x·D + y·E in float64, with the float32 bound; x and y are float32. */
export function shiftParameters(base: Bounded, D: Bounded, E: Bounded, x: number, y: number): Bounded {
  return elementwise(base.shape, (i) => {
    const [b, d, e] = [at(base.values, i), x * at(D.values, i), y * at(E.values, i)];
    return [b + d + e, 4 * U * (Math.abs(b) + Math.abs(d) + Math.abs(e))];
  });
}
