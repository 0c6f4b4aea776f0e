// What every product does with its sums. Appended to files whose header says so, together with matmul-operands.wgsl. C4 is C
// again, as vec4f, and used if VEC4_C: if C's rows are whole.

override VEC4_C: bool = false;

@group(0) @binding(9) var<storage, read_write> C4: array<vec4f>;

// Four from `first` on, none beyond the last.
fn four(first: u32, count: u32, edge: bool) -> vec4u {
  let index = first + vec4u(0, 1, 2, 3);
  return select(index, min(index, vec4u(count - 1)), edge);
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
    y = z * vec4f(
      activate_derivative(gate_at(at.x)),
      activate_derivative(gate_at(at.y)),
      activate_derivative(gate_at(at.z)),
      activate_derivative(gate_at(at.w)),
    );
  } else {
    y = vec4f(activate(z.x), activate(z.y), activate(z.z), activate(z.w));
  }
  if (VEC4_C) {
    C4[at.x >> 2] = y;
    if (KEEP) { C4[(dims.keep_offset + at.x) >> 2] = z; }
  } else {
    let count = min(4, dims.N - n);
    for (var lane = 0u; lane < count; lane++) {
      C[at.x + lane] = y[lane];
      if (KEEP) { C[dims.keep_offset + at.x + lane] = z[lane]; }
    }
  }
}
