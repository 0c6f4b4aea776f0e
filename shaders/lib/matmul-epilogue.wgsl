//! uses matmul-operands
//! uses activations
// The end of a matmul: its sums become C. Appended to files whose header says so.
//
//   C = f(op(A) · op(B) + bias), or C = (op(A) · op(B)) ⊙ f′(kept)
//
//   bias  f32 (N), from element bias_offset on                                 read if BIAS
//   kept  f32 (M, N), from element kept_offset on                              read if ACTIVATION_GRADIENT
//         f's output, or its pre-activation, as the table of activations says
//   C     f32 (M, N)                                                           written, every element
//         and, if KEEP, the pre-activations (M, N) from element keep_offset on
//
// C4 is C again, as vec4f, and used if VEC4_C: if C's rows are whole.

override VEC4_C: bool = false;
override BIAS: bool = false;
override ACTIVATION_GRADIENT: bool = false;
override KEEP: bool = false;

@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(8) var<storage, read_write> C: array<f32>;
@group(0) @binding(9) var<storage, read_write> C4: array<vec4f>;

fn kept_at(at: u32) -> f32 { return bitcast<f32>(kept[dims.kept_offset + at]); }

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
  if (ACTIVATION_GRADIENT) {
    y = z * vec4f(
      activate_derivative(kept_at(at.x)),
      activate_derivative(kept_at(at.y)),
      activate_derivative(kept_at(at.z)),
      activate_derivative(kept_at(at.w)),
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
