//! uses matmul-operands
// Loads of op(B) in blocks of 4 × 4, for the matmuls on GPUs. Appended to files that have the line `//! uses matmul-blocks`.

// False if no block reaches beyond N, or beyond K: then indices are not clamped.
override EDGE_N: bool = true;
override EDGE_K: bool = true;

// Elements of op(B) in rows k … k + 3 and columns n … n + 3. Column i of the result is row k + i of op(B), or zero beyond K.
fn block_B(n: u32, k: u32) -> mat4x4f {
  let outer = select(four(k, dims.K, EDGE_K), four(n, dims.N, EDGE_N), TRANSPOSE_B);
  let inner = select(four(n, dims.N, EDGE_N), four(k, dims.K, EDGE_K), TRANSPOSE_B);
  let at = outer * select(dims.N, dims.K, TRANSPOSE_B);
  let loaded = mat4x4f(four_B(at.x + inner), four_B(at.y + inner), four_B(at.z + inner), four_B(at.w + inner));
  var elements = loaded;
  if (TRANSPOSE_B) { elements = transpose(loaded); }
  return zero_beyond(elements, k);
}

// Four elements of B, at the indices `at`; with VEC4_B they are one vec4 of B4.
fn four_B(at: vec4u) -> vec4f {
  if (VEC4_B) { return B4[at.x >> 2]; }
  return vec4f(B[at.x], B[at.y], B[at.z], B[at.w]);
}

// The same columns, with column i zero if k + i is beyond K.
fn zero_beyond(elements: mat4x4f, k: u32) -> mat4x4f {
  if (!EDGE_K) { return elements; }
  return mat4x4f(
    select(vec4f(), elements[0], k < dims.K),
    select(vec4f(), elements[1], k + 1 < dims.K),
    select(vec4f(), elements[2], k + 2 < dims.K),
    select(vec4f(), elements[3], k + 3 < dims.K),
  );
}
