//! uses matmul-operands
// op(B) in blocks of 4 × 4, as the matmuls for GPUs read it. Appended to files whose header says so.

override EDGE_N: bool = true;
override EDGE_K: bool = true;

// op(B)'s columns n … n + 3 at k … k + 3: a column for each k.
fn block_B(n: u32, k: u32) -> mat4x4f {
  let outer = select(four(k, dims.K, EDGE_K), four(n, dims.N, EDGE_N), TRANSPOSE_B);
  let inner = select(four(n, dims.N, EDGE_N), four(k, dims.K, EDGE_K), TRANSPOSE_B);
  let at = outer * select(dims.N, dims.K, TRANSPOSE_B);
  let loaded = mat4x4f(four_B(at.x + inner), four_B(at.y + inner), four_B(at.z + inner), four_B(at.w + inner));
  var elements = loaded;
  if (TRANSPOSE_B) { elements = transpose(loaded); }
  return zero_beyond(elements, k);
}
fn four_B(at: vec4u) -> vec4f {
  if (VEC4_B) { return B4[at.x >> 2]; }
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
