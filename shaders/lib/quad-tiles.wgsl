//! uses compensated
//! uses matmul-operands
// A matmul from register tiles whose operands four neighbouring invocations load together, for CPU adapters with subgroups.
// Appended to files that have the line `//! uses quad-tiles`; each of them enables subgroups, declares a function
// store_four(m, n, sums), and calls quad_matmul() in workgroups of four.
//
// A CPU adapter does not coalesce loads, and each load takes much machine code. So a quad of four invocations computes 2 × 2
// tiles of 8 × 8 elements (LARGE: 16 × 16; LARGE and TALL: 32 × 16) and shares what it loads:
//
//   lane 0 | lane 1     Lanes side by side need the same rows of op(A), lanes above each other the same columns of op(B).
//   -------+-------     Each lane loads half of these, in blocks of four, and gets the other half from a neighbour. The blocks
//   lane 2 | lane 3     that a lane loads itself come first in its sums; store_row alone maps them to their places in C.
//
// An iteration takes four k, or eight if LARGE; if K_TAIL, elements beyond the end of K count as zero. Each sum adds its
// products in the order of k, whatever the tile, so all tile sizes give the same bits.
//
// The compiler of a CPU adapter is fast but optimizes little, and the cores wait for instructions more than for anything else.
// Samples of SwiftShader's machine code (Linux `perf` on Chrome's GPU process, two cores of an AMD EPYC) show: an iteration of
// the tallest tile is 260 kB, eight times the instruction cache, and takes 20 ns per kilobyte, whatever the code does. For
// four lanes, a load of a float takes 0.6 kB, a sum that is carried around the loop 70 bytes, a multiply-add 15 to 20 bytes,
// or 27 when there are no registers left. That is why large tiles take eight k per iteration.
// A multiply-add takes the fewest bytes
//   - if a sum adds all its k, one after the other, before the next sum begins: then it stays in a register;
//   - if an element of op(B) is used only once between two loads: a second use makes the first one store a copy.
// So `add_products` writes out every element, and the loads of the next rows stand between the sums of one row and those of the
// next. Sums and operands are module variables, so that functions can change them. Their indices are constants, since variable
// indices would put them in memory.
// Dispatch one workgroup for each 2 × 2 tiles of C, without the row of ones.
// Error: K products summed in f32, |error| ≤ (K+1)·u·Σ|a||b| to first order, u = 2⁻²³; with RUNS (RUN + K/RUN + 2)·u·Σ|a||b|,
// and for the row of ones, whose sums are compensated if LONG, 3u·Σ|b|; then that of store_four.

override K_TAIL: bool = true;
override LARGE: bool = false;
override TALL: bool = false; // only with LARGE

// Sums: c[4·i + j] is the i-th block of rows and the j-th block of columns of the tile. Each of its columns is part of a row
// of C.
var<private> c = array<mat4x4f, 32>();
// Sums of the runs that are complete, if RUNS.
var<private> complete = array<mat4x4f, 32>();
// For each block of columns of the tile: rows k … k + 3 of op(B) are the columns of b0, and rows k + 4 … k + 7 those of b4.
var<private> b0 = array<mat4x4f, 4>();
var<private> b4 = array<mat4x4f, 4>();
// For one block of rows of the tile: each column is a row of op(A), with elements k … k + 3 in a0, and k + 4 … k + 7 in a4.
var<private> a0 = mat4x4f();
var<private> a4 = mat4x4f();

