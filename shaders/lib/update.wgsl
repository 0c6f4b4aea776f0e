//! uses penalties
//! uses finite
// The operands of every update of parameters, the gradients that it takes, and the parameters that it leaves. Appended to files
// whose header says so; such a file has a uniform hyper, with count and clip, a uniform step, and binding 5 for its state.
//
//   gradients   f32 (count)        read                  as vec4f; the last one may reach beyond count, where parameters do
//   parameters  f32 (count)        read and written      not change
//   layerOfBlock  u32 (count/64)   the layer that each block of 64 elements belongs to                 read if CHECKED
//   status      u32 (1 + layers)   status[1 + layer] becomes the smallest step.index that left a parameter not finite
//   scale       f32 (2)            what gradient-norm.wgsl says to multiply gradients by               read if CLIP_NORM
//
// One invocation updates four elements: a CPU adapter takes longer for them one by one.
// Dispatch workgroups in x, then y: a vec4's number is y·(64·workgroups in x) + x.

override WHOLE: bool = false; // count is a multiple of four
override CHECKED: bool = false;
override CLIP_VALUE: bool = false;
override CLIP_NORM: bool = false;

@group(0) @binding(2) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(3) var<storage, read> layerOfBlock: array<u32>;
@group(0) @binding(4) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> status: array<atomic<u32>>;
@group(0) @binding(7) var<storage, read> scale: array<f32>;
@group(0) @binding(8) var<storage, read> parameterMask: array<vec2u>;

// Four gradients, as penalties and clipping leave them.
fn gradient_of(i: u32, p: vec4f) -> vec4f {
  let g = penalised(i, gradients[i], p);
  if (CLIP_NORM) { return g * scale[0] * scale[1]; }
  if (!CLIP_VALUE) { return g; }
  // A NaN stays one, to be noticed; clamp may make a number of it.
  let is_nan = (bitcast<vec4u>(g) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
  return select(clamp(g, vec4f(-hyper.clip), vec4f(hyper.clip)), g, is_nan);
}

// Four numbers that become others, as far as there are elements.
fn changed(i: u32, before: vec4f, after: vec4f) -> vec4f {
  var four = after;
  if (!WHOLE) { four = select(before, after, vec4u(4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3) < vec4u(hyper.count)); }
  return four;
}

// Four parameters that were p.
fn put(i: u32, p: vec4f, next: vec4f) {
  let updated = changed(i, p, next);
  parameters[i] = updated;
  // ReLU turns a NaN into a harmless 0 in the next step, so a ruined model is noticed here or not at all.
  if (CHECKED && any_not_finite(updated)) {
    atomicMin(&status[1 + layerOfBlock[i >> 4]], step.index);
  }
}
