//! uses matmul-operands
//! uses matmul-storage
//! uses matmul-epilogue
// A product from register tiles that are filled straight from storage, for CPU adapters without subgroups. Operands:
// matmul-operands.wgsl; options: matmul-epilogue.wgsl.
//
// One invocation computes 16 × 16 elements of C in sixteen mat4x4f: a CPU adapter pays for loads and barriers, not for
// registers. c12 is the block of rows 4–7 and columns 8–11; a column of it is a row of C, because
// C's row = Σₖ A[row, k] · B's row k = (matrix with B's rows as columns) · (A's row). K is walked in fours; if K_TAIL, what
// is beyond its end counts as zero. Rows and columns beyond the edges repeat the last one, and only what lies inside is
// stored.
// Dispatch ⌈N/16⌉ × ⌈M/(16·WORKGROUP)⌉ workgroups; M without the row of ones.
// Error: K products summed in f32, |error| ≤ (K+1)·u·Σ|a||b| to first order, u = 2⁻²³; then the epilogue's own.

override K_TAIL: bool = true;
override WORKGROUP: u32 = 4;

const TILE: u32 = 16;


@compute @workgroup_size(1, WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3u) {
  let m = global.y * TILE;
  let n = global.x * TILE;
  if (m >= stored_rows() || n >= dims.N) { return; }

  let a0 = start_A(m);
  let a1 = start_A(m + 4);
  let a2 = start_A(m + 8);
  let a3 = start_A(m + 12);
  let b0 = start_B(n);
  let b1 = start_B(n + 4);
  let b2 = start_B(n + 8);
  let b3 = start_B(n + 12);

  var c00 = mat4x4f(); var c01 = mat4x4f(); var c02 = mat4x4f(); var c03 = mat4x4f();
  var c10 = mat4x4f(); var c11 = mat4x4f(); var c12 = mat4x4f(); var c13 = mat4x4f();
  var c20 = mat4x4f(); var c21 = mat4x4f(); var c22 = mat4x4f(); var c23 = mat4x4f();
  var c30 = mat4x4f(); var c31 = mat4x4f(); var c32 = mat4x4f(); var c33 = mat4x4f();
  for (var k = 0u; k < dims.K; k += 4) {
    let places = places_in_A(k);
    let A0 = four_k_of_A(a0, k, places);
    let A1 = four_k_of_A(a1, k, places);
    let A2 = four_k_of_A(a2, k, places);
    let A3 = four_k_of_A(a3, k, places);
    let B0 = four_k_of_B(b0, k);
    let B1 = four_k_of_B(b1, k);
    c00 += B0 * A0; c01 += B1 * A0;
    c10 += B0 * A1; c11 += B1 * A1;
    let B2 = four_k_of_B(b2, k);
    let B3 = four_k_of_B(b3, k);
    c02 += B2 * A0; c03 += B3 * A0;
    c12 += B2 * A1; c13 += B3 * A1;
    c20 += B0 * A2; c21 += B1 * A2; c22 += B2 * A2; c23 += B3 * A2;
    c30 += B0 * A3; c31 += B1 * A3; c32 += B2 * A3; c33 += B3 * A3;
  }

  var c = array<mat4x4f, 16>(
    c00, c01, c02, c03,
    c10, c11, c12, c13,
    c20, c21, c22, c23,
    c30, c31, c32, c33,
  );
  let rows = min(TILE, stored_rows() - m);
  let columns = min(TILE, dims.N - n);
  for (var row = 0u; row < rows; row++) {
    for (var column = 0u; column < columns; column += 4) {
      store_four(m + row, n + column, c[(row >> 2) * 4 + (column >> 2)][row & 3]);
    }
  }
  // Whoever has the last rows adds the row of ones.
  if (ONES_ROW && m + TILE >= stored_rows()) {
    for (var column = 0u; column < columns; column += 4) { store_four(dims.M - 1, n + column, column_sums(n + column)); }
  }
}
