//! uses activations
//! uses compensated
// An activation g(z, p) whose parameter p is learned: prelu, or, if SWISH, swish.
//
//   forward     Y[r, c] ← g(Z[r, c], p)
//   BACKWARD    Y[r, c] ← dY[r, c] · ∂g/∂z, which is ∂loss/∂Z;   dp[c] ← Σᵣ dY[r, c] · ∂g/∂p
//
//                 g                         ∂g/∂z                            ∂g/∂p
//   prelu         z if z > 0, else p·z      1 if z > 0, else p               min(z, 0)
//   swish         z·σ(pz)                   σ(pz) + pz·σ(pz)·σ(−pz)          z²·σ(pz)·σ(−pz)
//
//   Z   f32 (rows, columns)   read
//   p   f32 (columns), or one element if SHARED, from element dims.p_offset on     read
//   dY  f32 (rows, columns)   read if BACKWARD
//   Y   f32 (rows, columns)   written, every element
//   dp  f32 (columns), from element dims.dp_offset on                              written if BACKWARD, every element
//
// Forward, one invocation takes one element. Backward, one invocation takes one column from the first row to the last, and
// there are ⌈columns/64⌉ workgroups. Dispatch workgroups along x, then along y: invocation (x, y) takes the element or column
// with number y·(64·workgroups along x) + x.
// Error: test/reference/learned-activation.ts. dp has as many roundings as rows, or 3 if LONG.

override BACKWARD: bool = false;
override SWISH: bool = false;
override SHARED: bool = false;

struct Dims { rows: u32, columns: u32, p_offset: u32, dp_offset: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> Z: array<f32>;
@group(0) @binding(2) var<storage, read> p: array<f32>;
@group(0) @binding(3) var<storage, read> dY: array<f32>;
@group(0) @binding(4) var<storage, read_write> Y: array<f32>;
@group(0) @binding(5) var<storage, read_write> dp: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let i = global.y * (workgroups.x * 64) + global.x;
  if (BACKWARD) {
    if (i < dims.columns) { backward(i); }
  } else if (i < dims.rows * dims.columns) {
    Y[i] = value(Z[i], parameter_of(i % dims.columns));
  }
}

fn parameter_of(column: u32) -> f32 { return p[dims.p_offset + select(column, 0, SHARED)]; }

fn backward(column: u32) {
  let parameter = parameter_of(column);
  var sum = vec2f();
  for (var row = 0u; row < dims.rows; row++) {
    let i = row * dims.columns + column;
    let z = Z[i];
    let d = dY[i];
    Y[i] = d * derivative_by_z(z, parameter);
    sum = long_plus(sum, d * derivative_by_p(z, parameter));
  }
  dp[dims.dp_offset + column] = value_of(sum);
}

fn unknown_zero() -> u32 { return dims.rows >> 31; }

fn value(z: f32, parameter: f32) -> f32 {
  if (SWISH) { return z * sigmoid(parameter * z); }
  return select(parameter * z, z, z > 0.0);
}

fn derivative_by_z(z: f32, parameter: f32) -> f32 {
  if (SWISH) { return swish_derivative(z, parameter); }
  return select(parameter, 1.0, z > 0.0);
}

// Two factors of z, each with its own sigmoid, so that nothing overflows, as z² would.
fn derivative_by_p(z: f32, parameter: f32) -> f32 {
  if (SWISH) { return (z * sigmoid(parameter * z)) * (z * sigmoid(-parameter * z)); }
  return min(z, 0.0);
}
