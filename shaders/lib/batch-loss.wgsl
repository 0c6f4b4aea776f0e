//! uses step
//! uses finite
//! uses compensated
// Stores the loss of a row and adds it to the totals. Appended to files that have the line `//! uses batch-loss`; each of them
// declares the bindings losses, totals, status and order, and the field dims.rows.
//
// totals are f32 (TOTALS, rows), sums over steps; with PAIRS (2·TOTALS, rows): first the high part of each sum, then the low
// parts, as in compensated.wgsl. Without PAIRS the sum of n steps has n roundings. With PAIRS the error of high + low is at
// most 2u·Σ|x| for as many steps as there may be, and hits are exact beyond 2²⁴.

override PAIRS: bool = false;
override TOTALS: u32 = 2;

// Index of the sample that is this row of the batch. Rows from step.rows on repeat the last valid row.
fn sample_of(row: u32) -> u32 { return order[step.first + min(row, step.rows - 1)]; }

// `found` is (loss, hits) of the row. `weight` multiplies the loss, and not the hits.
fn store_loss(row: u32, found: vec2f, weight: f32) {
  losses[row] = weight * found.x;
  if (row >= step.rows) { return; }
  add_to_total(row, weight * found.x);
  add_to_total(dims.rows + row, found.y);
  if (not_finite(found.x)) { atomicMin(&status[0], step.index); }
}

// Adds to the sum whose (high) part is totals[at].
fn add_to_total(at: u32, x: f32) {
  if (!PAIRS) {
    totals[at] += x;
    return;
  }
  let low = TOTALS * dims.rows + at;
  let sum = plus(vec2f(totals[at], totals[low]), x);
  totals[at] = sum.x;
  totals[low] = sum.y;
}

fn unknown_zero() -> u32 { return step.rows >> 31; }
