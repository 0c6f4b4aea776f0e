//! uses step
//! uses finite
// Stores the loss of a row and adds it to the totals. Appended to files that have the line `//! uses batch-loss`; each of them
// declares the bindings losses, totals, status and order, and the field dims.rows.

// Index of the sample that is this row of the batch. Rows from step.rows on repeat the last valid row.
fn sample_of(row: u32) -> u32 { return order[step.first + min(row, step.rows - 1)]; }

// `found` is (loss, hits) of the row. `weight` multiplies the loss, and not the hits.
fn store_loss(row: u32, found: vec2f, weight: f32) {
  losses[row] = weight * found.x;
  if (row >= step.rows) { return; }
  totals[row] += weight * found.x;
  totals[dims.rows + row] += found.y;
  if (not_finite(found.x)) { atomicMin(&status[0], step.index); }
}
