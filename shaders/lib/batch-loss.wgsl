//! uses step
//! uses finite
// Storing and adding up the loss of a row. Appended to files whose header says so; such a file has bindings losses, totals,
// status and order, and dims.rows.

// The sample of a data set that a batch takes as its row; rows past step.rows repeat the last one.
fn sample_of(row: u32) -> u32 { return order[step.first + min(row, step.rows - 1)]; }

// found: the loss, and the hits; weight: how much the loss counts, which the hits do not know.
fn keep_loss(row: u32, found: vec2f, weight: f32) {
  losses[row] = weight * found.x;
  if (row >= step.rows) { return; }
  totals[row] += weight * found.x;
  totals[dims.rows + row] += found.y;
  if (not_finite(found.x)) { atomicMin(&status[0], step.index); }
}
