//! uses row-loss
//! uses batch-loss
//! uses activations
//! uses step
// The end of a classifier in one dispatch: its last layer, softmax-cross-entropy, and the gradient that goes back below.
//
//   logits        = Y·W + b                                  not stored
//   losses, gradient, totals, status                         of the logits, as in softmax-cross-entropy.wgsl
//   dX            = (gradient · Wᵀ) ⊙ f′(kept)
//
//   Y           f32 (rows, inputs)                                            read       all row-major
//   parameters  f32 (inputs, classes), one row more, b, if BIAS               read
//   kept        f32 (rows, inputs), from element kept_offset on: f's output, or its pre-activation
//                                      read if ACTIVATION_GRADIENT
//   labels      u32 (samples, 1) class indices, or f32 (samples, classes) if PROBABILITIES            read
//   order       u32 (samples): row r of the batch has the labels of sample order[step.first + r]      read
//   losses      f32 (rows)             written; 0 for rows past step.rows
//   totals      f32 (2, rows)          added to
//   status      u32 (1 or more)        status[0] becomes the smallest step.index whose loss is not finite
//   gradient    f32 (rows, classes)    written if BACKWARD; 0 for rows past step.rows
//   dX          f32 (rows, inputs)     written if BELOW, which needs BACKWARD
//
// An invocation has four rows, and of them every SLICES-th input: first it sums 4·GROUPS logits of each row in registers,
// CHUNKS times, until all classes are done; then it multiplies their gradients, in registers too, by the weights of one input
// after the other. A workgroup is SLICES × BLOCKS invocations.
// On a CPU adapter SLICES is 1, and CHUNKS too: an invocation keeps its logits, and waits for nobody. On a GPU there is one
// block: its slices' sums go through workgroup memory, are added in order, and the logits are the workgroup's.
// On SwiftShader, which has subgroups, the three plain dispatches are a little faster (`npm run bench -- --only dense-head`);
// this one spares a first step the compilation of two matmuls and a loss.
// Dispatch ⌈rows/(4·BLOCKS)⌉ workgroups. Workgroup memory, if there are slices: 64·GROUPS·(CHUNKS + SLICES) bytes.
// Error: that of the two matmuls, K + 2 and K + 1 roundings of sums of K products, and of row-loss.wgsl.

override BIAS: bool = false;
override BACKWARD: bool = false;
override BELOW: bool = false;
override ACTIVATION_GRADIENT: bool = false;
override GROUPS: u32 = 4; // at most 4
override CHUNKS: u32 = 1;
override SLICES: u32 = 1;
override BLOCKS: u32 = 4; // 1 if there are slices

