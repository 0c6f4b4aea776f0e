import { at, type Bounded, elementwise } from './bounded.js';

/** B[n, m] = A[m, n], with the bounds of A: nothing is computed. */
export function transpose(A: Bounded): Bounded {
  const [rows, columns] = A.shape;
  return elementwise([columns, rows], (i) => {
    const from = (i % rows) * columns + Math.floor(i / rows);
    return [at(A.values, from), at(A.bound, from)];
  });
}
