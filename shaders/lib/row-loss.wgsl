//! uses compensated
//! uses finite
// Softmax-cross-entropy of a row from its logits, in log-sum-exp form. Appended to files that have the line
// `//! uses row-loss`: kernels which keep their logits in storage, in registers or in workgroup memory. Each of them
// declares a binding `labels`, and functions logit(row, k), class_weight(k) and put_gradient(row, k, value). u = 2⁻²³.
//
//   loss      −Σₖ t[k]·log softmax(logits)[k]            t[k] = class_weight(k)·((1 − SMOOTHING)·y[k] + SMOOTHING/classes)
//   hit       1 if the class with the largest logit is that of the label (of equal logits the first counts), else 0
//   gradient  (softmax(logits)[k]·Σt − t[k]) / rows      the loss of a batch is the mean over its valid rows
//
// For rows from `rows` on, all three are 0. The label of a row begins at a word of `labels`. It is a class index, of which y
// is the one-hot vector; or, if PROBABILITIES, it is y itself: an f32 for each class.
// A first pass computes the maximum and Σ exp(z − maximum) together; a second pass computes the loss and the gradient. With
// LONG, for many classes, a pass before these finds the maximum, so that the sum is never rescaled, and all sums are
// compensated.
// Error, with n classes, p = softmax(logits) and d the distance of a logit from the maximum: the sum has a
// relative error of Σ p·(3 + 3d)·u + 5(n − 1)·u, since each new maximum rescales it, or 3u instead of 5(n − 1)·u if LONG; p has
// that of the sum and (5.5 + 3d)·u more. test/reference/softmax.ts derives the whole bound.
// A NaN may get lost in comparisons and clamps, so logits are tested by their bits. If a logit is not finite, it becomes the
// loss of its row.

override PROBABILITIES: bool = false;
override SMOOTHING: f32 = 0.0;

// (loss, hit) of a row. Its label begins at word `label` of `labels`; the first `rows` rows of the batch are valid.
fn row_loss(row: u32, label: u32, rows: u32, classes: u32) -> vec2f {
  let index = labels[label]; // the class index, unless PROBABILITIES
  // Values so far: the largest logit, its index, Σ exp(z − largest), the largest y, its index, Σ t, a logit that is not finite.
  var largest = logit(row, 0);
  var largest_index = 0u;
  var exponentials = vec2f(1.0, 0.0);
  if (LONG) {
    for (var k = 1u; k < classes; k++) {
      if (logit(row, k) > largest) { largest = logit(row, k); largest_index = k; }
    }
    exponentials.x = exponential(logit(row, 0) - largest);
  }
  var likeliest = label_at(label, index, 0);
  var likeliest_index = select(index, 0u, PROBABILITIES);
  var masses = vec2f(target_of(likeliest, 0, classes), 0.0);
  var non_finite = select(0.0, largest, not_finite(largest));
  for (var k = 1u; k < classes; k++) {
    let z = logit(row, k);
    if (not_finite(z)) { non_finite = z; }
    let ratio = exponential(-abs(z - largest));
    if (z > largest) {
      exponentials = vec2f(exponentials.x * ratio + 1.0, 0.0);
      largest = z;
      largest_index = k;
    } else {
      exponentials = long_plus(exponentials, ratio);
    }
    let y = label_at(label, index, k);
    masses = long_plus(masses, target_of(y, k, classes));
    if (PROBABILITIES && y > likeliest) { likeliest = y; likeliest_index = k; }
  }
  let sum = value_of(exponentials);
  let mass = value_of(masses);
  let log_sum = log(sum);
  var loss = vec2f();
  for (var k = 0u; k < classes; k++) {
    let z = logit(row, k);
    let t = target_of(label_at(label, index, k), k, classes);
    if (t != 0.0) { loss = long_plus(loss, t * (log_sum + (largest - z))); }
    let gradient = (exponential(z - largest) / sum * mass - t) / f32(rows);
    put_gradient(row, k, select(0.0, gradient, row < rows));
  }
  let hit = select(0.0, 1.0, largest_index == likeliest_index);
  let found = vec2f(select(value_of(loss), non_finite, not_finite(non_finite)), hit);
  return select(vec2f(), found, row < rows);
}

// y[k].
fn label_at(label: u32, index: u32, k: u32) -> f32 {
  if (PROBABILITIES) { return bitcast<f32>(labels[label + k]); }
  return select(0.0, 1.0, k == index);
}

// t[k], from y = y[k].
fn target_of(y: f32, k: u32, classes: u32) -> f32 {
  if (SMOOTHING == 0.0) { return class_weight(k) * y; }
  return class_weight(k) * ((1.0 - SMOOTHING) * y + SMOOTHING / f32(classes));
}
