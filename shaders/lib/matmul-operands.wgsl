//! uses step
// The operands of every matmul op(A) · op(B), and loads of op(A). Appended to files that have the line
// `//! uses matmul-operands`. Most of these files also use matmul-epilogue.wgsl, which stores the result, (M, N).
//
//   A     f32 (M, K), or (K, M) if TRANSPOSE_A; M − 1 instead of M if ONES_ROW      read      all row-major
//   B     f32 (K, N), or (N, K) if TRANSPOSE_B                                      read
//
// ONES_ROW gives op(A) a last row of ones, which A does not store, so that the last row of the matmul is the column sum of
// op(B): with A = X, transposed, and B = dZ the matmul is [dW; db]. dims.M counts this row.
// A4 and B4 are the same buffers as A and B, as vec4s. With VEC4_A, each row of the stored matrix A is a whole number of vec4s,
// and the kernel reads A4; else it reads A. The other of the two bindings is then unused. VEC4_B says the same of B.
//
// GATHERED: A is a data set. The matmul gathers a batch of it as gather-rows.wgsl does, and converts each element as it is
// loaded: stored row r is row order[step.first + min(r, step.rows − 1)] of the data set, times dims.scale, plus dims.shift.
// With BYTES the data set is u8: the kernel reads A, with four columns to a word, and VEC4_A is true. `order` has the binding
// of the epilogue's `kept`, which a gathered matmul does not need.

// RUNS, for a long K: sums are added up in runs of RUN products, and the sums of the runs are added apart.

override RUNS: bool = false;
override TRANSPOSE_A: bool = false;
override TRANSPOSE_B: bool = false;
override ONES_ROW: bool = false;
override VEC4_A: bool = false;
override VEC4_B: bool = false;
override GATHERED: bool = false;
override BYTES: bool = false;

const RUN: u32 = 256;

struct Dims {
  M: u32, N: u32, K: u32,
  bias_offset: u32, kept_offset: u32, pre_activation_offset: u32,
  scale: f32, shift: f32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(2) var<storage, read> A: array<u32>;
@group(0) @binding(3) var<storage, read> A4: array<vec4u>;
@group(0) @binding(4) var<storage, read> B: array<f32>;
@group(0) @binding(5) var<storage, read> B4: array<vec4f>;
@group(0) @binding(7) var<storage, read> kept: array<u32>;

// Number of rows of op(A) that A stores: all but the row of ones.
fn stored_rows() -> u32 { return select(dims.M, dims.M - 1, ONES_ROW); }

// The row of the buffer A that holds row `row` of the stored matrix. With GATHERED, it is a row of the data set.
fn row_of_A(row: u32) -> u32 {
  if (!GATHERED) { return row; }
  return kept[step.first + min(row, step.rows - 1)];
}
fn rows_of_A(rows: vec4u) -> vec4u {
  return vec4u(row_of_A(rows.x), row_of_A(rows.y), row_of_A(rows.z), row_of_A(rows.w));
}

// Elements 4·at … 4·at + 3 of A; only with VEC4_A.
fn vec4_of_A(at: u32) -> vec4f {
  if (BYTES) { return converted(vec4f((vec4u(A[at]) >> vec4u(0, 8, 16, 24)) & vec4u(0xff))); }
  return converted(bitcast<vec4f>(A4[at]));
}

// Four elements of A, at the indices `at`.
fn elements_of_A(at: vec4u) -> vec4f {
  return converted(bitcast<vec4f>(vec4u(A[at.x], A[at.y], A[at.z], A[at.w])));
}

// Elements of A as operands: scaled and shifted if GATHERED.
fn converted(x: vec4f) -> vec4f {
  if (!GATHERED) { return x; }
  return x * dims.scale + dims.shift;
}

// The indices first … first + 3; if `edge`, each is at most count − 1.
fn four(first: u32, count: u32, edge: bool) -> vec4u {
  let index = first + vec4u(0, 1, 2, 3);
  return select(index, min(index, vec4u(count - 1)), edge);
}
