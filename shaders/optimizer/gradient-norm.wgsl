//! uses penalties
//! uses finite
// By what all gradients are multiplied so that their Euclidean norm is at most hyper.clip: min(1, clip / (norm + 1e-6)).
//
//   gradients   f32 (count)              read      as vec4f
//   parameters  f32 (count)              read if PENALTIES, which the norm includes
//   parameterMask  as in penalties.wgsl  read if MASKED or PENALTIES; MASKED leaves out the padding between parameters
//   sums        f32 (invocations, 2)     sums of squares, of large gradients and of others; written, then read if FINISH
//   scale       f32 (2)                  written if FINISH: two factors, whose product it is
//
// Two dispatches: of as many workgroups as there are sums for, each invocation adds every so-many-th vec4; then with FINISH
// of one workgroup, which adds the sums. The order is fixed.
// No norm overflows on the way: gradients of 2⁴⁰ and more are scaled by 2⁻⁸⁴ before they are squared, and the first factor
// scales them likewise. If a gradient is not finite, neither is the second factor: all parameters become so, and an update
// notices that. A scale of 1 changes no bit.
// Source: PyTorch's documentation of torch.nn.utils.clip_grad_norm_ (Pascanu et al. 2013); two sums: Blue 1978.
// Error: (count / (4·invocations) + 70 + invocations/64)·u/2 + 12u relative to the norm, u = 2⁻²³; squares below 2⁻¹²⁶ are 0.

override FINISH: bool = false;
override MASKED: bool = false;

const LARGE = 1099511627776.0; // 2⁴⁰
const SMALLER = 5.169878828456423e-26; // 2⁻⁸⁴

struct Hyper { count: u32, clip: f32, l1: f32, l2: f32, invocations: u32 }
@group(0) @binding(0) var<uniform> hyper: Hyper;
@group(0) @binding(1) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(2) var<storage, read> parameters: array<vec4f>;
@group(0) @binding(3) var<storage, read> parameterMask: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> sums: array<vec2f>;
@group(0) @binding(5) var<storage, read_write> scale: array<f32>;
var<workgroup> parts: array<vec2f, 64>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(local_invocation_index) thread: u32) {
  if (!FINISH) {
    sums[global.x] = squares(global.x);
    return;
  }
  var part = vec2f(0.0);
  for (var i = thread; i < hyper.invocations; i += 64) { part += sums[i]; }
  parts[thread] = part;
  workgroupBarrier(); // all parts are there
  if (thread > 0) { return; }
  for (var other = 1u; other < 64; other++) { part += parts[other]; }
  let factors = clipping(part.x, part.y);
  scale[0] = factors.x;
  scale[1] = factors.y;
}

// The sums of the squares of every so-many-th vec4: of large elements, scaled; and of others.
fn squares(start: u32) -> vec2f {
  var large = vec4f(0.0);
  var others = vec4f(0.0);
  for (var i = start; 4 * i < hyper.count; i += hyper.invocations) {
    var p = vec4f(0.0);
    if (PENALTIES) { p = parameters[i]; }
    var counts = vec4u(4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3) < vec4u(hyper.count);
    if (MASKED) { counts = counts & four_bits(parameterMask[i >> 3].x, i); }
    let g = select(vec4f(0.0), penalised(i, gradients[i], p), counts);
    let is_large = abs(g) >= vec4f(LARGE);
    let scaled = select(vec4f(0.0), g * SMALLER, is_large);
    let other = select(g, vec4f(0.0), is_large);
    large += scaled * scaled;
    others += other * other;
  }
  return vec2f((large.x + large.y) + (large.z + large.w), (others.x + others.y) + (others.z + others.w));
}

fn clipping(large: f32, others: f32) -> vec2f {
  let both = large + others;
  if (not_finite(both)) { return vec2f(1.0, both); }
  if (large == 0.0) { return vec2f(1.0, min(1.0, hyper.clip / (sqrt(others) + 1e-6))); }
  // Scaled after the root: compilers join two factors SMALLER, to 0. Beside such a norm 1e-6 is nothing.
  let rest = sqrt(others) * SMALLER;
  return vec2f(SMALLER, min(1.0 / SMALLER, hyper.clip / sqrt(large + rest * rest)));
}
