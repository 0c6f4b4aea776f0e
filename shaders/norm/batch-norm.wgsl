//! uses compensated
//! uses total
//! uses step
// Batch normalisation: normalises each column to mean 0 and variance 1 over the valid rows, then scales and shifts it.
//
//   Y[r, c] = (X[r, c] − μ)·ρ·weight[c] + bias[c]      μ, v: mean and biased variance of X[r < step.rows, c], ρ = 1/√(v + ε)
//   if UPDATE: running mean ← (1 − momentum)·running mean + momentum·μ
//              running variance ← (1 − momentum)·running variance + momentum·v·step.rows/(step.rows − 1)
//
// With RUNNING, μ and v are the running statistics. The variance is computed from the deviations, since E[x²] − E[x]² would
// cancel. A batch of one row has no variance: ρ is 0, so that Y is the bias and no gradient flows, and the running statistics
// do not change.
//
//   X           f32 (rows, columns)   read
//   parameters  f32 (2, columns)      weight, then bias      read if AFFINE, else weight is 1 and bias 0
//   running     f32 (2, columns)      mean, then variance    read if RUNNING; read and written if UPDATE
//   statistics  f32 (2, columns)      μ, then ρ              written unless RUNNING
//   Y           f32 (rows, columns)   written, every element
//
// One invocation takes one slice of the rows of a column: every SLICES-th row. Neighbouring invocations read neighbouring
// elements.
// Dispatch ⌈columns/SUMS⌉ workgroups.
// Source: Ioffe and Szegedy 2015; PyTorch's documentation of torch.nn.BatchNorm1d.
// Error: test/reference/batch-norm.ts derives the bound, rounding by rounding. If LONG, the sums of a
// slice are compensated.

override RUNNING: bool = false;
override UPDATE: bool = false;
override AFFINE: bool = true;

struct Dims { rows: u32, columns: u32, epsilon: f32, momentum: f32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(2) var<storage, read> X: array<f32>;
@group(0) @binding(3) var<storage, read> parameters: array<f32>;
@group(0) @binding(4) var<storage, read_write> running: array<f32>;
@group(0) @binding(5) var<storage, read_write> statistics: array<f32>;
@group(0) @binding(6) var<storage, read_write> Y: array<f32>;

@compute @workgroup_size(SUMS, SLICES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let wanted = group.x * SUMS + local.x;
  let column = min(wanted, dims.columns - 1); // every invocation takes part in the sums
  var mean: f32;
  var scale: f32;
  if (RUNNING) {
    mean = running[column];
    scale = inverseSqrt(running[dims.columns + column] + dims.epsilon);
  } else {
    let rows = f32(step.rows);
    var sum = vec2f();
    for (var r = local.y; r < step.rows; r += SLICES) { sum = long_plus(sum, X[r * dims.columns + column]); }
    mean = total(local.x, local.y, value_of(sum)) / rows;
    var square_sum = vec2f();
    for (var r = local.y; r < step.rows; r += SLICES) {
      let deviation = X[r * dims.columns + column] - mean;
      square_sum = long_plus(square_sum, deviation * deviation);
    }
    let squares = total(local.x, local.y, value_of(square_sum));
    scale = select(inverseSqrt(squares / rows + dims.epsilon), 0.0, step.rows < 2);
    if (wanted == column && local.y == 0) {
      statistics[column] = mean;
      statistics[dims.columns + column] = scale;
      if (UPDATE && step.rows > 1) {
        update_running(column, mean);
        update_running(dims.columns + column, squares / (rows - 1.0));
      }
    }
  }
  if (wanted != column) { return; }
  var weight = 1.0;
  var bias = 0.0;
  if (AFFINE) {
    weight = parameters[column];
    bias = parameters[dims.columns + column];
  }
  for (var r = local.y; r < dims.rows; r += SLICES) {
    let i = r * dims.columns + column;
    Y[i] = (X[i] - mean) * scale * weight + bias;
  }
}

// Moves a running statistic towards `value`.
fn update_running(i: u32, value: f32) {
  running[i] = (1.0 - dims.momentum) * running[i] + dims.momentum * value;
}

fn unknown_zero() -> u32 { return step.rows >> 31; }
