//! uses batch-loss
//! uses activations
//! uses step
//! uses finite
// Losses that compare a row's outputs with as many targets, each on its own: everything that a training step wants to know of
// them. a is an output, y its target, u = 2⁻²³.
//
//   LOSS 0  binary cross-entropy   w·y·softplus(−a) + (1 − y)·softplus(a) = −w·y·ln σ(a) − (1 − y)·ln σ(−a); a is a logit
//   LOSS 1  squared error          (a − y)²
//   LOSS 2  absolute error         |a − y|
//   LOSS 3  Huber                  (a − y)²/2 within DELTA, else DELTA·(|a − y| − DELTA/2)
//
//   loss      the mean of the row's elements
//   hits      if LOSS is 0: outputs on their target's side, a ≥ 0 where y ≥ ½; else 0
//   gradient  ∂element/∂a / (outputs·rows)       the loss of a batch is the mean over its valid rows
//
//   outputs   f32 (rows, columns)   read
//   labels    f32 bits (rows, words): a target for each column, or one u32 if INDICES; then, if SAMPLE_WEIGHTS, the f32 that
//             the row's loss and gradient are multiplied by    read
//   order     u32: if GATHERED, labels are a data set's, and row r has those of sample order[step.first + r]    read
//   weights   f32 (columns): if POSITIVE_WEIGHTS, w of each column, else 1    read
//   losses, gradient, totals, status    as in softmax-cross-entropy.wgsl
//
// One invocation takes a row. Dispatch ⌈rows/64⌉ workgroups.
// Error: a few u of each term, and columns + 1 roundings of their sum; test/reference/elementwise-loss.ts has it all.
// A NaN may vanish in comparisons and clamps, so outputs are tested by their bits; the loss of such a row is that output.

override LOSS: u32 = 0;
override DELTA: f32 = 1.0;
override INDICES: bool = false;
override GATHERED: bool = false;
override SAMPLE_WEIGHTS: bool = false;
override POSITIVE_WEIGHTS: bool = false;

struct Dims { rows: u32, columns: u32, words: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(2) var<storage, read> outputs: array<f32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read_write> losses: array<f32>;
@group(0) @binding(5) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(6) var<storage, read_write> totals: array<f32>;
@group(0) @binding(7) var<storage, read_write> status: array<atomic<u32>>;
@group(0) @binding(8) var<storage, read> order: array<u32>;
@group(0) @binding(9) var<storage, read> weights: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u) {
  let row = global.x;
  if (row >= dims.rows) { return; }
  let start = row * dims.columns;
  if (row >= step.rows) {
    for (var k = 0u; k < dims.columns; k++) { gradient[start + k] = 0.0; }
    keep_loss(row, vec2f(), 1.0);
    return;
  }
  var label = row * dims.words;
  if (GATHERED) { label = sample_of(row) * dims.words; }
  var weight = 1.0;
  if (SAMPLE_WEIGHTS) { weight = bitcast<f32>(labels[label + dims.words - 1]); }
  let count = f32(dims.columns);
  let share = weight / (count * f32(step.rows));
  var sum = 0.0;
  var hits = 0.0;
  var bad = 0.0;
  for (var k = 0u; k < dims.columns; k++) {
    let a = outputs[start + k];
    let y = target_at(label + k);
    if (not_finite(a)) { bad = a; }
    if (LOSS == 0 && (a >= 0.0) == (y >= 0.5)) { hits += 1.0; }
    let found = element_loss(a, y, k);
    sum += found.x;
    gradient[start + k] = found.y * share;
  }
  keep_loss(row, vec2f(select(sum / count, bad, not_finite(bad)), hits), weight);
}

// The loss of an element, and its derivative.
fn element_loss(a: f32, y: f32, k: u32) -> vec2f {
  if (LOSS == 0) {
    var positive = y;
    if (POSITIVE_WEIGHTS) { positive *= weights[k]; }
    return vec2f(positive * softplus(-a) + (1.0 - y) * softplus(a), (1.0 - y) * sigmoid(a) - positive * sigmoid(-a));
  }
  let error = a - y;
  if (LOSS == 1) { return vec2f(error * error, 2.0 * error); }
  if (LOSS == 2) { return vec2f(abs(error), sign(error)); }
  let inside = clamp(error, -DELTA, DELTA);
  return vec2f(inside * (error - 0.5 * inside), inside);
}

fn target_at(place: u32) -> f32 {
  if (INDICES) { return f32(labels[place]); }
  return bitcast<f32>(labels[place]);
}
