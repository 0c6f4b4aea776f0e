//! uses batch-loss
//! uses activations
//! uses step
//! uses finite
// Losses that compare each output of a row with a target of its own: the loss, its gradient, the hits and the totals of a
// training step. a is an output, y its target, u = 2⁻²³.
//
//   LOSS 0  binary cross-entropy   w·y·softplus(−a) + (1 − y)·softplus(a) = −w·y·ln σ(a) − (1 − y)·ln σ(−a); a is a logit
//   LOSS 1  squared error          (a − y)²
//   LOSS 2  absolute error         |a − y|
//   LOSS 3  Huber                  (a − y)²/2 if |a − y| ≤ DELTA, else DELTA·(|a − y| − DELTA/2)
//   LOSS 4  log cosh               ln cosh(a − y)
//
//   loss      the mean over the elements of the row
//   hits      if LOSS is 0, the number of elements for which a ≥ 0 and y ≥ ½ are both true or both false; else 0
//   gradient  ∂element/∂a / (outputs·rows)       the loss of a batch is the mean over its valid rows
//
//   outputs   f32 (rows, columns)      read
//   labels    f32 bits (rows, words)   read
//             A target for each column, or one u32 if INDICES; then, if SAMPLE_WEIGHTS, an f32 by which the loss and the
//             gradient of the row are multiplied.
//   order     u32                      read if GATHERED
//             labels are then those of a data set: row r of the batch has the labels of sample order[step.first + r].
//   weights   f32 (columns)            read if POSITIVE_WEIGHTS: w of each column, which is 1 otherwise
//   losses, gradient, totals, status    as in softmax-cross-entropy.wgsl and batch-loss.wgsl
//
// One invocation takes one row. Dispatch ⌈rows/64⌉ workgroups.
// Error: a few u of each term, and columns + 1 roundings of their sum, or 4 if LONG; test/reference/elementwise-loss.ts derives
// the bound.
// A NaN may get lost in comparisons and clamps, so outputs are tested by their bits. If an output is not finite, it becomes the
// loss of its row.

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
    store_loss(row, vec2f(), 1.0);
    return;
  }
  var label = row * dims.words;
  if (GATHERED) { label = sample_of(row) * dims.words; }
  var weight = 1.0;
  if (SAMPLE_WEIGHTS) { weight = bitcast<f32>(labels[label + dims.words - 1]); }
  let count = f32(dims.columns);
  let share = weight / (count * f32(step.rows));
  var sum = vec2f();
  var hits = 0.0;
  var non_finite = 0.0;
  for (var k = 0u; k < dims.columns; k++) {
    let a = outputs[start + k];
    let y = target_at(label + k);
    if (not_finite(a)) { non_finite = a; }
    if (LOSS == 0 && (a >= 0.0) == (y >= 0.5)) { hits += 1.0; }
    let found = element_loss(a, y, k);
    sum = long_plus(sum, found.x);
    gradient[start + k] = found.y * share;
  }
  store_loss(row, vec2f(select(value_of(sum) / count, non_finite, not_finite(non_finite)), hits), weight);
}

// (loss, derivative by a) of an element in column k.
fn element_loss(a: f32, y: f32, k: u32) -> vec2f {
  if (LOSS == 0) {
    var positive = y;
    if (POSITIVE_WEIGHTS) { positive *= weights[k]; }
    return vec2f(positive * softplus(-a) + (1.0 - y) * softplus(a), (1.0 - y) * sigmoid(a) - positive * sigmoid(-a));
  }
  let error = a - y;
  if (LOSS == 1) { return vec2f(error * error, 2.0 * error); }
  if (LOSS == 2) { return vec2f(abs(error), sign(error)); }
  if (LOSS == 4) { return vec2f(log_cosh(abs(error)), stable_tanh(error)); }
  let inside = clamp(error, -DELTA, DELTA);
  return vec2f(inside * (error - 0.5 * inside), inside);
}

// ln cosh x for x ≥ 0. Near zero the sum cancels: there, the result is ln(1 + q) with q = cosh x − 1 = e²/(2 + 2e) and
// e = eˣ − 1.
fn log_cosh(x: f32) -> f32 {
  let e = expm1(min(x, 1.0));
  return select(x + softplus(-2.0 * x) - 0.693147181, log1p_unit(0.5 * e * e / (1.0 + e)), x < 1.0);
}

// The target at a word of `labels`.
fn target_at(place: u32) -> f32 {
  if (INDICES) { return f32(labels[place]); }
  return bitcast<f32>(labels[place]);
}
