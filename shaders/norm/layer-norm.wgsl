//! uses compensated
//! uses total
// Layer normalisation: normalises each row to mean 0 and variance 1 over its columns, then scales and shifts it.
//
//   Y[r, c] = (X[r, c] − μ)·ρ·weight[c] + bias[c]      μ, v: mean and biased variance of X[r, all c], ρ = 1/√(v + ε)
//
// The variance is computed from the deviations, since E[x²] − E[x]² would cancel.
//
//   X           f32 (rows, columns)   read
//   parameters  f32 (2, columns)      weight, then bias    read if AFFINE, else weight is 1 and bias 0
//   statistics  f32 (2, rows)         μ, then ρ            written, every element
//   Y           f32 (rows, columns)   written, every element
//
// One invocation takes one slice of the columns of a row: every SLICES-th column. Dispatch ⌈rows/SUMS⌉ workgroups.
// Source: Ba, Kiros and Hinton 2016; PyTorch's documentation of torch.nn.LayerNorm.
// Error: test/reference/layer-norm.ts derives the bound, rounding by rounding. If LONG, the sums of a
// slice are compensated.

override AFFINE: bool = true;

struct Dims { rows: u32, columns: u32, epsilon: f32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> X: array<f32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> statistics: array<f32>;
@group(0) @binding(4) var<storage, read_write> Y: array<f32>;

@compute @workgroup_size(SLICES, SUMS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let wanted = group.x * SUMS + local.y;
  let row = min(wanted, dims.rows - 1); // every invocation takes part in the sums
  let start = row * dims.columns;
  var sum = vec2f();
  for (var c = local.x; c < dims.columns; c += SLICES) { sum = long_plus(sum, X[start + c]); }
  let mean = total(local.y, local.x, value_of(sum)) / f32(dims.columns);
  var square_sum = vec2f();
  for (var c = local.x; c < dims.columns; c += SLICES) {
    let deviation = X[start + c] - mean;
    square_sum = long_plus(square_sum, deviation * deviation);
  }
  let squares = total(local.y, local.x, value_of(square_sum));
  if (wanted != row) { return; }
  let scale = inverseSqrt(squares / f32(dims.columns) + dims.epsilon);
  if (local.x == 0) {
    statistics[row] = mean;
    statistics[dims.rows + row] = scale;
  }
  for (var c = local.x; c < dims.columns; c += SLICES) {
    var y = (X[start + c] - mean) * scale;
    if (AFFINE) { y = y * parameters[c] + parameters[dims.columns + c]; }
    Y[start + c] = y;
  }
}

fn unknown_zero() -> u32 { return dims.rows >> 31; }
