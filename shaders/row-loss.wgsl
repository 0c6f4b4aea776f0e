// Softmax-cross-entropy of one row: its loss, the gradient of its logits, its sums.
// It is appended to files whose header says so, and takes their override PROBABILITIES, their dims.rows and dims.classes,
// their bindings step, labels, losses, totals and status, and their functions logit() and store_gradient() for granted.
//
// A first pass finds maximum and Σ exp(z − maximum) together, a second the gradient.
// Error, with u = 2⁻²³, n classes and d the distance of a logit from the maximum: the sum is off by Σ p·(3 + 3d)·u + 5(n − 1)·u
// of itself (each rise of the maximum rescales it), p by that and (5.5 + 3d)·u of itself; src/reference/softmax.ts has it all.
// A NaN may vanish in comparisons and clamps, so logits are tested by their bits; the loss of such a row is that logit.

// `row` of the batch has the labels in row `source` of `labels`.
fn row_loss(row: u32, source: u32) {
  if (row >= step.rows) {
    losses[row] = 0.0;
    for (var k = 0u; k < dims.classes; k++) { store_gradient(row, k, 0.0); }
    return;
  }
  // The running maximum and sum, the largest label's index, and Σ y and Σ y·z of the labels.
  var largest = logit(row, 0);
  var largest_index = 0u;
  var sum = 1.0;
  var likeliest = target_at(source, 0);
  var likeliest_index = select(labels[source], 0u, PROBABILITIES);
  var mass = likeliest;
  var bad = select(0.0, largest, not_finite(largest));
  for (var k = 1u; k < dims.classes; k++) {
    let z = logit(row, k);
    if (not_finite(z)) { bad = z; }
    if (z > largest) {
      sum = sum * exponential(largest - z) + 1.0;
      largest = z;
      largest_index = k;
    } else {
      sum += exponential(z - largest);
    }
    let y = target_at(source, k);
    mass += y;
    if (PROBABILITIES && y > likeliest) { likeliest = y; likeliest_index = k; }
  }
  let log_sum = log(sum);
  var loss = 0.0;
  for (var k = 0u; k < dims.classes; k++) {
    let z = logit(row, k);
    let y = target_at(source, k);
    if (y != 0.0) { loss += y * (log_sum + (largest - z)); }
    store_gradient(row, k, (exponential(z - largest) / sum * mass - y) / f32(step.rows));
  }
  loss = select(loss, bad, not_finite(bad));
  losses[row] = loss;
  totals[row] += loss;
  totals[dims.rows + row] += select(0.0, 1.0, largest_index == likeliest_index);
  if (not_finite(loss)) { atomicMin(&status[0], step.index); }
}

fn target_at(source: u32, k: u32) -> f32 {
  if (PROBABILITIES) { return bitcast<f32>(labels[source * dims.classes + k]); }
  return select(0.0, 1.0, labels[source] == k);
}

// exp for x ≤ 0; below −87 the f32 result would be indeterminate.
fn exponential(x: f32) -> f32 { return exp(max(x, -87.0)); }

fn not_finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u; }
