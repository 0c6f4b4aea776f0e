//! uses finite
// Softmax-cross-entropy of a row from its logits, in log-sum-exp form. Appended to files whose header says so, which are
// three kernels that share these loops: each has a binding `labels`, and functions logit(row, k), class_weight(k) and
// put_gradient(row, k, value), as one keeps its logits in storage, the others in registers or workgroup memory. u = 2⁻²³.
//
//   loss      −Σₖ t[k]·log softmax(logits)[k]            t[k] = class_weight(k)·((1 − SMOOTHING)·y[k] + SMOOTHING/classes)
//   hit       1 if the largest logit is that of the label (first of equals), else 0
//   gradient  (softmax(logits)[k]·Σt − t[k]) / rows      the loss of a batch is the mean over its valid rows
//
// Rows from `rows` on give 0 for all of them. A row's label begins at a word of `labels`: y is a one at the index that it is,
// or, if PROBABILITIES, the f32 of as many words as there are classes.
// A first pass finds maximum and Σ exp(z − maximum) together, a second gives the gradient.
// Error, with n classes and d the distance of a logit from the maximum: the sum is off by Σ p·(3 + 3d)·u + 5(n − 1)·u of
// itself (each rise of the maximum rescales it), p by that and (5.5 + 3d)·u of itself; test/reference/softmax.ts has it all.
// A NaN may vanish in comparisons and clamps, so logits are tested by their bits; the loss of such a row is that logit.

override PROBABILITIES: bool = false;
override SMOOTHING: f32 = 0.0;

// Loss and hit of a row, whose label begins at a word.
fn row_loss(row: u32, label: u32, rows: u32, classes: u32) -> vec2f {
  let index = labels[label]; // of the class, unless PROBABILITIES
  // The running maximum and sum, the largest y's index, and Σ t.
  var largest = logit(row, 0);
  var largest_index = 0u;
  var sum = 1.0;
  var likeliest = label_at(label, index, 0);
  var likeliest_index = select(index, 0u, PROBABILITIES);
  var mass = target_of(likeliest, 0, classes);
  var bad = select(0.0, largest, not_finite(largest));
  for (var k = 1u; k < classes; k++) {
    let z = logit(row, k);
    if (not_finite(z)) { bad = z; }
    let ratio = exponential(-abs(z - largest));
    if (z > largest) {
      sum = sum * ratio + 1.0;
      largest = z;
      largest_index = k;
    } else {
      sum += ratio;
    }
    let y = label_at(label, index, k);
    mass += target_of(y, k, classes);
    if (PROBABILITIES && y > likeliest) { likeliest = y; likeliest_index = k; }
  }
  let log_sum = log(sum);
  var loss = 0.0;
  for (var k = 0u; k < classes; k++) {
    let z = logit(row, k);
    let t = target_of(label_at(label, index, k), k, classes);
    if (t != 0.0) { loss += t * (log_sum + (largest - z)); }
    let gradient = (exponential(z - largest) / sum * mass - t) / f32(rows);
    put_gradient(row, k, select(0.0, gradient, row < rows));
  }
  let found = vec2f(select(loss, bad, not_finite(bad)), select(0.0, 1.0, largest_index == likeliest_index));
  return select(vec2f(), found, row < rows);
}

fn label_at(label: u32, index: u32, k: u32) -> f32 {
  if (PROBABILITIES) { return bitcast<f32>(labels[label + k]); }
  return select(0.0, 1.0, k == index);
}

fn target_of(y: f32, k: u32, classes: u32) -> f32 {
  if (SMOOTHING == 0.0) { return class_weight(k) * y; }
  return class_weight(k) * ((1.0 - SMOOTHING) * y + SMOOTHING / f32(classes));
}
