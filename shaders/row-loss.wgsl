// Softmax-cross-entropy of a row from its logits, in log-sum-exp form. The plugin appends this file to every shader whose
// header says `uses row-loss`; such a shader has a binding `labels`, and functions logit(row, k) and
// put_gradient(row, k, value). u = 2⁻²³.
//
//   loss      −Σₖ y[k]·log softmax(logits)[k]
//   hit       1 if the largest logit is that of the label (first of equals), else 0
//   gradient  (softmax(logits)[k]·Σy − y[k]) / rows      the loss of a batch is the mean over its valid rows
//
// Rows from `rows` on give 0 for all of them. labels: u32 (samples, 1) class indices, or f32 bits (samples, classes) if
// PROBABILITIES.
// A first pass finds maximum and Σ exp(z − maximum) together, a second gives the gradient.
// Error, with n classes and d the distance of a logit from the maximum: the sum is off by Σ p·(3 + 3d)·u + 5(n − 1)·u of
// itself (each rise of the maximum rescales it), p by that and (5.5 + 3d)·u of itself; src/reference/softmax.ts has it all.
// A NaN may vanish in comparisons and clamps, so logits are tested by their bits; the loss of such a row is that logit.

override PROBABILITIES: bool = false;

// Loss and hit of a row, whose labels are those of a sample.
fn row_loss(row: u32, sample: u32, rows: u32, classes: u32) -> vec2f {
  if (row >= rows) {
    for (var k = 0u; k < classes; k++) { put_gradient(row, k, 0.0); }
    return vec2f();
  }
  // The running maximum and sum, the largest label's index, and Σ y and Σ y·z of the labels.
  var largest = logit(row, 0);
  var largest_index = 0u;
  var sum = 1.0;
  var likeliest = target_at(sample, 0, classes);
  var likeliest_index = select(labels[sample], 0u, PROBABILITIES);
  var mass = likeliest;
  var bad = select(0.0, largest, not_finite(largest));
  for (var k = 1u; k < classes; k++) {
    let z = logit(row, k);
    if (not_finite(z)) { bad = z; }
    if (z > largest) {
      sum = sum * exponential(largest - z) + 1.0;
      largest = z;
      largest_index = k;
    } else {
      sum += exponential(z - largest);
    }
    let y = target_at(sample, k, classes);
    mass += y;
    if (PROBABILITIES && y > likeliest) { likeliest = y; likeliest_index = k; }
  }
  let log_sum = log(sum);
  var loss = 0.0;
  for (var k = 0u; k < classes; k++) {
    let z = logit(row, k);
    let y = target_at(sample, k, classes);
    if (y != 0.0) { loss += y * (log_sum + (largest - z)); }
    put_gradient(row, k, (exponential(z - largest) / sum * mass - y) / f32(rows));
  }
  return vec2f(select(loss, bad, not_finite(bad)), select(0.0, 1.0, largest_index == likeliest_index));
}

fn target_at(sample: u32, k: u32, classes: u32) -> f32 {
  if (PROBABILITIES) { return bitcast<f32>(labels[sample * classes + k]); }
  return select(0.0, 1.0, labels[sample] == k);
}

// exp for x ≤ 0; below −87 the f32 result would be indeterminate.
fn exponential(x: f32) -> f32 { return exp(max(x, -87.0)); }

fn not_finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u; }
