//! uses row-loss
//! uses batch-loss
//! uses step
// Softmax-cross-entropy from logits: the loss, its gradient, the hits and the totals of a training step. row-loss.wgsl has the
// formulas and their errors.
//
//   logits    f32 (rows, classes)   read
//   labels    u32 (rows, words)     read
//             A class index, or, if PROBABILITIES, an f32 for each class; then, if SAMPLE_WEIGHTS, an f32 by which the loss
//             and the gradient of the row are multiplied.
//   order     u32                   read if GATHERED
//             labels are then those of a data set: row r of the batch has the labels of sample order[step.first + r].
//   weights   f32 (classes)         read if CLASS_WEIGHTS: the weight of each class, which is 1 otherwise
//   losses    f32 (rows)            written; 0 for rows from step.rows on
//   gradient  f32 (rows, classes)   written; 0 for rows from step.rows on
//   totals    f32 (2, rows), or (3, rows) if CLASS_WEIGHTS; twice as many rows with PAIRS       added to
//             Losses, hits and divisors of each row, added up over steps. An element is always that of the same row, so that
//             the order of additions is fixed. batch-loss.wgsl has the layout with PAIRS, and the error.
//   status    u32 (1 or more)       status[0] becomes the smallest step.index whose loss is not finite
//
// With CLASS_WEIGHTS, the loss of a batch is divided by the sum of the divisors of its rows instead of their number. The
// divisor of a row is the weight of its class, or 1 if PROBABILITIES. `losses` are scaled so that their mean is the loss of
// the batch; `totals` are not scaled. If the sum of the divisors is 0, so is the loss of the batch.
// One invocation takes one row; with CLASS_WEIGHTS each also adds up the divisors of the whole batch, in the same order.
// Dispatch ⌈rows/64⌉ workgroups.
// Error: that of row-loss.wgsl, one rounding more for a weight, and 3 more for a sum of class weights, which is
// compensated.

override GATHERED: bool = false;
override SAMPLE_WEIGHTS: bool = false;
override CLASS_WEIGHTS: bool = false;

struct Dims { rows: u32, classes: u32, words: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read_write> losses: array<f32>;
@group(0) @binding(5) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(6) var<storage, read_write> totals: array<f32>;
@group(0) @binding(7) var<storage, read_write> status: array<atomic<u32>>;
@group(0) @binding(8) var<storage, read> order: array<u32>;
@group(0) @binding(9) var<storage, read> weights: array<f32>;
var<private> scale: f32 = 1.0; // factor of the gradient of the row

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u) {
  let row = global.x;
  if (row >= dims.rows) { return; }
  let label = label_of(row);
  var weight = 1.0;
  if (SAMPLE_WEIGHTS) {
    weight = bitcast<f32>(labels[label + dims.words - 1]);
    scale = weight;
  }
  if (CLASS_WEIGHTS) {
    var sum = vec2f();
    for (var r = 0u; r < step.rows; r++) { sum = plus(sum, divisor(label_of(r))); }
    scale *= select(0.0, f32(step.rows) / (sum.x + sum.y), sum.x > 0.0);
  }
  let found = row_loss(row, label, step.rows, dims.classes);
  store_loss(row, found, weight);
  if (CLASS_WEIGHTS) {
    losses[row] = scale * found.x;
    if (row < step.rows) { add_to_total(2 * dims.rows + row, divisor(label)); }
  }
}

// The word of `labels` at which the label of a row begins.
fn label_of(row: u32) -> u32 {
  if (GATHERED) { return sample_of(row) * dims.words; }
  return row * dims.words;
}

// The divisor of the row whose label begins at word `label`; only with CLASS_WEIGHTS.
fn divisor(label: u32) -> f32 {
  if (PROBABILITIES) { return 1.0; }
  return weights[labels[label]];
}

fn class_weight(k: u32) -> f32 {
  if (CLASS_WEIGHTS) { return weights[k]; }
  return 1.0;
}

fn logit(row: u32, k: u32) -> f32 { return logits[row * dims.classes + k]; }

fn put_gradient(row: u32, k: u32, value: f32) { gradient[row * dims.classes + k] = scale * value; }
