import { expect } from 'vitest';
import type { Bounded } from '../reference/bounded.js';

/**
 * Compares values with a reference, element by element, against the bound that the reference derived.
 * @returns undefined, or a message with the number of elements outside of their bound and the worst of them
 */
export function outsideOfBounds(actual: ArrayLike<number>, expected: Bounded, name = 'C'): string | undefined {
  const { shape, values, bound } = expected;
  if (actual.length !== values.length) return `${name}: ${actual.length} elements, expected (${shape.join(', ')}).`;
  let outside = 0;
  let worst = 0;
  let worstExcess = 0;
  for (let i = 0; i < values.length; i++) {
    const error = Math.abs((actual[i] ?? NaN) - (values[i] ?? NaN));
    if (error <= (bound[i] ?? NaN)) continue; // false for a NaN on either side
    outside++;
    const excess = error / (bound[i] || Number.MIN_VALUE);
    if (outside === 1 || Number.isNaN(excess) || excess > worstExcess) {
      worst = i;
      worstExcess = Number.isNaN(excess) ? Infinity : excess;
    }
  }
  if (outside === 0) return undefined;
  const place = `${name}[${Math.floor(worst / shape[1])}, ${worst % shape[1]}]`;
  const verb = outside === 1 ? 'element is outside its bound' : 'elements are outside their bound';
  return (
    `${name}: ${outside} of ${values.length} ${verb}; worst ${place} = ${actual[worst]}, ` +
    `expected ${values[worst]} ± ${bound[worst]?.toExponential(2)}.`
  );
}

expect.extend({
  toBeWithin(actual: ArrayLike<number>, expected: Bounded, name?: string) {
    const wrong = outsideOfBounds(actual, expected, name);
    return { pass: wrong === undefined, message: () => wrong ?? 'Every element is within its bound.' };
  },
});

declare module 'vitest' {
  interface Matchers<T> {
    /** Every element is within the reference's derived bound. */
    toBeWithin(expected: Bounded, name?: string): T;
  }
}
