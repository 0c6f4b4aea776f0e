// A product from register tiles that four neighbours load together, for CPU adapters with subgroups. Appended to files whose
// header says so, together with matmul-operands.wgsl and matmul-storage.wgsl; such a file enables subgroups, has a function
// store_four(m, n, sums), and calls quad_product() in workgroups of four.
//
// Nothing coalesces a CPU adapter's loads, and each is much machine code. A quad of invocations computes 2 × 2 tiles of 8 × 8
// elements (LARGE: 16 × 16, with TALL 32 × 16) and shares them:
//
//   lane 0 | lane 1     Lanes side by side need the same rows of op(A), lanes above each other the same columns of op(B).
//   -------+-------     Each loads half of them, in blocks of four, and takes the other half from its neighbour. Its own
//   lane 2 | lane 3     blocks come first in its tile; where they belong, only the store has to know.
//
// c21 is the third block of rows and the second of columns of a tile; a column of it is a row of C, because
// C's row = Σₖ A[row, k] · B's row k = (matrix with B's rows as columns) · (A's row). K is walked in fours; if K_TAIL, what
// is beyond its end counts as zero. A sum runs in the order of k whatever the tile: all sizes give the same bits.
// Sums are module variables, so that a function can add to them twice in an iteration: a CPU adapter carries them around a
// loop by masked copies, which DEEP halves.
// Dispatch a workgroup for 2 × 2 tiles; M without the row of ones.
// Error: matmul-direct.wgsl.

override K_TAIL: bool = true;
override DEEP: bool = false; // K is a multiple of eight, and an iteration takes that many
override LARGE: bool = false;
override TALL: bool = false; // only with LARGE

var<private> c00 = mat4x4f(); var<private> c01 = mat4x4f(); var<private> c02 = mat4x4f(); var<private> c03 = mat4x4f();
var<private> c10 = mat4x4f(); var<private> c11 = mat4x4f(); var<private> c12 = mat4x4f(); var<private> c13 = mat4x4f();
var<private> c20 = mat4x4f(); var<private> c21 = mat4x4f(); var<private> c22 = mat4x4f(); var<private> c23 = mat4x4f();
var<private> c30 = mat4x4f(); var<private> c31 = mat4x4f(); var<private> c32 = mat4x4f(); var<private> c33 = mat4x4f();
var<private> c40 = mat4x4f(); var<private> c41 = mat4x4f(); var<private> c42 = mat4x4f(); var<private> c43 = mat4x4f();
var<private> c50 = mat4x4f(); var<private> c51 = mat4x4f(); var<private> c52 = mat4x4f(); var<private> c53 = mat4x4f();
var<private> c60 = mat4x4f(); var<private> c61 = mat4x4f(); var<private> c62 = mat4x4f(); var<private> c63 = mat4x4f();
var<private> c70 = mat4x4f(); var<private> c71 = mat4x4f(); var<private> c72 = mat4x4f(); var<private> c73 = mat4x4f();

