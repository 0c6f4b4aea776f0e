//! uses compensated
//! uses finite
// The predictions of a classifier from its logits z: the probabilities of each row, or the index of its largest logit.
//
//   output[r, k] = exp(z[r, k] − max z[r]) / Σⱼ exp(z[r, j] − max z[r])
//   output[r, k] = 1 / (1 + exp(−z[r, k])), if LOGISTIC
//   output[r]    = the first k with the largest z[r, k], as f32, if CLASSES;
//                  1 if z[r, 0] ≥ 0, else 0, if CLASSES and LOGISTIC and there is only one logit
//
//   logits  f32 (rows, classes)                             read
//   output  f32 (rows, classes), or (rows, 1) if CLASSES    written, every element
//
// One invocation takes one row. Dispatch ⌈rows/64⌉ workgroups.
// Error: a probability p is within p·(6 + 4·range + classes + 3)·u, where range = maximum − minimum of the logits and u = 2⁻²³,
// with 3 instead of classes if LONG; if LOGISTIC, within p·(6.5 + 3|z|)·u. An index is exact.

override CLASSES: bool = false;
override LOGISTIC: bool = false;

struct Dims { rows: u32, classes: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u) {
  let row = global.x;
  if (row >= dims.rows) { return; }
  let start = row * dims.classes;
  var largest = logits[start];
  var largest_index = 0u;
  for (var k = 1u; k < dims.classes; k++) {
    let z = logits[start + k];
    if (z > largest) { largest = z; largest_index = k; }
  }
  if (CLASSES) {
    if (LOGISTIC && dims.classes == 1) { largest_index = select(0u, 1u, largest >= 0.0); }
    output[row] = f32(largest_index);
    return;
  }
  if (LOGISTIC) {
    for (var k = 0u; k < dims.classes; k++) {
      let z = logits[start + k];
      let t = exponential(-abs(z));
      output[start + k] = select(t, 1.0, z >= 0.0) / (1.0 + t);
    }
    return;
  }
  var sum = vec2f();
  for (var k = 0u; k < dims.classes; k++) { sum = long_plus(sum, exponential(logits[start + k] - largest)); }
  let whole = value_of(sum);
  for (var k = 0u; k < dims.classes; k++) { output[start + k] = exponential(logits[start + k] - largest) / whole; }
}

fn unknown_zero() -> u32 { return dims.rows >> 31; }
