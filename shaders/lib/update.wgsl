//! uses penalties
//! uses finite
// The bindings of every update of parameters, the gradients that an update uses, and its store. Appended to files that have
// the line `//! uses update`; each of them declares a uniform hyper with the fields count, clip and weight_decay, a uniform
// step, and binding 5, its state.
//
//   gradients   f32 (count)        read, as vec4f
//   parameters  f32 (count)        read and written, as vec4f; the last vec4 may reach beyond count, where nothing changes
//   layerOfBlock  u32 (count/64)   the layer that each block of 64 elements belongs to                        read if CHECKED
//   status      u32 (1 + layers)   if CHECKED, status[1 + layer] becomes the smallest step.index after which a parameter
//                                  of that layer is not finite
//   scale       f32 (2)            two factors from gradient-norm.wgsl, which multiply each gradient          read if CLIP_NORM
//   parameterMask                  as in penalties.wgsl                                      read if PENALTIES or DECAY_WEIGHTS
//
// One invocation updates four elements, because a CPU adapter takes longer for them one by one.
// Dispatch workgroups along x, then along y: invocation (x, y) updates vec4 number y·(64·workgroups along x) + x.

override WHOLE: bool = false; // count is a multiple of four
override CHECKED: bool = false;
override CLIP_VALUE: bool = false;
override CLIP_NORM: bool = false;
override DECAY_WEIGHTS: bool = false; // weight decay is for the entries of weight matrices only

@group(0) @binding(2) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(3) var<storage, read> layerOfBlock: array<u32>;
@group(0) @binding(4) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> status: array<atomic<u32>>;
@group(0) @binding(7) var<storage, read> scale: array<f32>;
@group(0) @binding(8) var<storage, read> parameterMask: array<vec2u>;

// Gradients of elements 4·i … 4·i + 3, whose values are p, after penalties and clipping.
fn gradient_of(i: u32, p: vec4f) -> vec4f {
  let g = penalised(i, gradients[i], p);
  if (CLIP_NORM) { return g * scale[0] * scale[1]; }
  if (!CLIP_VALUE) { return g; }
  // A NaN stays a NaN, so that it is noticed; clamp may turn it into a number.
  let is_nan = (bitcast<vec4u>(g) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
  return select(clamp(g, vec4f(-hyper.clip), vec4f(hyper.clip)), g, is_nan);
}

// Weight decay of elements 4·i … 4·i + 3.
fn decay_of(i: u32) -> vec4f {
  if (!DECAY_WEIGHTS) { return vec4f(hyper.weight_decay); }
  return select(vec4f(0.0), vec4f(hyper.weight_decay), four_bits(parameterMask[i >> 3].y, i));
}

// `after` for those of elements 4·i … 4·i + 3 that are below count, and `before` for the others.
fn changed_below_count(i: u32, before: vec4f, after: vec4f) -> vec4f {
  var four = after;
  if (!WHOLE) { four = select(before, after, vec4u(4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3) < vec4u(hyper.count)); }
  return four;
}

// Stores `next` as elements 4·i … 4·i + 3 of the parameters, whose values were p.
fn store_parameters(i: u32, p: vec4f, next: vec4f) {
  let updated = changed_below_count(i, p, next);
  parameters[i] = updated;
  // ReLU turns a NaN into 0 in the next step, so a NaN that is not noticed here is not noticed at all.
  if (CHECKED && any_not_finite(updated)) {
    atomicMin(&status[1 + layerOfBlock[i >> 4]], step.index);
  }
}