struct Dims { rows: u32, classes: u32, inputs: u32, kept_offset: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(2) var<storage, read> Y: array<f32>;
@group(0) @binding(3) var<storage, read> parameters: array<f32>;
@group(0) @binding(4) var<storage, read> kept: array<f32>;
@group(0) @binding(5) var<storage, read> labels: array<u32>;
@group(0) @binding(6) var<storage, read> order: array<u32>;
@group(0) @binding(7) var<storage, read_write> losses: array<f32>;
@group(0) @binding(8) var<storage, read_write> totals: array<f32>;
@group(0) @binding(9) var<storage, read_write> status: array<atomic<u32>>;
@group(0) @binding(10) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(11) var<storage, read_write> dX: array<f32>;
// A group of classes and a row each: first logits, then their gradient; the invocation's own, or with slices a chunk's.
var<private> z = array<mat4x4f, 4>();
// With slices those of all chunks, and the slices' sums.
var<workgroup> logits: array<vec4f, 4 * CHUNKS * GROUPS>;
var<workgroup> slices: array<vec4f, 4 * GROUPS * SLICES>;

@compute @workgroup_size(SLICES, BLOCKS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let first = (group.x * BLOCKS + local.y) * 4;
  let at = (first + vec4u(0, 1, 2, 3)) * dims.inputs; // beyond the end it reads whatever is there, and stores nothing

  for (var chunk = 0u; chunk < CHUNKS; chunk++) {
    let start = chunk * GROUPS;
    var z0 = mat4x4f(); var z1 = mat4x4f(); var z2 = mat4x4f(); var z3 = mat4x4f();
    for (var d = local.x; d < dims.inputs + select(0u, 1u, BIAS); d += SLICES) {
      // The bias has an input of its own, which is 1.
      let y = select(vec4f(Y[at.x + d], Y[at.y + d], Y[at.z + d], Y[at.w + d]), vec4f(1), d == dims.inputs);
      z0 += outer(weights(d, start), y);
      if (GROUPS > 1) { z1 += outer(weights(d, start + 1), y); }
      if (GROUPS > 2) { z2 += outer(weights(d, start + 2), y); }
      if (GROUPS > 3) { z3 += outer(weights(d, start + 3), y); }
    }
    z = array<mat4x4f, 4>(z0, z1, z2, z3);
    if (SLICES > 1) {
      for (var i = 0u; i < 4 * GROUPS; i++) { slices[local.x * 4 * GROUPS + i] = z[i >> 2][i & 3]; }
      workgroupBarrier(); // all slices' sums are there before they are added
      for (var i = local.x; i < 4 * GROUPS; i += SLICES) {
        var sum = vec4f();
        for (var slice = 0u; slice < SLICES; slice++) { sum += slices[slice * 4 * GROUPS + i]; }
        logits[place(i, start + (i >> 2))] = sum;
      }
      workgroupBarrier(); // the logits are complete, and the next chunk may have `slices`
    }
  }

  for (var row = first + local.x; row < min(first + 4, dims.rows); row += SLICES) {
    let label = sample_of(row) * select(1u, dims.classes, PROBABILITIES);
    keep_loss(row, row_loss(row, label, step.rows, dims.classes), 1.0);
    // Classes beyond the end have no part in dX.
    for (var k = dims.classes; k < 4 * GROUPS * CHUNKS; k++) { put_logit(row, k, 0.0); }
  }
  if (!BELOW) { return; }
  workgroupBarrier(); // each row's gradient is there before its slices read it

  for (var chunk = 0u; chunk < CHUNKS; chunk++) {
    let start = chunk * GROUPS;
    if (SLICES > 1) {
      for (var i = 0u; i < 4 * GROUPS; i++) { z[i >> 2][i & 3] = logits[place(i, start + (i >> 2))]; }
    }
    for (var d = local.x; d < dims.inputs; d += SLICES) {
      var x = weights(d, start) * z[0];
      if (GROUPS > 1) { x += weights(d, start + 1) * z[1]; }
      if (GROUPS > 2) { x += weights(d, start + 2) * z[2]; }
      if (GROUPS > 3) { x += weights(d, start + 3) * z[3]; }
      for (var row = first; row < min(first + 4, dims.rows); row++) { store(row * dims.inputs + d, x[row & 3], chunk); }
    }
  }
}

// Adds a chunk's part of a sum to dX; the last one completes it.
fn store(at: u32, sum: f32, chunk: u32) {
  var x = sum;
  if (CHUNKS > 1 && chunk > 0) { x += dX[at]; }
  if (ACTIVATION_GRADIENT && chunk == CHUNKS - 1) { x *= activate_derivative(kept[dims.kept_offset + at]); }
  dX[at] = x;
}

// Four classes of a row of the parameters; those beyond the end repeat the last one, and their sums go nowhere.
fn weights(d: u32, quad: u32) -> vec4f {
  let at = d * dims.classes + min(quad * 4 + vec4u(0, 1, 2, 3), vec4u(dims.classes - 1));
  return vec4f(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]);
}

fn outer(w: vec4f, y: vec4f) -> mat4x4f { return mat4x4f(w * y.x, w * y.y, w * y.z, w * y.w); }

// The index in `logits` of a group of classes of a row of the workgroup.
fn place(row: u32, quad: u32) -> u32 { return (row & 3) * (CHUNKS * GROUPS) + quad; }

fn class_weight(k: u32) -> f32 { return 1.0; }

fn logit(row: u32, k: u32) -> f32 {
  if (SLICES > 1) { return logits[place(row, k >> 2)][k & 3]; }
  return z[k >> 2][row & 3][k & 3];
}

fn put_logit(row: u32, k: u32, value: f32) {
  if (SLICES > 1) {
    logits[place(row, k >> 2)][k & 3] = value;
  } else {
    z[k >> 2][row & 3][k & 3] = value;
  }
}

fn put_gradient(row: u32, k: u32, value: f32) {
  if (BACKWARD) {
    put_logit(row, k, value);
    gradient[row * dims.classes + k] = value;
  }
}
