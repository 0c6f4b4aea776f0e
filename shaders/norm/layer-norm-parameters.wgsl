//! uses compensated
//! uses total
// The gradients of the parameters of layer normalisation, from its input X and the statistics (μ, ρ) that layer-norm.wgsl
// wrote: x̂ = (X − μ)·ρ.
//
//   dweight[c] = Σᵣ dY[r, c]·x̂[r, c]      dbias[c] = Σᵣ dY[r, c]      over all rows: dY is 0 in those that are not valid
//
//   X           f32 (rows, columns)   read
//   statistics  f32 (2, rows)         μ, then ρ              read
//   dY          f32 (rows, columns)   read
//   gradients   f32 (2, columns)      dweight, then dbias    written, every element
//
// One invocation takes one slice of the rows of a column: every SLICES-th row. Neighbouring invocations read neighbouring
// elements.
// Dispatch ⌈columns/SUMS⌉ workgroups.
// Error: test/reference/layer-norm.ts derives the bound, rounding by rounding. If LONG, the sums of a
// slice are compensated.

struct Dims { rows: u32, columns: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> X: array<f32>;
@group(0) @binding(2) var<storage, read> statistics: array<f32>;
@group(0) @binding(3) var<storage, read> dY: array<f32>;
@group(0) @binding(4) var<storage, read_write> gradients: array<f32>;

@compute @workgroup_size(SUMS, SLICES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let wanted = group.x * SUMS + local.x;
  let column = min(wanted, dims.columns - 1); // every invocation takes part in the sums
  var sums = vec2f();
  var product_sums = vec2f();
  for (var r = local.y; r < dims.rows; r += SLICES) {
    let i = r * dims.columns + column;
    sums = long_plus(sums, dY[i]);
    product_sums = long_plus(product_sums, dY[i] * ((X[i] - statistics[r]) * statistics[dims.rows + r]));
  }
  let sum = total(local.x, local.y, value_of(sums));
  let products = total(local.x, local.y, value_of(product_sums));
  if (wanted == column && local.y == 0) {
    gradients[column] = products;
    gradients[dims.columns + column] = sum;
  }
}

fn unknown_zero() -> u32 { return dims.rows >> 31; }
