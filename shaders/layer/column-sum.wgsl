//! uses compensated
// sums[c] = Σᵣ X[r, c]. With X = dY, sums is the gradient of a bias.
//
//   X     f32 (rows, columns)   read
//   sums  f32 (columns)         written, every element, from element dims.sums_offset on
//
// One invocation adds up one column from the first row to the last; neighbouring invocations read neighbouring elements.
// Dispatch ⌈columns/64⌉ workgroups.
// Error: |error| ≤ (rows − 1)·u·Σᵣ|X[r, c]| to first order, u = 2⁻²³; 3u·Σᵣ|X[r, c]| if LONG.

struct Dims { rows: u32, columns: u32, sums_offset: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> X: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u) {
  let column = global.x;
  if (column >= dims.columns) { return; }
  var sum = vec2f();
  for (var row = 0u; row < dims.rows; row++) { sum = long_plus(sum, X[row * dims.columns + column]); }
  sums[dims.sums_offset + column] = value_of(sum);
}

fn unknown_zero() -> u32 { return dims.rows >> 31; }
