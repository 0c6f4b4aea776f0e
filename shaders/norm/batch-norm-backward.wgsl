//! uses activation-gradient
//! uses compensated
//! uses total
//! uses step
// The gradients of batch normalisation, from its input X and the statistics (μ, ρ) that batch-norm.wgsl wrote: x̂ = (X − μ)·ρ.
//
//   dweight[c] = Σᵣ dY[r, c]·x̂[r, c]      dbias[c] = Σᵣ dY[r, c]      over the valid rows
//   dX[r, c] = weight[c]·ρ·(dY[r, c] − (dbias[c] + x̂[r, c]·dweight[c])/step.rows), or 0 for rows from step.rows on
//              times f′(kept[r, c]) if ACTIVATION_GRADIENT
//
// With RUNNING, the forward half took running statistics, which are constants: dX[r, c] = weight[c]·ρ·dY[r, c], and there
// are no gradients.
//
//   X           f32 (rows, columns)   read unless RUNNING
//   parameters  f32 (2, columns)      weight, then bias      read if AFFINE, else weight is 1
//   statistics  f32 (2, columns)      μ, then ρ; with RUNNING μ, then v      read
//   dY          f32 (rows, columns)   read
//   kept        f32 (rows, columns)   read if ACTIVATION_GRADIENT, see activation-gradient.wgsl
//   gradients   f32 (2, columns)      dweight, then dbias    written if AFFINE, unless RUNNING
//   dX          f32 (rows, columns)   written, every element
//
// One invocation takes one slice of the rows of a column: every SLICES-th row. Neighbouring invocations read neighbouring
// elements.
// Dispatch ⌈columns/SUMS⌉ workgroups.
// Error: test/reference/batch-norm.ts derives the bound, rounding by rounding. If LONG, the sums of a
// slice are compensated.

override RUNNING: bool = false;
override AFFINE: bool = true;

struct Dims { rows: u32, columns: u32, kept_offset: u32, epsilon: f32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(2) var<storage, read> X: array<f32>;
@group(0) @binding(3) var<storage, read> parameters: array<f32>;
@group(0) @binding(4) var<storage, read> statistics: array<f32>;
@group(0) @binding(5) var<storage, read> dY: array<f32>;
@group(0) @binding(6) var<storage, read> kept: array<f32>;
@group(0) @binding(7) var<storage, read_write> gradients: array<f32>;
@group(0) @binding(8) var<storage, read_write> dX: array<f32>;

@compute @workgroup_size(SUMS, SLICES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let wanted = group.x * SUMS + local.x;
  let column = min(wanted, dims.columns - 1); // every invocation takes part in the sums
  var scale = statistics[dims.columns + column];
  if (RUNNING) {
    scale = inverseSqrt(scale + dims.epsilon);
    if (AFFINE) { scale *= parameters[column]; }
    let rows = select(0, dims.rows, wanted == column);
    for (var r = local.y; r < rows; r += SLICES) {
      let i = r * dims.columns + column;
      dX[i] = select(0.0, times_activation_gradient(i, scale * dY[i]), r < step.rows);
    }
    return;
  }
  let mean = statistics[column];
  var sums = vec2f();
  var product_sums = vec2f();
  for (var r = local.y; r < step.rows; r += SLICES) {
    let i = r * dims.columns + column;
    sums = long_plus(sums, dY[i]);
    product_sums = long_plus(product_sums, dY[i] * ((X[i] - mean) * scale));
  }
  let sum = total(local.x, local.y, value_of(sums));
  let products = total(local.x, local.y, value_of(product_sums));
  if (wanted != column) { return; }
  var weight = 1.0;
  if (AFFINE) {
    weight = parameters[column];
    if (local.y == 0) {
      gradients[column] = products;
      gradients[dims.columns + column] = sum;
    }
  }
  for (var r = local.y; r < dims.rows; r += SLICES) {
    let i = r * dims.columns + column;
    let removed = (sum + (X[i] - mean) * scale * products) / f32(step.rows);
    dX[i] = select(0.0, times_activation_gradient(i, weight * scale * (dY[i] - removed)), r < step.rows);
  }
}

fn unknown_zero() -> u32 { return step.rows >> 31; }