fn quad_matmul(group: vec2u, subgroup_lane: u32) {
  let lane = vec2u(subgroup_lane & 1, (subgroup_lane >> 1) & 1);
  let tile = vec2u(select(8u, 16u, LARGE), select(select(8u, 16u, LARGE), 32u, TALL));
  let first = (2 * group + lane) * tile;
  // First column and first row of the blocks that this invocation loads itself.
  let n = first.x + 4 * lane.y;
  let m = first.y + 4 * lane.x;
  let columns = start_B(n);
  let columns_8 = start_B(n + 8);
  let rows = start_A(m);
  let rows_8 = start_A(m + 8);
  let rows_16 = start_A(m + 16);
  let rows_24 = start_A(m + 24);
  for (var k = 0u; k < dims.K; k += select(4u, 8u, LARGE)) {
    let places0 = places_in_A(k);
    let places4 = places_in_A(k + 4);
    a0 = four_k_of_A(rows, k, places0);
    b0[0] = four_k_of_B(columns, k);
    b0[1] = from_above(b0[0]);
    if (LARGE) {
      a4 = four_k_of_A(rows, k + 4, places4);
      b0[2] = four_k_of_B(columns_8, k);
      b0[3] = from_above(b0[2]);
      b4[0] = four_k_of_B(columns, k + 4);
      b4[1] = from_above(b4[0]);
      b4[2] = four_k_of_B(columns_8, k + 4);
      b4[3] = from_above(b4[2]);
      add_rows_and_load(0, rows_8, k, places0, places4);
    }
    if (TALL) {
      add_rows_and_load(2, rows_16, k, places0, places4);
      add_rows_and_load(4, rows_24, k, places0, places4);
    }
    add_rows(select(select(0u, 2u, LARGE), 6u, TALL));
    if (RUNS && (k & (RUN - 1)) == RUN - select(4u, 8u, LARGE)) { end_run(); }
  }
  if (RUNS) {
    end_run();
    c = complete;
  }

  if (!LARGE) {
    var sums = array<mat4x4f, 4>(c[0], c[1], c[4], c[5]);
    for (var row = 0u; row < 16; row++) { store_row(first, lane, row, sums[row >> 2][row & 3]); }
  }
  if (LARGE && !TALL) {
    var sums = array<mat4x4f, 16>(
      c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9], c[10], c[11], c[12], c[13], c[14], c[15]
    );
    for (var row = 0u; row < 64; row++) { store_row(first, lane, row, sums[row >> 2][row & 3]); }
  }
  if (TALL) {
    var sums = c;
    for (var row = 0u; row < 128; row++) { store_row(first, lane, row, sums[row >> 2][row & 3]); }
  }
  // The workgroups at the bottom also compute the row of ones times op(B), which is the last row of C.
  if (ONES_ROW && group.y == (stored_rows() - 1) / (2 * tile.y)) {
    for (var column = 4 * (lane.x + 2 * lane.y); column < 2 * tile.x; column += 16) {
      let at_n = 2 * group.x * tile.x + column;
      if (at_n < dims.N) { store_four(dims.M - 1, at_n, column_sums(at_n)); }
    }
  }
}

// Adds the sums of a run to those of the complete runs, and begins a new run. The copy has variable indices, and c keeps its
// own.
fn end_run() {
  var run = c;
  for (var i = 0u; i < 32; i++) { complete[i] += run[i]; }
  c = array<mat4x4f, 32>();
}

fn unknown_zero() -> u32 { return dims.K >> 31; }

// Adds products to the sums of block i of rows, with this lane's a0 and a4, and of block i + 1, with those of the lane beside.
fn add_rows(i: u32) {
  let beside0 = from_beside(a0);
  let beside4 = from_beside(a4);
  add_row(i, 0, a0[0], a4[0]);
  add_row(i + 1, 0, beside0[0], beside4[0]);
  add_row(i, 1, a0[1], a4[1]);
  add_row(i + 1, 1, beside0[1], beside4[1]);
  add_row(i, 2, a0[2], a4[2]);
  add_row(i + 1, 2, beside0[2], beside4[2]);
  add_row(i, 3, a0[3], a4[3]);
  add_row(i + 1, 3, beside0[3], beside4[3]);
}

// The same as add_rows; in between it loads the rows that begin at `next`, and puts them in a0 and a4 at the end.
fn add_rows_and_load(i: u32, next: vec4u, k: u32, places0: vec4u, places4: vec4u) {
  let beside0 = from_beside(a0);
  let beside4 = from_beside(a4);
  let p0 = part_of_A(next, next.x, k, places0.x);
  add_row(i, 0, a0[0], a4[0]);
  let p1 = part_of_A(next, next.y, k + 1, places0.y);
  add_row(i + 1, 0, beside0[0], beside4[0]);
  let p2 = part_of_A(next, next.z, k + 2, places0.z);
  add_row(i, 1, a0[1], a4[1]);
  let p3 = part_of_A(next, next.w, k + 3, places0.w);
  add_row(i + 1, 1, beside0[1], beside4[1]);
  let p4 = part_of_A(next, next.x, k + 4, places4.x);
  add_row(i, 2, a0[2], a4[2]);
  let p5 = part_of_A(next, next.y, k + 5, places4.y);
  add_row(i + 1, 2, beside0[2], beside4[2]);
  let p6 = part_of_A(next, next.z, k + 6, places4.z);
  add_row(i, 3, a0[3], a4[3]);
  let p7 = part_of_A(next, next.w, k + 7, places4.w);
  add_row(i + 1, 3, beside0[3], beside4[3]);
  a0 = rows_of(mat4x4f(p0, p1, p2, p3));
  a4 = rows_of(mat4x4f(p4, p5, p6, p7));
}

