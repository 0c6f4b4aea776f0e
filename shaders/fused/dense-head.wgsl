//! uses row-loss
//! uses batch-loss
//! uses activations
//! uses step
// The end of a classifier in one dispatch: its last dense layer, softmax-cross-entropy, and the gradient of that layer's input.
//
//   logits        = Y·W + b                                  not stored
//   losses, gradient, totals, status                         of the logits, as in softmax-cross-entropy.wgsl
//   dX            = (gradient · Wᵀ) ⊙ f′(kept)               f′ only if ACTIVATION_GRADIENT
//
//   Y           f32 (rows, inputs)                                            read       all row-major
//   parameters  f32 (inputs, classes), and, if BIAS, one row more, b          read
//   kept        f32 (rows, inputs), from element kept_offset on               read if ACTIVATION_GRADIENT
//               the output of f, or its pre-activation (`from` in src/kernels/activations.ts)
//   labels      u32 (samples, 1) class indices, or f32 (samples, classes) if PROBABILITIES            read
//   order       u32 (samples): row r of the batch has the labels of sample order[step.first + r]      read
//   losses      f32 (rows)             written; 0 for rows from step.rows on
//   totals      f32 (2, rows), or (4, rows) with PAIRS        added to; batch-loss.wgsl has the layout
//   status      u32 (1 or more)        status[0] becomes the smallest step.index whose loss is not finite
//   gradient    f32 (rows, classes)    written if BACKWARD; 0 for rows from step.rows on
//   dX          f32 (rows, inputs)     written if BELOW, which needs BACKWARD
//
// An invocation takes four rows and, of these, every SLICES-th input. It first sums 4·GROUPS logits of each row in registers,
// and repeats this CHUNKS times, until all classes are done. Then it multiplies the gradients of the logits, in registers too,
// by the weights of one input after the other. A workgroup has SLICES × BLOCKS invocations.
// On a CPU adapter SLICES and CHUNKS are 1: an invocation keeps its own logits and needs no barrier. On a GPU BLOCKS is 1: the
// sums of the slices go through workgroup memory and are added in order, and the logits are shared by the workgroup.
// On SwiftShader, which has subgroups, three dispatches are a little faster (`npm run bench -- --only dense-head`), but
// this one saves the first step the compilation of two matmuls and a loss.
// Dispatch ⌈rows/(4·BLOCKS)⌉ workgroups. Workgroup memory, if SLICES > 1: 64·GROUPS·(CHUNKS + SLICES) bytes.
// Error: that of the two matmuls, K + 2 and K + 1 roundings of sums of K products, and that of row-loss.wgsl.

override BIAS: bool = false;
override BACKWARD: bool = false;
override BELOW: bool = false;
override ACTIVATION_GRADIENT: bool = false;
override GROUPS: u32 = 4; // at most 4
override CHUNKS: u32 = 1;
override SLICES: u32 = 1;
override BLOCKS: u32 = 4; // 1 if SLICES > 1

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
// Logits, and later their gradient: column r of z[g] has the four classes of group g in row r. With SLICES > 1, those of one
// chunk.
var<private> z = array<mat4x4f, 4>();
// Used if SLICES > 1: the logits of all chunks, and the sums of each slice.
var<workgroup> logits: array<vec4f, 4 * CHUNKS * GROUPS>;
var<workgroup> slices: array<vec4f, 4 * GROUPS * SLICES>;

@compute @workgroup_size(SLICES, BLOCKS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let first = (group.x * BLOCKS + local.y) * 4;
  let at = (first + vec4u(0, 1, 2, 3)) * dims.inputs; // rows beyond the end read other elements and store nothing

  for (var chunk = 0u; chunk < CHUNKS; chunk++) {
    let start = chunk * GROUPS;
    var z0 = mat4x4f(); var z1 = mat4x4f(); var z2 = mat4x4f(); var z3 = mat4x4f();
    for (var d = local.x; d < dims.inputs + select(0u, 1u, BIAS); d += SLICES) {
      // The bias is the weight of one more input, which is 1.
      let y = select(vec4f(Y[at.x + d], Y[at.y + d], Y[at.z + d], Y[at.w + d]), vec4f(1), d == dims.inputs);
      z0 += outer(weights(d, start), y);
      if (GROUPS > 1) { z1 += outer(weights(d, start + 1), y); }
      if (GROUPS > 2) { z2 += outer(weights(d, start + 2), y); }
      if (GROUPS > 3) { z3 += outer(weights(d, start + 3), y); }
    }
    z = array<mat4x4f, 4>(z0, z1, z2, z3);
    if (SLICES > 1) {
      for (var i = 0u; i < 4 * GROUPS; i++) { slices[local.x * 4 * GROUPS + i] = z[i >> 2][i & 3]; }
      workgroupBarrier(); // the sums of all slices are written before they are added
      for (var i = local.x; i < 4 * GROUPS; i += SLICES) {
        var sum = vec4f();
        for (var slice = 0u; slice < SLICES; slice++) { sum += slices[slice * 4 * GROUPS + i]; }
        logits[place(i, start + (i >> 2))] = sum;
      }
      workgroupBarrier(); // the logits are complete, and all have read `slices` before the next chunk overwrites it
    }
  }

  for (var row = first + local.x; row < min(first + 4, dims.rows); row += SLICES) {
    let label = sample_of(row) * select(1u, dims.classes, PROBABILITIES);
    store_loss(row, row_loss(row, label, step.rows, dims.classes), 1.0);
    // Classes beyond the end add nothing to dX.
    for (var k = dims.classes; k < 4 * GROUPS * CHUNKS; k++) { put_logit(row, k, 0.0); }
  }
  if (!BELOW) { return; }
  workgroupBarrier(); // the gradient of each row is complete before its slices read it

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

// Adds the sum of a chunk to an element of dX; after the last chunk, multiplies the element by f′.
fn store(at: u32, sum: f32, chunk: u32) {
  var x = sum;
  if (CHUNKS > 1 && chunk > 0) { x += dX[at]; }
  if (ACTIVATION_GRADIENT && chunk == CHUNKS - 1) { x *= activate_derivative(kept[dims.kept_offset + at]); }
  dX[at] = x;
}

// The weights of input d for four classes. Classes beyond the end repeat the last one; their sums are not used.
fn weights(d: u32, quad: u32) -> vec4f {
  let at = d * dims.classes + min(quad * 4 + vec4u(0, 1, 2, 3), vec4u(dims.classes - 1));
  return vec4f(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]);
}

// Column r has the products of the weights with input y[r] of row r.
fn outer(w: vec4f, y: vec4f) -> mat4x4f { return mat4x4f(w * y.x, w * y.y, w * y.z, w * y.w); }

// The index in `logits` of four classes (`quad`) of a row.
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
