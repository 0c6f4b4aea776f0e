//! uses update
//! uses step
// Adagrad, in PyTorch's form and order of operations. update.wgsl has what all updates share: bindings, penalties, clipping and
// the grid.
//
//   g ← gradient + weight_decay·p
//   s ← s + g², where s is `initial` before the first step (step.index = 0)
//   p ← p − step.learning_rate / (1 + step.index·rate_decay) · g / (√s + epsilon)
//
//   squares     f32 (⌈count/4⌉·4)  s, read and written
//
// Source: PyTorch's documentation of torch.optim.Adagrad (Duchi et al. 2011).
// Error of the change of p: one u = 2⁻²³ for each step so far, in s, halved by the root; and some 15 roundings more.

struct Hyper {
  count: u32, clip: f32, l1: f32, l2: f32,
  weight_decay: f32, initial: f32, rate_decay: f32, epsilon: f32,
}
@group(0) @binding(0) var<uniform> hyper: Hyper;
@group(0) @binding(5) var<storage, read_write> squares: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let i = global.y * (workgroups.x * 64) + global.x;
  if (4 * i >= hyper.count) { return; }
  let p = parameters[i];
  let g = gradient_of(i, p) + decay_of(i) * p;
  let s = select(squares[i], vec4f(hyper.initial), step.index == 0) + g * g;
  squares[i] = s;
  let rate = step.learning_rate / (1.0 + f32(step.index) * hyper.rate_decay);
  store_parameters(i, p, p - rate * g / (sqrt(s) + hyper.epsilon));
}
