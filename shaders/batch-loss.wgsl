// The loss of a batch's row, and what is kept of it. Appended to files whose header says so, together with row-loss.wgsl; such
// a file has bindings step, losses, totals, status and order, and dims.rows and dims.classes.

// The sample of a data set that a batch takes as its row; rows past step.rows repeat the last one.
fn sample_of(row: u32) -> u32 { return order[step.first + min(row, step.rows - 1)]; }

// `sample` has the labels of the row.
fn batch_loss(row: u32, sample: u32) {
  let found = row_loss(row, sample, step.rows, dims.classes);
  losses[row] = found.x;
  if (row >= step.rows) { return; }
  totals[row] += found.x;
  totals[dims.rows + row] += found.y;
  if (not_finite(found.x)) { atomicMin(&status[0], step.index); }
}
