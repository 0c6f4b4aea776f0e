// Softmax-cross-entropy from logits, in log-sum-exp form: everything that a training step wants to know of them.
//
//   losses[r]      = −Σₖ y[r, k]·log softmax(logits[r])[k]
//   gradient[r, k] = (softmax(logits[r])[k]·Σy − y[r, k]) / step.rows       the loss is the mean over the valid rows
//   totals[0, r]  += losses[r]        totals[1, r] += 1 if the largest logit is that of the label (first of equals)
//
//   logits    f32 (rows, classes)                                        read
//   labels    u32 (rows, 1) class indices, or f32 bits (rows, classes) if PROBABILITIES    read
//   losses    f32 (rows)            written; 0 for rows past step.rows
//   gradient  f32 (rows, classes)   written; 0 for rows past step.rows
//   totals    f32 (2, rows)         added to: sums over steps, each slot always by the same row, so the order is fixed
//   status    u32 (1 or more)       status[0] becomes the smallest step.index whose loss is not finite
//
// One invocation takes a row: a first pass finds maximum and Σ exp(z − maximum) together, a second writes the gradient.
// Dispatch ⌈rows/64⌉ workgroups.
// Error, with u = 2⁻²³, n classes and d the distance of a logit from the maximum: the sum is off by Σ p·(3 + 3d)·u + 5(n − 1)·u
// of itself (each rise of the maximum rescales it), p by that and (5.5 + 3d)·u of itself; src/reference/softmax.ts has it all.
// A NaN may vanish in comparisons and clamps, so logits are tested by their bits; the loss of such a row is that logit.

override PROBABILITIES: bool = false;

struct Dims { rows: u32, classes: u32 }
struct Step { first: u32, rows: u32, index: u32, learning_rate: f32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read_write> losses: array<f32>;
@group(0) @binding(5) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(6) var<storage, read_write> totals: array<f32>;
@group(0) @binding(7) var<storage, read_write> status: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u) {
  let row = global.x;
  if (row >= dims.rows) { return; }
  let start = row * dims.classes;
  if (row >= step.rows) {
    losses[row] = 0.0;
    for (var k = 0u; k < dims.classes; k++) { gradient[start + k] = 0.0; }
    return;
  }
  // The running maximum and sum, the largest label's index, and Σ y and Σ y·z of the labels.
  var largest = logits[start];
  var largest_index = 0u;
  var sum = 1.0;
  var likeliest = target_at(row, 0);
  var likeliest_index = select(labels[row], 0u, PROBABILITIES);
  var mass = likeliest;
  var bad = select(0.0, largest, not_finite(largest));
  for (var k = 1u; k < dims.classes; k++) {
    let z = logits[start + k];
    if (not_finite(z)) { bad = z; }
    if (z > largest) {
      sum = sum * exponential(largest - z) + 1.0;
      largest = z;
      largest_index = k;
    } else {
      sum += exponential(z - largest);
    }
    let y = target_at(row, k);
    mass += y;
    if (PROBABILITIES && y > likeliest) { likeliest = y; likeliest_index = k; }
  }
  let log_sum = log(sum);
  var loss = 0.0;
  for (var k = 0u; k < dims.classes; k++) {
    let z = logits[start + k];
    let y = target_at(row, k);
    if (y != 0.0) { loss += y * (log_sum + (largest - z)); }
    gradient[start + k] = (exponential(z - largest) / sum * mass - y) / f32(step.rows);
  }
  loss = select(loss, bad, not_finite(bad));
  losses[row] = loss;
  totals[row] += loss;
  totals[dims.rows + row] += select(0.0, 1.0, largest_index == likeliest_index);
  if (not_finite(loss)) { atomicMin(&status[0], step.index); }
}

fn target_at(row: u32, k: u32) -> f32 {
  if (PROBABILITIES) { return bitcast<f32>(labels[row * dims.classes + k]); }
  return select(0.0, 1.0, labels[row] == k);
}

// exp for x ≤ 0; below −87 the f32 result would be indeterminate.
fn exponential(x: f32) -> f32 { return exp(max(x, -87.0)); }

fn not_finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u; }
