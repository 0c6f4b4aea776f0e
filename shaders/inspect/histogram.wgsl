//! uses step
//! uses finite
// A histogram: counts the values in each of `bins` equal parts of a range, and adds them to `counts`.
//
//   counts[b] ← counts[b] + |{ i : ⌊(X[i] − low)·scale⌋ = b }|
//
//   X       f32 (count / columns, columns)   read
//   counts  u32 (bins)                       read and written
//
// Values outside of the range count in the nearest bin; infinity and NaN do not count. With BATCH only the first step.rows rows
// count. One invocation takes one value. Dispatch workgroups along x, then along y: invocation (x, y) takes value
// y·(64·workgroups along x) + x. Integers are added atomically, which gives the same sums in any order.
// Error: a value within 3u·|X − low| of the border between two bins may be counted in either, u = 2⁻²³.

override BATCH: bool = false;

struct Dims { count: u32, columns: u32, bins: u32, low: f32, scale: f32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(2) var<storage, read> X: array<f32>;
@group(0) @binding(3) var<storage, read_write> counts: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let i = global.y * (workgroups.x * 64) + global.x;
  if (i >= select(dims.count, min(dims.count, step.rows * dims.columns), BATCH)) { return; }
  let x = X[i];
  if (not_finite(x)) { return; }
  let place = clamp((x - dims.low) * dims.scale, 0.0, f32(dims.bins - 1));
  atomicAdd(&counts[u32(place)], 1);
}
