//! uses update
//! uses step
// RMSprop, in PyTorch's form and order of operations. update.wgsl has what all updates share: bindings, penalties, clipping and
// the grid.
//
//   g ← gradient + weight_decay·p
//   s ← decay·s + (1 − decay)·g²
//   a ← a + (1 − decay)·(g − a), if CENTERED; then s in the next line is max(s − a², 0), as rounding might make it negative
//   d ← g / (√s + epsilon)
//   p ← p − step.learning_rate·d; or, if MOMENTUM, v ← momentum·v + d and p ← p − step.learning_rate·v
//
//   state       f32 (1 to 3, ⌈count/4⌉·4)  s, then a if CENTERED, then v if MOMENTUM; read and written, zeros at first
//
// hyper.rest is 1 − decay, which the host computes in float64 because f32 is not precise enough.
// Source: PyTorch's documentation of torch.optim.RMSprop (Hinton, lecture 6e; Graves 2013).
// Error: some 5 roundings of u = 2⁻²³ a step in s, halved by the root, and some 15 more; with CENTERED more where s − a²
// cancels.

override CENTERED: bool = false;
override MOMENTUM: bool = false;

struct Hyper {
  count: u32, clip: f32, l1: f32, l2: f32,
  weight_decay: f32, decay: f32, rest: f32, epsilon: f32, momentum: f32,
}
@group(0) @binding(0) var<uniform> hyper: Hyper;
@group(0) @binding(5) var<storage, read_write> state: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let i = global.y * (workgroups.x * 64) + global.x;
  if (4 * i >= hyper.count) { return; }
  let p = parameters[i];
  let g = gradient_of(i, p) + decay_of(i) * p;
  var s = hyper.decay * state[i] + hyper.rest * g * g;
  state[i] = s;
  let row = (hyper.count + 3) >> 2;
  var at = i;
  if (CENTERED) {
    at += row;
    let a = state[at] + hyper.rest * (g - state[at]);
    state[at] = a;
    s = max(s - a * a, vec4f(0.0));
  }
  var d = g / (sqrt(s) + hyper.epsilon);
  if (MOMENTUM) {
    at += row;
    d += hyper.momentum * state[at];
    state[at] = d;
  }
  store_parameters(i, p, p - step.learning_rate * d);
}
