//! uses matmul-operands
//! uses matmul-blocks
//! uses matmul-epilogue
// A matmul of few rows: at most ROWS, which is 1, 4 or 8. It reads every element of B once. Operands: matmul-operands.wgsl;
// bias, activation and C: matmul-epilogue.wgsl.
//
// An invocation computes ROWS rows and four columns of C, over a slice of K. A workgroup computes 4·COLUMNS columns. Its SLICES
// slices take turns along K, four k at a time, and their sums are added in a tree, always in the same order. SLICES is a power
// of two, at least ROWS. Neighbouring invocations read neighbouring vec4s of B: along n, or along k if TRANSPOSE_B. With
// SLICES = 1 there is no barrier and no use of workgroup memory, which suits a CPU adapter.
// Dispatch ⌈N/(4·COLUMNS)⌉ workgroups. Workgroup memory: 16·ROWS·COLUMNS·SLICES bytes.
// Error: K products summed in f32, |error| ≤ (K+1)·u·Σ|a||b| to first order, u = 2⁻²³; with RUNS, whose runs are of a slice,
// (RUN + K/RUN + 8)·u·Σ|a||b|; then that of the epilogue.

override ROWS: u32 = 1;
override COLUMNS: u32 = 4;
override SLICES: u32 = 64;

var<workgroup> partial: array<vec4f, ROWS * COLUMNS * SLICES>;

@compute @workgroup_size(COLUMNS, SLICES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let column = select(thread % COLUMNS, thread / SLICES, TRANSPOSE_B);
  let slice = select(thread / COLUMNS, thread % SLICES, TRANSPOSE_B);
  let n = (group.x * COLUMNS + column) * 4;
  var c0 = mat4x4f(); var c1 = mat4x4f(); // column i of c0 is row i of C, column i of c1 row 4 + i
  var complete0 = mat4x4f(); var complete1 = mat4x4f(); // of the complete runs
  let start0 = start_A(0);
  let start1 = start_A(4);
  for (var k = slice * 4; k < dims.K; k += SLICES * 4) {
    let b = block_B(n, k);
    if (ROWS == 1) { c0[0] += b * row_A(start0.x, 0, k); } else { c0 += b * rows_A(start0, 0, k); }
    if (ROWS == 8) { c1 += b * rows_A(start1, 4, k); }
    if (RUNS && (k / (SLICES * 4) + 1) % (RUN / 4) == 0) {
      complete0 += c0;
      complete1 += c1;
      c0 = mat4x4f();
      c1 = mat4x4f();
    }
  }
  if (RUNS) {
    c0 += complete0;
    c1 += complete1;
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
  workgroupBarrier(); // all sums are written before any are added
  for (var half = SLICES / 2; half > 0; half /= 2) {
    if (slice < half) {
      let other = thread + half * select(COLUMNS, 1u, TRANSPOSE_B);
      for (var m = 0u; m < ROWS; m++) { partial[m * threads + thread] += partial[m * threads + other]; }
    }
    workgroupBarrier(); // the lower half is complete before the next iteration, or the store, reads it
  }
  let total = slice * threads + column * select(1u, SLICES, TRANSPOSE_B);
  if (slice < dims.M && n < dims.N) { store_four(slice, n, partial[total]); }
}

// The indices in A at which rows m … m + 3 of op(A) begin. Rows beyond the last one are replaced by the last one.
fn start_A(m: u32) -> vec4u {
  if (ROWS == 1 && m > 0) { return vec4u(); }
  let row = min(vec4u(m, m + 1, m + 2, m + 3), vec4u(stored_rows() - 1));
  if (TRANSPOSE_A) { return row; }
  if (ROWS == 1) { return vec4u(row_of_A(row.x) * dims.K); }
  return rows_of_A(row) * dims.K;
}

// Elements k … k + 3 of row m of op(A), with zeros beyond K; k itself is less than K.
fn row_A(start: u32, m: u32, k: u32) -> vec4f {
  let rows = stored_rows();
  var elements: vec4f;
  if (TRANSPOSE_A) {
    elements = elements_of_A(start + rows_of_A(four(k, dims.K, EDGE_K)) * rows);
  } else if (VEC4_A) {
    elements = vec4_of_A((start + k) >> 2);
  } else {
    elements = elements_of_A(start + four(k, dims.K, EDGE_K));
  }
  elements = select(elements, vec4f(1), ONES_ROW && m == rows);
  if (!EDGE_K) { return elements; }
  return select(vec4f(), elements, k + vec4u(0, 1, 2, 3) < vec4u(dims.K));
}

// The same of rows m … m + 3, each as a column.
fn rows_A(start: vec4u, m: u32, k: u32) -> mat4x4f {
  return mat4x4f(
    row_A(start.x, m, k),
    row_A(start.y, m + 1, k),
    row_A(start.z, m + 2, k),
    row_A(start.w, m + 3, k),
  );
}
