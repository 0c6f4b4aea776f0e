//! uses update
//! uses sgd-rule
//! uses step
// Stochastic gradient descent with momentum, in PyTorch's form and order of operations. update.wgsl has what all updates share:
// bindings, penalties, clipping and the grid.
//
//   g ← gradient + weight_decay·p
//   v ← g in the first step (step.index = 0) and without MOMENTUM, else momentum·v + (1 − dampening)·g
//   p ← p − step.learning_rate·v; or, if NESTEROV, p ← p − step.learning_rate·(g + momentum·v)
//
//   velocity    f32 (count)        v; read and written if MOMENTUM, as vec4f; nothing beyond count changes
//
// Source: PyTorch's documentation of torch.optim.SGD (Sutskever et al. 2013).
// Error: at most 8 roundings of u = 2⁻²³, relative to the sum of the magnitudes of the terms.

struct Hyper { count: u32, clip: f32, l1: f32, l2: f32, momentum: f32, dampening: f32, weight_decay: f32 }
@group(0) @binding(0) var<uniform> hyper: Hyper;
@group(0) @binding(5) var<storage, read_write> velocity: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let i = global.y * (workgroups.x * 64) + global.x;
  if (4 * i >= hyper.count) { return; }
  let p = parameters[i];
  let g = gradient_of(i, p) + decay_of(i) * p;
  var v = g;
  if (MOMENTUM) {
    let before = velocity[i];
    v = next_velocity(g, before);
    velocity[i] = changed_below_count(i, before, v);
  }
  store_parameters(i, p, next_parameters(p, g, v));
}
