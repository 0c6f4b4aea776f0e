import { at, type Bounded, elementwise, zeros } from './bounded.js';

/** Y = the largest of each unit's pieces: piece k of unit u is column u·pieces + k of Z. The bound is the largest of theirs. */
export function maxout(Z: Bounded, pieces: number): Bounded {
  const [rows, columns] = Z.shape;
  return elementwise([rows, columns / pieces], (i) => {
    const own = piecesOf(i, pieces);
    return [at(Z.values, winnerOf(Z, own)), Math.max(...own.map((place) => at(Z.bound, place)))];
  });
}

/**
 * dZ = dY at the first of the largest pieces, 0 at the others. If bounds overlap, rounding decides which piece is the
 * largest: all pieces that may be the largest have |dY| in their bound.
 */
export function maxoutBackward(dY: Bounded, Z: Bounded, pieces: number): Bounded {
  const dZ = zeros(Z.shape);
  for (let i = 0; i < dY.values.length; i++) {
    const own = piecesOf(i, pieces);
    const winner = winnerOf(Z, own);
    const least = Math.max(...own.map((place) => at(Z.values, place) - at(Z.bound, place)));
    const possible = own.filter((place) => at(Z.values, place) + at(Z.bound, place) >= least);
    const exact = own.every((place) => at(Z.bound, place) === 0);
    dZ.values[winner] = at(dY.values, i);
    dZ.bound[winner] = at(dY.bound, i);
    if (exact || possible.length === 1) continue;
    for (const place of possible) dZ.bound[place] = Math.abs(at(dY.values, i)) + at(dY.bound, i);
  }
  return dZ;
}

/** Indices in Z of the pieces of an element of Y. */
function piecesOf(element: number, pieces: number): number[] {
  return Array.from({ length: pieces }, (_, piece) => element * pieces + piece);
}

function winnerOf(Z: Bounded, places: readonly number[]): number {
  return places.reduce((best, place) => (at(Z.values, place) > at(Z.values, best) ? place : best));
}