// Adds products to the sums of a row of block i. k0 and k4 are elements k … k + 3 and k + 4 … k + 7 of this row of op(A).
fn add_row(i: u32, row: u32, k0: vec4f, k4: vec4f) {
  c[4 * i][row] = add_products(c[4 * i][row], b0[0], b4[0], k0, k4);
  c[4 * i + 1][row] = add_products(c[4 * i + 1][row], b0[1], b4[1], k0, k4);
  if (LARGE) {
    c[4 * i + 2][row] = add_products(c[4 * i + 2][row], b0[2], b4[2], k0, k4);
    c[4 * i + 3][row] = add_products(c[4 * i + 3][row], b0[3], b4[3], k0, k4);
  }
}

// sums + b · a; if LARGE, sums + b · a + d · e.
fn add_products(sums: vec4f, b: mat4x4f, d: mat4x4f, a: vec4f, e: vec4f) -> vec4f {
  if (!LARGE) {
    return vec4f(
      sums.x + b[0].x * a.x + b[1].x * a.y + b[2].x * a.z + b[3].x * a.w,
      sums.y + b[0].y * a.x + b[1].y * a.y + b[2].y * a.z + b[3].y * a.w,
      sums.z + b[0].z * a.x + b[1].z * a.y + b[2].z * a.z + b[3].z * a.w,
      sums.w + b[0].w * a.x + b[1].w * a.y + b[2].w * a.z + b[3].w * a.w,
    );
  }
  return vec4f(
    sums.x + b[0].x * a.x + b[1].x * a.y + b[2].x * a.z + b[3].x * a.w
      + d[0].x * e.x + d[1].x * e.y + d[2].x * e.z + d[3].x * e.w,
    sums.y + b[0].y * a.x + b[1].y * a.y + b[2].y * a.z + b[3].y * a.w
      + d[0].y * e.x + d[1].y * e.y + d[2].y * e.z + d[3].y * e.w,
    sums.z + b[0].z * a.x + b[1].z * a.y + b[2].z * a.z + b[3].z * a.w
      + d[0].z * e.x + d[1].z * e.y + d[2].z * e.z + d[3].z * e.w,
    sums.w + b[0].w * a.x + b[1].w * a.y + b[2].w * a.z + b[3].w * a.w
      + d[0].w * e.x + d[1].w * e.y + d[2].w * e.z + d[3].w * e.w,
  );
}

// The block `m` of the lane beside, which needs the same rows of op(A).
fn from_beside(m: mat4x4f) -> mat4x4f {
  return mat4x4f(quadSwapX(m[0]), quadSwapX(m[1]), quadSwapX(m[2]), quadSwapX(m[3]));
}

// The block `m` of the lane above or below, which needs the same columns of op(B).
fn from_above(m: mat4x4f) -> mat4x4f {
  return mat4x4f(quadSwapY(m[0]), quadSwapY(m[1]), quadSwapY(m[2]), quadSwapY(m[3]));
}

// Stores row `row & 3` of block `row >> 2` of the sums. Blocks are counted along the rows of the tile. In each pair of blocks
// the one that the lane has loaded itself is first; the exclusive or puts both in their places in C.
fn store_row(first: vec2u, lane: vec2u, row: u32, sums: vec4f) {
  let number = row >> 2;
  let down = number >> select(1u, 2u, LARGE);
  let across = number - down * select(2u, 4u, LARGE);
  let m = first.y + 4 * (down ^ lane.x) + (row & 3);
  let n = first.x + 4 * (across ^ lane.y);
  if (m < stored_rows() && n < dims.N) { store_four(m, n, sums); }
}

// The places in A at which rows m … m + 3 of op(A) begin, counted in vec4s if VEC4_A, else in elements. Rows beyond the last
// one are replaced by the last one.
fn start_A(m: u32) -> vec4u {
  let row = min(vec4u(m, m + 1, m + 2, m + 3), vec4u(stored_rows() - 1));
  if (TRANSPOSE_A) { return select(row, row >> vec4u(2), VEC4_A); } // with VEC4_A, the vec4 at the first place has all four
  return rows_of_A(row) * select(dims.K, dims.K >> 2, VEC4_A);
}

// The places of k … k + 3 in A, none beyond the last k if K_TAIL. If TRANSPOSE_A these are rows of A, and for a gathered batch
// rows of the data set, which are looked up once for all their elements.
fn places_in_A(k: u32) -> vec4u {
  let four = vec4u(k, k + 1, k + 2, k + 3);
  let inside = select(four, min(four, vec4u(dims.K - 1)), K_TAIL);
  if (TRANSPOSE_A) { return rows_of_A(inside); }
  return inside;
}

// Rows m … m + 3 of op(A), each as a column with its elements k … k + 3; zeros beyond K. `start` is start_A(m), `places` is
// places_in_A(k).
fn four_k_of_A(start: vec4u, k: u32, places: vec4u) -> mat4x4f {
  return rows_of(mat4x4f(
    part_of_A(start, start.x, k, places.x),
    part_of_A(start, start.y, k + 1, places.y),
    part_of_A(start, start.z, k + 2, places.z),
    part_of_A(start, start.w, k + 3, places.w),
  ));
}

