//! uses matmul-operands
//! uses activations
// The epilogue of a matmul: computes C from the sums over k and stores it. Appended to files that have the line
// `//! uses matmul-epilogue`.
//
//   C = f(op(A) · op(B) + bias), or, if ACTIVATION_GRADIENT, C = (op(A) · op(B)) ⊙ f′(kept)
//
//   bias  f32 (N), from element bias_offset on                                                    read if BIAS
//   kept  f32 (M, N), from element kept_offset on: the output of f, or its pre-activation         read if ACTIVATION_GRADIENT
//         (`from` in src/kernels/activations.ts)
//   C     f32 (M, N); if KEEP, followed by the pre-activations (M, N) from pre_activation_offset on  written, every element
//
// C4 is the same buffer as C, as vec4f. It is used instead of C if VEC4_C, for which each row of C is a whole number of vec4s.

override VEC4_C: bool = false;
override BIAS: bool = false;
override ACTIVATION_GRADIENT: bool = false;
override KEEP: bool = false;

@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(8) var<storage, read_write> C: array<f32>;
@group(0) @binding(9) var<storage, read_write> C4: array<vec4f>;

// Element `at` of kept, which matmul-operands.wgsl declares as u32.
fn kept_at(at: u32) -> f32 { return bitcast<f32>(kept[dims.kept_offset + at]); }

// Computes and stores C[m, n … n + 3] from its sums. Columns from N on are left out; n itself is less than N.
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
    if (KEEP) { C4[(dims.pre_activation_offset + at.x) >> 2] = z; }
  } else {
    let count = min(4, dims.N - n);
    for (var lane = 0u; lane < count; lane++) {
      C[at.x + lane] = y[lane];
      if (KEEP) { C[dims.pre_activation_offset + at.x + lane] = z[lane]; }
    }
  }
}
