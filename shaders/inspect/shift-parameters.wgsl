//! uses step
// Parameters at one point of the plane through `base` with the directions U and V, for a slice of the loss surface.
//
//   parameters[i] = base[i] + x·U[i] + y·V[i]        (x, y) = points[step.index]
//
//   base, U, V  f32 (count)    read
//   points      vec2f          read
//   parameters  f32 (count)    written, every element
//
// One invocation takes one element. Dispatch workgroups along x, then along y: invocation (x, y) takes element
// y·(64·workgroups along x) + x.
// Error: four roundings, |error| ≤ 4u·(|base| + |x·U| + |y·V|), u = 2⁻²³.

struct Dims { count: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(2) var<storage, read> base: array<f32>;
@group(0) @binding(3) var<storage, read> U: array<f32>;
@group(0) @binding(4) var<storage, read> V: array<f32>;
@group(0) @binding(5) var<storage, read> points: array<vec2f>;
@group(0) @binding(6) var<storage, read_write> parameters: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let i = global.y * (workgroups.x * 64) + global.x;
  if (i >= dims.count) { return; }
  let point = points[step.index];
  parameters[i] = base[i] + (point.x * U[i] + point.y * V[i]);
}
