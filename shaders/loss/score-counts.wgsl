//! uses step
//! uses finite
//! uses class-of
// Histograms of a classifier's scores, of samples of a class and of all others: the area under the ROC curve follows from them.
//
//   counts[k, 1, b] += 1   for each row of class k whose score of class k is in bin b
//   counts[k, 0, b] += 1   for each other row whose score of class k is in bin b
//
// The score of class k is the logarithm of its odds, p/(1 − p), which has the order of its probability p and does not saturate:
//
//   LOGISTIC   z[k]; each output is a class of its own
//   otherwise  z[k] − log Σ exp(z[j]) over all j ≠ k, with p = softmax(z); of two classes, only the second is counted
//
// b = ⌊(1 + s/(8 + |s|))·bins/2⌋ for a score s: bins are 16/bins wide at s = 0, and (1 + |s|/8)² times as wide at s.
//
//   outputs   f32 (rows, columns)      read       the logits z
//   labels    u32 (rows, words)        read
//             The class of each row; or, if PROBABILITIES, f32 bits, of which the first largest is that of the class. With
//             LOGISTIC, a row is of class k if its k-th probability is ≥ ½; or if its class index is not 0. Further words are
//             not read.
//   order     u32                      read if GATHERED
//             labels are then those of a data set: row r of the batch has the labels of sample order[step.first + r].
//   counts    u32 (scores, 2, bins)    added to
//
// Rows from step.rows on do not count, nor do scores that are not finite. One invocation takes one row. Dispatch ⌈rows/64⌉
// workgroups.
// Error: a score may be counted in the next bin if it is within its own error of the border; equal rows are in the same bin.
// The score of LOGISTIC is exact, and that of two classes has one rounding; test/reference/score-counts.ts derives the others.
// Counts are integers, so the order of the atomic additions does not matter.

override LOGISTIC: bool = false;
override GATHERED: bool = false;

struct Dims { columns: u32, words: u32, bins: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(2) var<storage, read> outputs: array<f32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read> order: array<u32>;
@group(0) @binding(5) var<storage, read_write> counts: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u) {
  let row = global.x;
  if (row >= step.rows) { return; }
  let start = row * dims.columns;
  var sample = row;
  if (GATHERED) { sample = order[step.first + row]; }
  let label = sample * dims.words;
  if (LOGISTIC) {
    for (var k = 0u; k < dims.columns; k++) { count(k, outputs[start + k], is_on(label, k)); }
    return;
  }
  let actual = class_of(label, dims.columns);
  if (dims.columns == 2) {
    count(0, outputs[start + 1] - outputs[start], actual == 1);
    return;
  }
  // The largest logit, its index, and the largest of the others.
  var largest = outputs[start];
  var first = 0u;
  for (var k = 1u; k < dims.columns; k++) {
    let z = outputs[start + k];
    if (z > largest) { largest = z; first = k; }
  }
  var second = outputs[start + select(0u, 1u, first == 0)];
  for (var k = 0u; k < dims.columns; k++) {
    if (k != first) { second = max(second, outputs[start + k]); }
  }
  // Σ exp(z[j] − second) over all but the largest, and Σ exp(z[j] − largest) over all. Neither sum cancels below.
  var others = 0.0;
  var all = 0.0;
  for (var k = 0u; k < dims.columns; k++) {
    let z = outputs[start + k];
    if (k != first) { others += exponential(z - second); }
    all += exponential(z - largest);
  }
  for (var k = 0u; k < dims.columns; k++) {
    let below = outputs[start + k] - largest;
    if (k == first) {
      count(k, (largest - second) - log(others), actual == k);
    } else {
      count(k, below - log(all - exponential(below)), actual == k);
    }
  }
}

// True if output k of the row whose label begins at word `label` is a 1.
fn is_on(label: u32, k: u32) -> bool {
  if (PROBABILITIES) { return bitcast<f32>(labels[label + k]) >= 0.5; }
  return labels[label] != 0;
}

fn count(k: u32, score: f32, is_positive: bool) {
  if (not_finite(score)) { return; }
  let place = (1.0 + score / (8.0 + abs(score))) * (0.5 * f32(dims.bins));
  let bin = u32(clamp(place, 0.0, f32(dims.bins - 1)));
  atomicAdd(&counts[(2 * k + select(0u, 1u, is_positive)) * dims.bins + bin], 1);
}
