//! uses step
// The smallest and the largest value of each column, over the rows of this dispatch and of those before.
//
//   extremes[0, c] ← min(extremes[0, c], X[r, c])      extremes[1, c] ← max(extremes[1, c], X[r, c])
//
//   X         f32 (count / columns, columns), the last row possibly incomplete      read
//   extremes  f32 (2, columns)                                                      read and written
//
// With BATCH only the first step.rows rows count. A NaN is left out. One invocation takes one column from the first row to the
// last; neighbouring invocations read neighbouring elements. Dispatch workgroups along x, then along y: invocation (x, y)
// takes column y·(64·workgroups along x) + x.
// Error: none.

override BATCH: bool = false;

struct Dims { count: u32, columns: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(2) var<storage, read> X: array<f32>;
@group(0) @binding(3) var<storage, read_write> extremes: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let column = global.y * (workgroups.x * 64) + global.x;
  if (column >= dims.columns) { return; }
  let count = select(dims.count, min(dims.count, step.rows * dims.columns), BATCH);
  var low = extremes[column];
  var high = extremes[dims.columns + column];
  for (var i = column; i < count; i += dims.columns) {
    let x = X[i];
    if (x < low) { low = x; }
    if (x > high) { high = x; }
  }
  extremes[column] = low;
  extremes[dims.columns + column] = high;
}
