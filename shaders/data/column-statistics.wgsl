//! uses compensated
// Sums from which the mean and the standard deviation of every column are computed, over slices of some rows of a data set.
//
//   partials[0, s, c] = p              a number near the mean of slice s: x₀ + Σ(x − x₀)/n, with x₀ its first of n elements
//   partials[1, s, c] = Σ(x − p)       x = f32(data[order[r], c]) for each row r of the slice
//   partials[2, s, c] = Σ(x − p)²
//
//   data      u8 (samples, columns) packed four to a word if BYTES, else f32 bits    read
//   order     u32 (rows)                  row numbers                                read
//   partials  f32 (3, slices, columns)                                               written, every element
//
// The mean of the slice is p + partials[1]/n, and Σ(x − mean)² is partials[2] − partials[1]²/n. Both hold for every p, so
// rounding errors of p do no harm; and where values are large and near each other, the differences x − p are exact.
// One invocation reads one column of a slice twice. It adds up RUN rows at a time and then these sums, for fewer roundings one
// after the other; if LONG, the latter are compensated.
// Dispatch ⌈columns/64⌉ × slices workgroups.
// Error: |error| ≤ γ·Σ|x − p| for the first sum and γ·Σ(x − p)² for the second, with γ of RUN + ⌈slice_rows/RUN⌉ + 3 roundings,
// or of RUN + 6 if LONG, u = 2⁻²³.

override BYTES: bool = false;
const RUN: u32 = 16;

struct Dims { rows: u32, columns: u32, slices: u32, slice_rows: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> data: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u) {
  let column = global.x;
  let slice = global.y;
  if (column >= dims.columns) { return; }
  let begin = slice * dims.slice_rows;
  let end = min(begin + dims.slice_rows, dims.rows);
  let first = element(order[begin] * dims.columns + column);
  let near = first + deviations(begin, end, column, first).x / f32(end - begin);
  let sums = deviations(begin, end, column, near);
  let place = slice * dims.columns + column;
  let size = dims.slices * dims.columns;
  partials[place] = near;
  partials[size + place] = sums.x;
  partials[2 * size + place] = sums.y;
}

// Σ(x − p) and Σ(x − p)².
fn deviations(begin: u32, end: u32, column: u32, p: f32) -> vec2f {
  var sum = vec2f();
  var squares = vec2f();
  for (var start = begin; start < end; start += RUN) {
    var run = vec2f();
    for (var row = start; row < min(start + RUN, end); row++) {
      let difference = element(order[row] * dims.columns + column) - p;
      run += vec2f(difference, difference * difference);
    }
    sum = long_plus(sum, run.x);
    squares = long_plus(squares, run.y);
  }
  return vec2f(value_of(sum), value_of(squares));
}

fn unknown_zero() -> u32 { return dims.rows >> 31; }

fn element(index: u32) -> f32 {
  if (BYTES) { return f32((data[index >> 2] >> ((index & 3) * 8)) & 0xff); }
  return bitcast<f32>(data[index]);
}
