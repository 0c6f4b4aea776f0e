//! uses step
//! uses class-of
// Counts of the rows of a batch by class: a confusion matrix, or the number of rows whose class is among the k largest outputs.
//
//   TOP_K = 0   counts[actual, predicted] += 1   predicted: the first largest output; if LOGISTIC, 1 if the only output is ≥ 0
//   TOP_K = k   counts[0] += 1                   if fewer than k outputs come before that of the actual class: larger ones, and
//                                                equal ones on its left
//
//   outputs   f32 (rows, columns)                      read
//   labels    u32 (rows, words)                        read
//             The actual class of each row; or, if PROBABILITIES, f32 bits, of which the first largest is that of the actual
//             class. With LOGISTIC, the actual class is 1 if the only probability is ≥ ½, else 0. Further words are not read.
//   order     u32                                      read if GATHERED
//             labels are then those of a data set: row r of the batch has the labels of sample order[step.first + r].
//   counts    u32 (classes, classes), or (1) with TOP_K        added to; classes is columns, or 2 if LOGISTIC
//
// Rows from step.rows on do not count. One invocation takes one row. Dispatch ⌈rows/64⌉ workgroups.
// Error: none. Counts are integers, so the order of the atomic additions does not matter.

override TOP_K: u32 = 0;
override LOGISTIC: bool = false;
override GATHERED: bool = false;

struct Dims { columns: u32, words: u32 }
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
  let actual = actual_class(sample * dims.words);
  if (LOGISTIC) {
    atomicAdd(&counts[2 * actual + select(0u, 1u, outputs[start] >= 0.0)], 1u);
    return;
  }
  let output = outputs[start + actual];
  var predicted = 0u;
  var before = 0u;
  for (var k = 0u; k < dims.columns; k++) {
    let other = outputs[start + k];
    if (other > outputs[start + predicted]) { predicted = k; }
    if (other > output || (other == output && k < actual)) { before++; }
  }
  if (TOP_K == 0) {
    atomicAdd(&counts[actual * dims.columns + predicted], 1u);
  } else if (before < TOP_K) {
    atomicAdd(&counts[0], 1u);
  }
}

// The actual class of the row whose label begins at word `label`.
fn actual_class(label: u32) -> u32 {
  if (PROBABILITIES && LOGISTIC) { return select(0u, 1u, bitcast<f32>(labels[label]) >= 0.5); }
  return class_of(label, dims.columns);
}