fn quad_product(group: vec2u, subgroup_lane: u32) {
  let lane = vec2u(subgroup_lane & 1, (subgroup_lane >> 1) & 1);
  let tile = vec2u(select(8u, 16u, LARGE), select(select(8u, 16u, LARGE), 32u, TALL));
  let first = (2 * group + lane) * tile;
  // The blocks that this invocation loads itself.
  let n = first.x + 4 * lane.y;
  let m = first.y + 4 * lane.x;
  let a0 = start_A(m);
  let a2 = start_A(m + 8);
  let a4 = start_A(m + 16);
  let a6 = start_A(m + 24);
  let b0 = start_B(n);
  let b2 = start_B(n + 8);
  for (var k = 0u; k < dims.K; k += select(4u, 8u, DEEP)) {
    add_four_k(k, a0, a2, a4, a6, b0, b2);
    if (DEEP) { add_four_k(k + 4, a0, a2, a4, a6, b0, b2); }
  }

  if (!LARGE) {
    var c = array<mat4x4f, 4>(c00, c01, c10, c11);
    for (var row = 0u; row < 16; row++) { store_row(first, lane, row, c[row >> 2][row & 3]); }
  }
  if (LARGE && !TALL) {
    var c = array<mat4x4f, 16>(c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23, c30, c31, c32, c33);
    for (var row = 0u; row < 64; row++) { store_row(first, lane, row, c[row >> 2][row & 3]); }
  }
  if (TALL) {
    var c = array<mat4x4f, 32>(
      c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23, c30, c31, c32, c33,
      c40, c41, c42, c43, c50, c51, c52, c53, c60, c61, c62, c63, c70, c71, c72, c73
    );
    for (var row = 0u; row < 128; row++) { store_row(first, lane, row, c[row >> 2][row & 3]); }
  }
  // The last workgroups down the rows add the row of ones.
  if (ONES_ROW && group.y == (stored_rows() - 1) / (2 * tile.y)) {
    for (var column = 4 * (lane.x + 2 * lane.y); column < 2 * tile.x; column += 16) {
      let at_n = 2 * group.x * tile.x + column;
      if (at_n < dims.N) { store_four(dims.M - 1, at_n, column_sums(at_n)); }
    }
  }
}

// Adds op(A)'s columns k … k + 3 times op(B)'s rows to the sums.
fn add_four_k(k: u32, a0: vec4u, a2: vec4u, a4: vec4u, a6: vec4u, b0: vec4u, b2: vec4u) {
  let places = places_in_A(k);
  let A0 = four_k_of_A(a0, k, places);
  let A1 = from_beside(A0);
  let B0 = four_k_of_B(b0, k);
  let B1 = from_above(B0);
  c00 += B0 * A0; c01 += B1 * A0;
  c10 += B0 * A1; c11 += B1 * A1;
  if (LARGE) {
    let A2 = four_k_of_A(a2, k, places);
    let A3 = from_beside(A2);
    let B2 = four_k_of_B(b2, k);
    let B3 = from_above(B2);
    c02 += B2 * A0; c03 += B3 * A0;
    c12 += B2 * A1; c13 += B3 * A1;
    c20 += B0 * A2; c21 += B1 * A2; c22 += B2 * A2; c23 += B3 * A2;
    c30 += B0 * A3; c31 += B1 * A3; c32 += B2 * A3; c33 += B3 * A3;
    if (TALL) {
      let A4 = four_k_of_A(a4, k, places);
      let A5 = from_beside(A4);
      let A6 = four_k_of_A(a6, k, places);
      let A7 = from_beside(A6);
      c40 += B0 * A4; c41 += B1 * A4; c42 += B2 * A4; c43 += B3 * A4;
      c50 += B0 * A5; c51 += B1 * A5; c52 += B2 * A5; c53 += B3 * A5;
      c60 += B0 * A6; c61 += B1 * A6; c62 += B2 * A6; c63 += B3 * A6;
      c70 += B0 * A7; c71 += B1 * A7; c72 += B2 * A7; c73 += B3 * A7;
    }
  }
}

// A block of the invocation at the same rows.
fn from_beside(m: mat4x4f) -> mat4x4f {
  return mat4x4f(quadSwapX(m[0]), quadSwapX(m[1]), quadSwapX(m[2]), quadSwapX(m[3]));
}

// A block of the invocation at the same columns.
fn from_above(m: mat4x4f) -> mat4x4f {
  return mat4x4f(quadSwapY(m[0]), quadSwapY(m[1]), quadSwapY(m[2]), quadSwapY(m[3]));
}

// Stores a row of a block of C. Blocks are counted along the rows of the tile; all but the lane's own changed places.
fn store_row(first: vec2u, lane: vec2u, row: u32, sums: vec4f) {
  let number = row >> 2;
  let down = number >> select(1u, 2u, LARGE);
  let across = number - down * select(2u, 4u, LARGE);
  let m = first.y + 4 * (down ^ lane.x) + (row & 3);
  let n = first.x + 4 * (across ^ lane.y);
  if (m < stored_rows() && n < dims.N) { store_four(m, n, sums); }
}
