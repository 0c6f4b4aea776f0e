//! uses row-loss
//! uses batch-loss
//! uses step
// Softmax-cross-entropy from logits: everything that a training step wants to know of them. row-loss.wgsl has the formulas
// and their errors.
//
//   logits    f32 (rows, classes)                                        read
//   labels    u32 (rows, words): a class index, or f32 of all classes if PROBABILITIES; then, if SAMPLE_WEIGHTS, the f32 that
//             the row's loss is multiplied by                            read
//   order     u32: if GATHERED, labels are a data set's, and row r has those of sample order[step.first + r]    read
//   weights   f32 (classes): if CLASS_WEIGHTS, what each class counts    read
//   losses    f32 (rows)            written; 0 for rows past step.rows
//   gradient  f32 (rows, classes)   written; 0 for rows past step.rows
//   totals    f32 (2, rows), or (3, rows) if CLASS_WEIGHTS    losses, hits and divisors are added: sums over steps, each slot
//                                   always by the same row, so the order is fixed
//   status    u32 (1 or more)       status[0] becomes the smallest step.index whose loss is not finite
//
// With CLASS_WEIGHTS the loss of a batch of indices is divided by the sum of its rows' class weights instead of their number:
// row r's divisor is weights[label], and 1 for probabilities. `losses` are scaled so that their mean is the batch's loss;
// `totals` are not. A batch that weighs nothing has a loss of 0.
// One invocation takes a row; with CLASS_WEIGHTS each adds up the whole batch's weights, in the same order.
// Dispatch ⌈rows/64⌉ workgroups.
// Error: a weight is one rounding more; a sum of n class weights n more.

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
var<private> scale: f32 = 1.0; // of the row's gradient

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
    var sum = 0.0;
    for (var r = 0u; r < step.rows; r++) { sum += divisor(label_of(r)); }
    scale *= select(0.0, f32(step.rows) / sum, sum > 0.0);
  }
  let found = row_loss(row, label, step.rows, dims.classes);
  keep_loss(row, found, weight);
  if (CLASS_WEIGHTS) {
    losses[row] = scale * found.x;
    if (row < step.rows) { totals[2 * dims.rows + row] += divisor(label); }
  }
}

// The word at which a row's label begins.
fn label_of(row: u32) -> u32 {
  if (GATHERED) { return sample_of(row) * dims.words; }
  return row * dims.words;
}

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
