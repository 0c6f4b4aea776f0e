//! uses row-loss
//! uses batch-loss
// Softmax-cross-entropy from logits: everything that a training step wants to know of them. row-loss.wgsl has the formulas
// and their errors.
//
//   logits    f32 (rows, classes)                                        read
//   labels    u32 (rows, 1) class indices, or f32 bits (rows, classes) if PROBABILITIES    read
//   order     u32: if GATHERED, labels are a data set's, and row r has those of sample order[step.first + r]    read
//   losses    f32 (rows)            written; 0 for rows past step.rows
//   gradient  f32 (rows, classes)   written; 0 for rows past step.rows
//   totals    f32 (2, rows)         losses and hits are added: sums over steps, each slot always by the same row, so the
//                                   order is fixed
//   status    u32 (1 or more)       status[0] becomes the smallest step.index whose loss is not finite
//
// One invocation takes a row. Dispatch ⌈rows/64⌉ workgroups.

override GATHERED: bool = false;

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
@group(0) @binding(8) var<storage, read> order: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u) {
  let row = global.x;
  if (row >= dims.rows) { return; }
  if (GATHERED) {
    batch_loss(row, sample_of(row));
  } else {
    batch_loss(row, row);
  }
}

fn logit(row: u32, k: u32) -> f32 { return logits[row * dims.classes + k]; }

fn put_gradient(row: u32, k: u32, value: f32) { gradient[row * dims.classes + k] = value; }
