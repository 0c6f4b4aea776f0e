//! uses matmul-operands
// Loads of operands straight from storage, in fours, and the row of ones. Appended to files whose header says so; such a file
// has an override K_TAIL.

// Where the rows m … m + 3 of op(A) begin, none beyond the last: in vec4s if VEC4_A, else in scalars.
fn start_A(m: u32) -> vec4u {
  let row = min(vec4u(m, m + 1, m + 2, m + 3), vec4u(stored_rows() - 1));
  if (TRANSPOSE_A) { return select(row, row >> vec4u(2), VEC4_A); } // with VEC4_A, all four are in the vec4 of the first
  return rows_of_A(row) * select(dims.K, dims.K >> 2, VEC4_A);
}

// Where k … k + 3 are in A, none beyond the last; a batch's rows are looked up once for all that is loaded of them.
fn places_in_A(k: u32) -> vec4u {
  let four = vec4u(k, k + 1, k + 2, k + 3);
  let inside = select(four, min(four, vec4u(dims.K - 1)), K_TAIL);
  if (TRANSPOSE_A) { return rows_of_A(inside); }
  return inside;
}

// op(A)'s rows m … m + 3 as columns, each with its elements k … k + 3; zeros beyond K.
fn four_k_of_A(start: vec4u, k: u32, places: vec4u) -> mat4x4f {
  return rows_of(mat4x4f(
    part_of_A(start, start.x, k, places.x),
    part_of_A(start, start.y, k + 1, places.y),
    part_of_A(start, start.z, k + 2, places.z),
    part_of_A(start, start.w, k + 3, places.w),
  ));
}

// The same of four parts, which part_of_A has loaded.
fn rows_of(parts: mat4x4f) -> mat4x4f {
  if (VEC4_A && !TRANSPOSE_A) { return parts; }
  return transpose(parts);
}

// A quarter of what four_k_of_A loads: element k, at `place`, of all the rows; or, where a row's elements lie side by side,
// the four of k's block from the row that begins at `first`.
fn part_of_A(start: vec4u, first: u32, k: u32, place: u32) -> vec4f {
  if (VEC4_A && !TRANSPOSE_A) { return select(vec4_of_A(first + (place >> 2)), vec4f(), K_TAIL && k >= dims.K); }
  return one_k_of_A(start, k, place);
}

// Element k of op(A)'s rows m … m + 3; zeros beyond K.
fn one_k_of_A(start: vec4u, k: u32, place: u32) -> vec4f {
  var four: vec4f;
  if (VEC4_A && TRANSPOSE_A) {
    four = vec4_of_A(start.x + place * (stored_rows() >> 2));
  } else {
    four = elements_of_A(start + place * select(1u, stored_rows(), TRANSPOSE_A));
  }
  return select(four, vec4f(), K_TAIL && k >= dims.K);
}

// Where the columns n … n + 3 of op(B) begin, as start_A.
fn start_B(n: u32) -> vec4u {
  let column = min(vec4u(n, n + 1, n + 2, n + 3), vec4u(dims.N - 1));
  if (TRANSPOSE_B) { return column * select(dims.K, dims.K >> 2, VEC4_B); }
  return select(column, column >> vec4u(2), VEC4_B);
}

// op(B)'s rows k … k + 3 as columns, each with its elements n … n + 3; zeros beyond K.
fn four_k_of_B(start: vec4u, k: u32) -> mat4x4f {
  if (VEC4_B && TRANSPOSE_B) {
    if (K_TAIL && k >= dims.K) { return mat4x4f(); }
    let at = start + (k >> 2);
    return transpose(mat4x4f(B4[at.x], B4[at.y], B4[at.z], B4[at.w]));
  }
  return mat4x4f(one_k_of_B(start, k), one_k_of_B(start, k + 1), one_k_of_B(start, k + 2), one_k_of_B(start, k + 3));
}

// Elements n … n + 3 of op(B)'s row k; zeros beyond K.
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

// The sums of op(B)'s columns n … n + 3.
fn column_sums(n: u32) -> vec4f {
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
