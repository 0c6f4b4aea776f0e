//! uses activation-gradient
//! uses philox
//! uses step
// Inverted dropout: each element is kept with probability 1 − rate, and then divided by that.
//
//   Y[i] = X[i]·scale if word[i] ≥ threshold, else 0; times f′(kept[i]) if ACTIVATION_GRADIENT
//   scale = 1/(1 − rate), threshold = ⌊rate·2³²⌋
//
// word[i] is word i mod 4 of philox(counter (⌊i/4⌋, step.index, stream, 0), key): nothing is stored, and the gradient's mask is
// computed again. Words are compared as integers, so that every adapter keeps the same elements.
//
//   X     f32 (count)   read
//   kept  f32 (count)   read if ACTIVATION_GRADIENT, see activation-gradient.wgsl
//   Y     f32 (count)   written, every element
//
// One invocation takes four elements. Dispatch workgroups in x, then y: a four's number is y·(64·workgroups in x) + x.
// Error: scale's rounding and the product's, 2·u of the result; with ACTIVATION_GRADIENT the derivative's and one more.

struct Dims { count: u32, kept_offset: u32, threshold: u32, scale: f32, key_low: u32, key_high: u32, stream: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(2) var<storage, read> X: array<f32>;
@group(0) @binding(3) var<storage, read> kept: array<f32>;
@group(0) @binding(4) var<storage, read_write> Y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let four = global.y * (workgroups.x * 64) + global.x;
  if (4 * four >= dims.count) { return; }
  let words = philox(vec4u(four, step.index, dims.stream, 0), vec2u(dims.key_low, dims.key_high));
  for (var k = 0u; k < 4; k++) {
    let i = 4 * four + k;
    if (i < dims.count) { Y[i] = times_activation_gradient(i, select(0.0, X[i] * dims.scale, words[k] >= dims.threshold)); }
  }
}
