// Stochastic gradient descent with momentum, in PyTorch's form and order of operations.
//
//   g ← gradient + weight_decay·p
//   v ← g on the first step (step.index = 0), then momentum·v + (1 − dampening)·g
//   p ← p − step.learning_rate·(v, or g + momentum·v if NESTEROV)
//
//   gradients   f32 (count)        read                  these three as vec4f; the last one may reach beyond count, where
//   parameters  f32 (count)        read and written      nothing changes
//   velocity    f32 (count)        read and written
//   owners      u32 (count/64)     the parameter tensor that each block of 64 elements belongs to      read if CHECKED
//   status      u32 (1 + tensors)  status[1 + owner] becomes the smallest step.index that left a parameter not finite
//
// One invocation updates four elements: a CPU adapter takes longer for them one by one.
// Dispatch workgroups in x, then y: a vec4's number is y·(64·workgroups in x) + x.
// Source: PyTorch's documentation of torch.optim.SGD (Sutskever et al. 2013).
// Error: at most 8 roundings of u = 2⁻²³ on the magnitudes added.

override NESTEROV: bool = false;
override CHECKED: bool = false;

struct Hyper { count: u32, momentum: f32, dampening: f32, weight_decay: f32 }
struct Step { first: u32, rows: u32, index: u32, learning_rate: f32 }
@group(0) @binding(0) var<uniform> hyper: Hyper;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(3) var<storage, read> owners: array<u32>;
@group(0) @binding(4) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> velocity: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> status: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let i = global.y * (workgroups.x * 64) + global.x;
  if (4 * i >= hyper.count) { return; }
  let inside = vec4u(4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3) < vec4u(hyper.count);
  let p = parameters[i];
  let g = gradients[i] + hyper.weight_decay * p;
  var v = g;
  if (step.index > 0) { v = hyper.momentum * velocity[i] + (1.0 - hyper.dampening) * g; }
  velocity[i] = select(velocity[i], v, inside);
  let updated = select(p, p - step.learning_rate * select(v, g + hyper.momentum * v, NESTEROV), inside);
  parameters[i] = updated;
  // ReLU turns a NaN into a harmless 0 in the next step, so a ruined model is noticed here or not at all.
  let exponents = bitcast<vec4u>(updated) & vec4u(0x7f800000u);
  if (CHECKED && any(exponents == vec4u(0x7f800000u))) {
    atomicMin(&status[1 + owners[i / 16]], step.index);
  }
}
