//! uses activations
// Adds a bias and applies an activation, in place; or, if BACKWARD, multiplies a gradient by the activation's derivative, in
// place.
//
//   forward            Y[r, c]  ← activate(Y[r, c] + bias[c])
//   BACKWARD           Y[r, c]  ← Y[r, c] · activate_derivative(at[r, c])        Y holds dY and becomes dZ
//
//   bias  f32 (columns)         read if BIAS, from element dims.bias_offset on
//   at    f32 (rows, columns)   read if BACKWARD, from element dims.at_offset on: the activation's output, or its
//                               pre-activation (`from` in src/kernels/activations.ts)
//   Y     f32 (rows, columns)   read and written
//
// One invocation takes one element. Dispatch workgroups along x, then along y: invocation (x, y) takes element
// y·(64·workgroups along x) + x.
// Error: one rounding for the sum, then that of the activation, see test/reference/activations.ts.

override BACKWARD: bool = false;
override BIAS: bool = false;

struct Dims { rows: u32, columns: u32, bias_offset: u32, at_offset: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> bias: array<f32>;
@group(0) @binding(2) var<storage, read> at: array<f32>;
@group(0) @binding(3) var<storage, read_write> Y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let i = global.y * (workgroups.x * 64) + global.x;
  if (i >= dims.rows * dims.columns) { return; }
  if (BACKWARD) {
    Y[i] = Y[i] * activate_derivative(at[dims.at_offset + i]);
  } else {
    var z = Y[i];
    if (BIAS) { z += bias[dims.bias_offset + i % dims.columns]; }
    Y[i] = activate(z);
  }
}
