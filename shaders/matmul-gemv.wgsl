//! uses activations
// C = f(op(A) · op(B) + bias), or C = (op(A) · op(B)) ⊙ f′(gate), for at most eight rows: every element of B is read once.
// Operands, ONES_ROW, BIAS, GATE and KEEP are those of matmul-tiled.wgsl, and so are VEC4_A, VEC4_B and VEC4_C.
//
//   A     f32 (M, K), or (K, M) if TRANSPOSE_A; one row fewer if ONES_ROW      read      all row-major; M ≤ ROWS
//   B     f32 (K, N), or (N, K) if TRANSPOSE_B                                 read
//   bias  f32 (N), from element bias_offset on                                 read if BIAS
//   gate  f32 (M, N), from element gate_offset on                              read if GATE
//   C     f32 (M, N), and from keep_offset on the pre-activations if KEEP      written, every element
//
// An invocation has ROWS rows (1, 4 or 8) and four columns of C. A workgroup computes 4·COLUMNS columns; its SLICES slices
// take turns with four k each, and their sums are added in a tree, always the same: SLICES is a power of two, at least ROWS.
// Neighbours read neighbouring vec4s of B: along n, or along k if TRANSPOSE_B. With SLICES = 1 there is no barrier, and
// no use of workgroup memory, as a CPU adapter wants it.
// Dispatch ⌈N/(4·COLUMNS)⌉ workgroups. Workgroup memory: 16·ROWS·COLUMNS·SLICES bytes.
// Error: K products summed in f32, |error| ≤ (K+1)·u·Σ|a||b| to first order, u = 2⁻²³; then the epilogue's own.

override TRANSPOSE_A: bool = false;
override TRANSPOSE_B: bool = false;
override ONES_ROW: bool = false;
override VEC4_A: bool = false;
override VEC4_B: bool = false;
override VEC4_C: bool = false;
override EDGE_K: bool = true;
override BIAS: bool = false;
override GATE: bool = false;
override KEEP: bool = false;
override ROWS: u32 = 1;
override COLUMNS: u32 = 4;
override SLICES: u32 = 64;

