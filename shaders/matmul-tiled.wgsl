//! uses activations
// C = f(op(A) · op(B) + bias), or C = (op(A) · op(B)) ⊙ f′(gate): tiles through workgroup memory, for GPUs.
// Operands, ONES_ROW, BIAS, GATE and KEEP are those of matmul-direct.wgsl; the operands are read as scalars.
//
//   A     f32 (M, K), or (K, M) if TRANSPOSE_A; one row fewer if ONES_ROW      read      all row-major
//   B     f32 (K, N), or (N, K) if TRANSPOSE_B                                 read
//   bias  f32 (N), from element bias_offset on                                 read if BIAS
//   gate  f32 (M, N), from element gate_offset on                              read if GATE
//   C     f32 (M, N), and from keep_offset on the pre-activations if KEEP      written, every element
//
// A workgroup of THREADS × THREADS invocations computes a tile of 4·THREADS rows and columns; each invocation has 4 × 4
// elements of it, in four vec4f. K is walked in steps of TILE_K; both operand tiles are kept k-major, so that the inner
// loop reads one vec4 of each for sixteen multiply-adds. Neighbouring invocations load neighbours along the operand's
// contiguous direction. Beyond the edges the tiles hold zeros, so the inner loop has no test.
// Dispatch ⌈N/(4·THREADS)⌉ × ⌈M/(4·THREADS)⌉ workgroups. Workgroup memory: 32·THREADS·TILE_K bytes, 4 KiB by default.
// Error: K products summed in f32, |error| ≤ (K+1)·u·Σ|a||b| to first order, u = 2⁻²³; then the epilogue's own.

override TRANSPOSE_A: bool = false;
override TRANSPOSE_B: bool = false;
override ONES_ROW: bool = false;
override BIAS: bool = false;
override GATE: bool = false;
override KEEP: bool = false;
override THREADS: u32 = 8;
override TILE_K: u32 = 16;

struct Dims { M: u32, N: u32, K: u32, bias_offset: u32, gate_offset: u32, keep_offset: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> A: array<f32>;
@group(0) @binding(3) var<storage, read> B: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read> gate: array<f32>;
@group(0) @binding(7) var<storage, read_write> C: array<f32>;
var<workgroup> tile_A: array<vec4f, TILE_K * THREADS>;
var<workgroup> tile_B: array<vec4f, TILE_K * THREADS>;

@compute @workgroup_size(THREADS, THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let m = (group.y * THREADS + local.y) * 4;
  let n = (group.x * THREADS + local.x) * 4;
  let lane = local.y * THREADS + local.x;
  var c0 = vec4f();
  var c1 = vec4f();
  var c2 = vec4f();
  var c3 = vec4f();
  for (var k0 = 0u; k0 < dims.K; k0 += TILE_K) {
    for (var slot = lane; slot < TILE_K * THREADS; slot += THREADS * THREADS) {
      // Contiguous along k: neighbours take neighbouring k. Contiguous along m or n: neighbours take neighbouring vec4s.
      let across = vec2u(slot / THREADS, slot % THREADS);
      let along = vec2u(slot % TILE_K, slot / TILE_K);
      let at_A = select(along, across, TRANSPOSE_A);
      let at_B = select(across, along, TRANSPOSE_B);
      tile_A[at_A.x * THREADS + at_A.y] = load_A((group.y * THREADS + at_A.y) * 4, k0 + at_A.x);
      tile_B[at_B.x * THREADS + at_B.y] = load_B((group.x * THREADS + at_B.y) * 4, k0 + at_B.x);
    }
    workgroupBarrier(); // both tiles are complete before anyone reads them
    for (var k = 0u; k < TILE_K; k++) {
      let a = tile_A[k * THREADS + local.y];
      let b = tile_B[k * THREADS + local.x];
      c0 += a.x * b;
      c1 += a.y * b;
      c2 += a.z * b;
      c3 += a.w * b;
    }
    workgroupBarrier(); // everyone has read them before the next step overwrites them
  }
  store_row(m, n, c0);
  store_row(m + 1, n, c1);
  store_row(m + 2, n, c2);
  store_row(m + 3, n, c3);
}

// Element k of op(A)'s rows m … m + 3, zero beyond the edges.
fn load_A(m: u32, k: u32) -> vec4f { return vec4f(one_A(m, k), one_A(m + 1, k), one_A(m + 2, k), one_A(m + 3, k)); }
fn one_A(m: u32, k: u32) -> f32 {
  if (m >= dims.M || k >= dims.K) { return 0.0; }
  if (ONES_ROW && m == dims.M - 1) { return 1.0; }
  let rows = select(dims.M, dims.M - 1, ONES_ROW);
  return A[select(m * dims.K + k, k * rows + m, TRANSPOSE_A)];
}

// Element k of op(B)'s columns n … n + 3, zero beyond the edges.
fn load_B(n: u32, k: u32) -> vec4f { return vec4f(one_B(n, k), one_B(n + 1, k), one_B(n + 2, k), one_B(n + 3, k)); }
fn one_B(n: u32, k: u32) -> f32 {
  if (n >= dims.N || k >= dims.K) { return 0.0; }
  return B[select(k * dims.N + n, n * dims.K + k, TRANSPOSE_B)];
}

fn store_row(m: u32, n: u32, sums: vec4f) {
  if (m >= dims.M) { return; }
  for (var lane = 0u; lane < 4; lane++) {
    if (n + lane < dims.N) { store(m, n + lane, sums[lane]); }
  }
}

fn store(m: u32, n: u32, sum: f32) {
  let at = m * dims.N + n;
  var z = sum;
  if (BIAS) { z += bias[dims.bias_offset + n]; }
  if (KEEP) { C[dims.keep_offset + at] = z; }
  if (GATE) {
    C[at] = z * activate_derivative(gate[dims.gate_offset + at]);
  } else {
    C[at] = activate(z);
  }
}
