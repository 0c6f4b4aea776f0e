//! uses update
// Adam, or, if DECOUPLED, AdamW, in PyTorch's form and order of operations. update.wgsl has what all updates share: bindings,
// penalties, clipping and the grid.
//
//   g ← gradient + weight_decay·p; if DECOUPLED, g ← gradient and p ← p·(1 − step.learning_rate·weight_decay)
//   m ← m + (1 − β₁)·(g − m)
//   v ← β₂·v + (1 − β₂)·g²
//   p ← p − step.learning_rate / step.correction1 · m / (√v / step.correction2 + epsilon)
//
//   state       f32 (2, ⌈count/4⌉·4)  m, then v; read and written, zeros at first
//
// The host computes in float64 the numbers for which f32 is not precise enough: hyper.rest1 = 1 − β₁, hyper.rest2 = 1 − β₂,
// and, for the t-th step, correction1 = 1 − β₁ᵗ and correction2 = √(1 − β₂ᵗ). The record of a step has the corrections after
// the four fields of step.wgsl, so this shader declares its own Step.
// Sources: PyTorch's documentation of torch.optim.Adam and AdamW (Kingma & Ba 2015; Loshchilov & Hutter 2019).
// Error: some 5 roundings of u = 2⁻²³ a step in m and in v, those of v halved by the root, and some 20 more.

override DECOUPLED: bool = false;

struct Hyper {
  count: u32, clip: f32, l1: f32, l2: f32,
  weight_decay: f32, rest1: f32, beta2: f32, rest2: f32, epsilon: f32,
}
struct Step { first: u32, rows: u32, index: u32, learning_rate: f32, correction1: f32, correction2: f32 }
@group(0) @binding(0) var<uniform> hyper: Hyper;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(5) var<storage, read_write> state: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let i = global.y * (workgroups.x * 64) + global.x;
  if (4 * i >= hyper.count) { return; }
  let p = parameters[i];
  var g = gradient_of(i, p);
  var decayed = p;
  if (DECOUPLED) {
    decayed *= 1.0 - step.learning_rate * decay_of(i);
  } else {
    g += decay_of(i) * p;
  }
  let second = i + ((hyper.count + 3) >> 2);
  let m = state[i] + hyper.rest1 * (g - state[i]);
  let v = hyper.beta2 * state[second] + hyper.rest2 * g * g;
  state[i] = m;
  state[second] = v;
  store_parameters(i, p, decayed - step.learning_rate / step.correction1 * m / (sqrt(v) / step.correction2 + hyper.epsilon));
}
