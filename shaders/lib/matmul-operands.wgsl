//! uses step
// The operands of every matmul op(A) · op(B), and loads of op(A). Appended to files whose header says so; matmul-epilogue.wgsl
// has what becomes of the matmul (M, N).
//
//   A     f32 (M, K), or (K, M) if TRANSPOSE_A; one row fewer if ONES_ROW      read      all row-major
//   B     f32 (K, N), or (N, K) if TRANSPOSE_B                                 read
//
// ONES_ROW gives op(A) a last row of ones, so that the last row of the matmul is the column sum of op(B): with A = X and
// B = dZ it is [dW; db]. dims.M counts that row.
// A4 and B4 are A and B again, four elements at a time: with VEC4_A (VEC4_B) a row of the stored matrix is a whole number of
// fours, and the kernel reads those; else it reads single ones. The other of the two bindings is then unused.
//
// GATHERED: A is a data set, of which the matmul takes a batch as gather-rows.wgsl does, converted where it is loaded:
// stored row r is data row order[step.first + min(r, step.rows − 1)], times dims.scale, plus dims.shift. With BYTES it has
// four columns to a word, in A, and VEC4_A holds. `order` is at the binding of the epilogue's `kept`, which such a matmul does
// not have.

override TRANSPOSE_A: bool = false;
override TRANSPOSE_B: bool = false;
override ONES_ROW: bool = false;
override VEC4_A: bool = false;
override VEC4_B: bool = false;
override GATHERED: bool = false;
override BYTES: bool = false;

struct Dims {
  M: u32, N: u32, K: u32,
  bias_offset: u32, kept_offset: u32, keep_offset: u32,
  scale: f32, shift: f32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(2) var<storage, read> A: array<u32>;
@group(0) @binding(3) var<storage, read> A4: array<vec4u>;
@group(0) @binding(4) var<storage, read> B: array<f32>;
@group(0) @binding(5) var<storage, read> B4: array<vec4f>;
@group(0) @binding(7) var<storage, read> kept: array<u32>;

// Rows of op(A) that are stored.
fn stored_rows() -> u32 { return select(dims.M, dims.M - 1, ONES_ROW); }

// The row of A that is stored row `row`: with GATHERED a row of the data set.
fn row_of_A(row: u32) -> u32 {
  if (!GATHERED) { return row; }
  return kept[step.first + min(row, step.rows - 1)];
}
fn rows_of_A(rows: vec4u) -> vec4u {
  return vec4u(row_of_A(rows.x), row_of_A(rows.y), row_of_A(rows.z), row_of_A(rows.w));
}

// Elements 4·at … 4·at + 3 of A; with VEC4_A.
fn vec4_of_A(at: u32) -> vec4f {
  if (BYTES) { return converted(vec4f((vec4u(A[at]) >> vec4u(0, 8, 16, 24)) & vec4u(0xff))); }
  return converted(bitcast<vec4f>(A4[at]));
}
fn elements_of_A(at: vec4u) -> vec4f {
  return converted(bitcast<vec4f>(vec4u(A[at.x], A[at.y], A[at.z], A[at.w])));
}
fn converted(x: vec4f) -> vec4f {
  if (!GATHERED) { return x; }
  return x * dims.scale + dims.shift;
}

// Four from `first` on, none beyond the last.
fn four(first: u32, count: u32, edge: bool) -> vec4u {
  let index = first + vec4u(0, 1, 2, 3);
  return select(index, min(index, vec4u(count - 1)), edge);
}
