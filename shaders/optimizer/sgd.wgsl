//! uses update
//! uses sgd-rule
//! uses step
// Stochastic gradient descent with momentum, in PyTorch's form and order of operations. update.wgsl has the operands that
// every update has, penalties and clipping, and the grid.
//
//   g ← gradient + weight_decay·p
//   v ← g on the first step (step.index = 0) and without MOMENTUM, else momentum·v + (1 − dampening)·g
//   p ← p − step.learning_rate·(v, or g + momentum·v if NESTEROV)
//
//   velocity    f32 (count)        read and written if MOMENTUM, as vec4f; nothing changes beyond count
//
// Source: PyTorch's documentation of torch.optim.SGD (Sutskever et al. 2013).
// Error: at most 8 roundings of u = 2⁻²³ on the magnitudes added.

struct Hyper { count: u32, clip: f32, l1: f32, l2: f32, momentum: f32, dampening: f32, weight_decay: f32 }
@group(0) @binding(0) var<uniform> hyper: Hyper;
@group(0) @binding(5) var<storage, read_write> velocity: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let i = global.y * (workgroups.x * 64) + global.x;
  if (4 * i >= hyper.count) { return; }
  let p = parameters[i];
  let g = gradient_of(i, p) + hyper.weight_decay * p;
  var v = g;
  if (MOMENTUM) {
    let before = velocity[i];
    v = next_velocity(g, before);
    velocity[i] = changed(i, before, v);
  }
  put(i, p, next_parameters(p, g, v));
}