// The result of four_k_of_A, from the four parts that part_of_A has loaded.
fn rows_of(parts: mat4x4f) -> mat4x4f {
  if (VEC4_A && !TRANSPOSE_A) { return parts; }
  return transpose(parts);
}

// A quarter of the elements of four_k_of_A: element k, at `place`, of all four rows; or, if a row has its elements side by side
// (VEC4_A without TRANSPOSE_A), the vec4 that contains element k of the row that begins at `first`.
fn part_of_A(start: vec4u, first: u32, k: u32, place: u32) -> vec4f {
  if (VEC4_A && !TRANSPOSE_A) { return select(vec4_of_A(first + (place >> 2)), vec4f(), K_TAIL && k >= dims.K); }
  return one_k_of_A(start, k, place);
}

// Element k of rows m … m + 3 of op(A); zeros beyond K.
fn one_k_of_A(start: vec4u, k: u32, place: u32) -> vec4f {
  var four: vec4f;
  if (VEC4_A && TRANSPOSE_A) {
    four = vec4_of_A(start.x + place * (stored_rows() >> 2));
  } else {
    four = elements_of_A(start + place * select(1u, stored_rows(), TRANSPOSE_A));
  }
  return select(four, vec4f(), K_TAIL && k >= dims.K);
}

// The places in B at which columns n … n + 3 of op(B) begin, counted as those of start_A.
fn start_B(n: u32) -> vec4u {
  let column = min(vec4u(n, n + 1, n + 2, n + 3), vec4u(dims.N - 1));
  if (TRANSPOSE_B) { return column * select(dims.K, dims.K >> 2, VEC4_B); }
  return select(column, column >> vec4u(2), VEC4_B);
}

// Rows k … k + 3 of op(B), each as a column with its elements n … n + 3; zeros beyond K.
fn four_k_of_B(start: vec4u, k: u32) -> mat4x4f {
  if (VEC4_B && TRANSPOSE_B) {
    if (K_TAIL && k >= dims.K) { return mat4x4f(); }
    let at = start + (k >> 2);
    return transpose(mat4x4f(B4[at.x], B4[at.y], B4[at.z], B4[at.w]));
  }
  return mat4x4f(one_k_of_B(start, k), one_k_of_B(start, k + 1), one_k_of_B(start, k + 2), one_k_of_B(start, k + 3));
}

// Elements n … n + 3 of row k of op(B); zeros beyond K.
fn one_k_of_B(start: vec4u, k: u32) -> vec4f {
  let inside = select(k, min(k, dims.K - 1), K_TAIL);
  var four: vec4f;
  if (VEC4_B && !TRANSPOSE_B) {
    four = B4[start.x + inside * (dims.N >> 2)];
  } else {
    let at = start + inside * select(dims.N, 1u, TRANSPOSE_B);
    four = vec4f(B[at.x], B[at.y], B[at.z], B[at.w]);
  }
  return select(four, vec4f(), K_TAIL && k >= dims.K);
}

// The sums of columns n … n + 3 of op(B).
fn column_sums(n: u32) -> vec4f {
  if (LONG) { return long_column_sums(n); }
  var sums = vec4f();
  if (TRANSPOSE_B) {
    let first = min(vec4u(n, n + 1, n + 2, n + 3), vec4u(dims.N - 1)) * dims.K;
    for (var k = 0u; k < dims.K; k++) { sums += vec4f(B[first.x + k], B[first.y + k], B[first.z + k], B[first.w + k]); }
  } else {
    let start = start_B(n);
    for (var k = 0u; k < dims.K; k++) { sums += one_k_of_B(start, k); }
  }
  return sums;
}

// The same as column_sums, compensated.
fn long_column_sums(n: u32) -> vec4f {
  var x = vec2f(); var y = vec2f(); var z = vec2f(); var w = vec2f();
  let start = start_B(n);
  for (var k = 0u; k < dims.K; k++) {
    var four: vec4f;
    if (TRANSPOSE_B) {
      let first = min(vec4u(n, n + 1, n + 2, n + 3), vec4u(dims.N - 1)) * dims.K + k;
      four = vec4f(B[first.x], B[first.y], B[first.z], B[first.w]);
    } else {
      four = one_k_of_B(start, k);
    }
    x = plus(x, four.x);
    y = plus(y, four.y);
    z = plus(z, four.z);
    w = plus(w, four.w);
  }
  return vec4f(value_of(x), value_of(y), value_of(z), value_of(w));
}