struct Dims { M: u32, N: u32, K: u32, bias_offset: u32, gate_offset: u32, keep_offset: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> A: array<f32>;
@group(0) @binding(2) var<storage, read> A4: array<vec4f>;
@group(0) @binding(3) var<storage, read> B: array<f32>;
@group(0) @binding(4) var<storage, read> B4: array<vec4f>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read> gate: array<f32>;
@group(0) @binding(7) var<storage, read_write> C: array<f32>;
@group(0) @binding(8) var<storage, read_write> C4: array<vec4f>;
var<workgroup> partial: array<vec4f, ROWS * COLUMNS * SLICES>;

@compute @workgroup_size(COLUMNS, SLICES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let column = select(thread % COLUMNS, thread / SLICES, TRANSPOSE_B);
  let slice = select(thread / COLUMNS, thread % SLICES, TRANSPOSE_B);
  let n = (group.x * COLUMNS + column) * 4;
  var c0 = mat4x4f(); var c1 = mat4x4f(); // column i is row i of C, and row 4 + i
  for (var k = slice * 4; k < dims.K; k += SLICES * 4) {
    let b = block_B(n, k);
    if (ROWS == 1) { c0[0] += b * row_A(0, k); } else { c0 += b * rows_A(0, k); }
    if (ROWS == 8) { c1 += b * rows_A(4, k); }
  }

  let threads = COLUMNS * SLICES;
  var c = array<vec4f, 8>(c0[0], c0[1], c0[2], c0[3], c1[0], c1[1], c1[2], c1[3]);
  if (SLICES == 1) {
    for (var m = 0u; m < ROWS; m++) {
      if (m < dims.M && n < dims.N) { store_four(m, n, c[m]); }
    }
    return;
  }
  for (var m = 0u; m < ROWS; m++) { partial[m * threads + thread] = c[m]; }
  workgroupBarrier(); // all sums are there before any are added
  for (var half = SLICES / 2; half > 0; half /= 2) {
    if (slice < half) {
      let other = thread + half * select(COLUMNS, 1u, TRANSPOSE_B);
      for (var m = 0u; m < ROWS; m++) { partial[m * threads + thread] += partial[m * threads + other]; }
    }
    workgroupBarrier(); // the lower half is complete before its own lower half reads it, or a row's slice the totals
  }
  let total = slice * threads + column * select(1u, SLICES, TRANSPOSE_B);
  if (slice < dims.M && n < dims.N) { store_four(slice, n, partial[total]); }
}

// Elements k … k + 3 of op(A)'s row m, the last row if there are fewer; k is inside.
fn row_A(m: u32, k: u32) -> vec4f {
  let rows = select(dims.M, dims.M - 1, ONES_ROW);
  let row = min(m, rows - 1);
  var elements: vec4f;
  if (VEC4_A && !TRANSPOSE_A) {
    elements = A4[(row * dims.K + k) / 4];
  } else {
    let at = row * select(dims.K, 1u, TRANSPOSE_A) + four(k, dims.K, EDGE_K) * select(1u, rows, TRANSPOSE_A);
    elements = vec4f(A[at.x], A[at.y], A[at.z], A[at.w]);
  }
  elements = select(elements, vec4f(1), ONES_ROW && m == rows);
  if (!EDGE_K) { return elements; }
  return select(vec4f(), elements, k + vec4u(0, 1, 2, 3) < vec4u(dims.K));
}
fn rows_A(m: u32, k: u32) -> mat4x4f {
  return mat4x4f(row_A(m, k), row_A(m + 1, k), row_A(m + 2, k), row_A(m + 3, k));
}

// Four from `first` on, none beyond the last.
fn four(first: u32, count: u32, edge: bool) -> vec4u {
  let index = first + vec4u(0, 1, 2, 3);
  return select(index, min(index, vec4u(count - 1)), edge);
}

// op(B)'s columns n … n + 3 at k … k + 3: a column for each k.
fn block_B(n: u32, k: u32) -> mat4x4f {
  let outer = select(four(k, dims.K, EDGE_K), four(n, dims.N, true), TRANSPOSE_B);
  let inner = select(four(n, dims.N, true), four(k, dims.K, EDGE_K), TRANSPOSE_B);
  let at = outer * select(dims.N, dims.K, TRANSPOSE_B);
  let loaded = mat4x4f(four_B(at.x + inner), four_B(at.y + inner), four_B(at.z + inner), four_B(at.w + inner));
  var elements = loaded;
  if (TRANSPOSE_B) { elements = transpose(loaded); }
  return zero_beyond(elements, k);
}
fn four_B(at: vec4u) -> vec4f {
  if (VEC4_B) { return B4[at.x / 4]; }
  return vec4f(B[at.x], B[at.y], B[at.z], B[at.w]);
}

fn zero_beyond(elements: mat4x4f, k: u32) -> mat4x4f {
  if (!EDGE_K) { return elements; }
  return mat4x4f(
    select(vec4f(), elements[0], k < dims.K),
    select(vec4f(), elements[1], k + 1 < dims.K),
    select(vec4f(), elements[2], k + 2 < dims.K),
    select(vec4f(), elements[3], k + 3 < dims.K),
  );
}

// Stores C[m, n … n + 3], as far as they lie inside; n does.
fn store_four(m: u32, n: u32, sums: vec4f) {
  let columns = four(n, dims.N, !VEC4_C);
  let at = m * dims.N + columns;
  var z = sums;
  if (BIAS) {
    let first = dims.bias_offset + columns;
    z += vec4f(bias[first.x], bias[first.y], bias[first.z], bias[first.w]);
  }
  var y: vec4f;
  if (GATE) {
    let first = dims.gate_offset + at;
    y = z * vec4f(
      activate_derivative(gate[first.x]),
      activate_derivative(gate[first.y]),
      activate_derivative(gate[first.z]),
      activate_derivative(gate[first.w]),
    );
  } else {
    y = vec4f(activate(z.x), activate(z.y), activate(z.z), activate(z.w));
  }
  if (VEC4_C) {
    C4[at.x / 4] = y;
    if (KEEP) { C4[(dims.keep_offset + at.x) / 4] = z; }
  } else {
    let count = min(4, dims.N - n);
    for (var lane = 0u; lane < count; lane++) {
      C[at.x + lane] = y[lane];
      if (KEEP) { C[dims.keep_offset + at.x + lane] = z[lane]; }
    }
  }
}
