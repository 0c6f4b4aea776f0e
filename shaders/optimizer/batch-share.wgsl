//! uses step
// The share of a batch in the weighted mean over the batches of a step so far: share ← weight / total, where
// total ← total + weight, or total ← weight for the first batch of a step. If the total is 0, the share is 1.
//
//   weight   step.rows; or, if CLASS_WEIGHTS, the sum of the weights of the classes of rows r < step.rows, as
//            softmax-cross-entropy.wgsl divides by
//
//   labels   u32 (rows, words)   read if CLASS_WEIGHTS: a class index, then words that do not matter here
//   weights  f32 (classes)       read if CLASS_WEIGHTS
//   share    f32 (2)             the share, written; then the total, read and written
//
// The first batch of a step is one whose step.index is a multiple of dims.batches.
// Dispatch one workgroup: its invocations add up every 64th row, and the first adds their sums.
// Error: ⌈rows/64⌉ + 64 roundings of u = 2⁻²³ for a sum of class weights, one for each batch in the total, 3 in the quotient.

override CLASS_WEIGHTS: bool = false;

struct Dims { words: u32, batches: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> share: array<f32>;
var<workgroup> parts: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32) {
  var weight = f32(step.rows);
  if (CLASS_WEIGHTS) {
    var part = 0.0;
    for (var row = thread; row < step.rows; row += 64) { part += weights[labels[row * dims.words]]; }
    parts[thread] = part;
    workgroupBarrier(); // all parts are written before they are added
    weight = parts[0];
    for (var other = 1u; other < 64; other++) { weight += parts[other]; }
  }
  if (thread > 0) { return; }
  var total = weight;
  if (step.index % dims.batches != 0) { total += share[1]; }
  share[0] = select(1.0, weight / total, total > 0.0);
  share[1] = total;
}
