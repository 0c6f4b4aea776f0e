//! uses activation-gradient
//! uses compensated
//! uses total
// The gradient of the input of layer normalisation, from its input X and the statistics (μ, ρ) that layer-norm.wgsl wrote:
// x̂ = (X − μ)·ρ.
//
//   dX[r, c] = ρ·(g[r, c] − (Σ g[r, ·] + x̂[r, c]·Σ g[r, ·]·x̂[r, ·])/columns)      g = dY ⊙ weight
//              times f′(kept[r, c]) if ACTIVATION_GRADIENT
//
//   X           f32 (rows, columns)   read
//   parameters  f32 (2, columns)      weight, then bias      read if AFFINE, else weight is 1
//   statistics  f32 (2, rows)         μ, then ρ              read
//   dY          f32 (rows, columns)   read
//   kept        f32 (rows, columns)   read if ACTIVATION_GRADIENT, see activation-gradient.wgsl
//   dX          f32 (rows, columns)   written, every element
//
// One invocation takes one slice of the columns of a row: every SLICES-th column. Dispatch ⌈rows/SUMS⌉ workgroups.
// Error: test/reference/layer-norm.ts derives the bound, rounding by rounding. If LONG, the sums of a
// slice are compensated.

override AFFINE: bool = true;

struct Dims { rows: u32, columns: u32, kept_offset: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> X: array<f32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read> statistics: array<f32>;
@group(0) @binding(4) var<storage, read> dY: array<f32>;
@group(0) @binding(5) var<storage, read> kept: array<f32>;
@group(0) @binding(6) var<storage, read_write> dX: array<f32>;

@compute @workgroup_size(SLICES, SUMS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let wanted = group.x * SUMS + local.y;
  let row = min(wanted, dims.rows - 1); // every invocation takes part in the sums
  let start = row * dims.columns;
  let mean = statistics[row];
  let scale = statistics[dims.rows + row];
  var sums = vec2f();
  var product_sums = vec2f();
  for (var c = local.x; c < dims.columns; c += SLICES) {
    let g = weighted(start, c);
    sums = long_plus(sums, g);
    product_sums = long_plus(product_sums, g * ((X[start + c] - mean) * scale));
  }
  let sum = total(local.y, local.x, value_of(sums));
  let products = total(local.y, local.x, value_of(product_sums));
  if (wanted != row) { return; }
  for (var c = local.x; c < dims.columns; c += SLICES) {
    let i = start + c;
    let removed = (sum + (X[i] - mean) * scale * products) / f32(dims.columns);
    dX[i] = times_activation_gradient(i, scale * (weighted(start, c) - removed));
  }
}

// g[r, c], where row r begins at `start`.
fn weighted(start: u32, c: u32) -> f32 {
  if (!AFFINE) { return dY[start + c]; }
  return dY[start + c] * parameters[c];
}

fn unknown_zero() -> u32 { return dims.rows >> 31; }
