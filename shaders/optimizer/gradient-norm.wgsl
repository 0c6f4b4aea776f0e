//! uses penalties
//! uses finite
// The factor min(1, hyper.clip / (norm + 1e-6)): multiplied by it, all gradients together have a Euclidean norm of at most
// hyper.clip. With NORM, the norm itself.
//
//   gradients   f32 (count)              read      as vec4f
//   parameters  f32 (count)              read if PENALTIES: the norm then includes the gradients of the penalties
//   parameterMask  as in penalties.wgsl  read if MASKED or PENALTIES; MASKED leaves out the padding between parameters
//   sums        f32 (invocations, 2)     sums of squares, of large gradients and of all others; written, then read if FINISH.
//                                        With NORM (2, invocations, 2): then also of small gradients, and a number that is 0
//   scale       f32 (2)                  written if FINISH: two numbers, whose product is the factor, or the norm
//
// There are two dispatches. In the first, ⌈hyper.invocations/64⌉ workgroups, invocation i adds up the vec4s i, i + invocations,
// i + 2·invocations … The second, one workgroup with FINISH, adds the sums of the first. The order of both is fixed.
// No intermediate result overflows: gradients of 2⁴⁰ and more are multiplied by 2⁻⁸⁴ before they are squared, and scale[0]
// then is 2⁻⁸⁴ too. If a gradient is not finite, scale[1] is not finite either, and neither is any parameter after the update,
// which notices it. A factor of 1 changes no bit. With NORM, gradients below 2⁻⁴⁰ are multiplied by 2⁸⁴ before they are
// squared, so that none is lost; for the factor they do not matter beside the 1e-6.
// Source: PyTorch's documentation of torch.nn.utils.clip_grad_norm_ (Pascanu et al. 2013); sums: Blue 1978.
// Error: (count / (4·invocations) + 70 + invocations/64)·u/2 + 12u relative to the norm, u = 2⁻²³; without NORM, squares below
// 2⁻¹²⁶ are 0. A norm of 0 is exact.

override FINISH: bool = false;
override MASKED: bool = false;
override NORM: bool = false;

const LARGE = 1099511627776.0; // 2⁴⁰
const SMALLER = 5.169878828456423e-26; // 2⁻⁸⁴
const SMALL = 9.094947017729282e-13; // 2⁻⁴⁰
const LARGER = 1.9342813113834067e25; // 2⁸⁴

struct Hyper { count: u32, clip: f32, l1: f32, l2: f32, invocations: u32 }
@group(0) @binding(0) var<uniform> hyper: Hyper;
@group(0) @binding(1) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(2) var<storage, read> parameters: array<vec4f>;
@group(0) @binding(3) var<storage, read> parameterMask: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> sums: array<vec2f>;
@group(0) @binding(5) var<storage, read_write> scale: array<f32>;
var<workgroup> parts: array<vec3f, 64>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(local_invocation_index) thread: u32) {
  if (!FINISH) {
    let found = squares(global.x);
    sums[global.x] = found.xy;
    if (NORM) { sums[hyper.invocations + global.x] = vec2f(found.z, 0.0); }
    return;
  }
  var part = vec3f(0.0);
  for (var i = thread; i < hyper.invocations; i += 64) {
    var small = 0.0;
    if (NORM) { small = sums[hyper.invocations + i].x; }
    part += vec3f(sums[i], small);
  }
  parts[thread] = part;
  workgroupBarrier(); // all parts are written before they are added
  if (thread > 0) { return; }
  for (var other = 1u; other < 64; other++) { part += parts[other]; }
  var factors: vec2f;
  if (NORM) { factors = norm_factors(part); } else { factors = clip_factors(part.x, part.y); }
  scale[0] = factors.x;
  scale[1] = factors.y;
}

// Sums of squares of vec4s start, start + invocations …: of large elements, scaled; of all others; and with NORM of small ones,
// scaled, which are then left out of the others.
fn squares(start: u32) -> vec3f {
  var large = vec4f(0.0);
  var others = vec4f(0.0);
  var small = vec4f(0.0);
  for (var i = start; 4 * i < hyper.count; i += hyper.invocations) {
    var p = vec4f(0.0);
    if (PENALTIES) { p = parameters[i]; }
    var counts = vec4u(4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3) < vec4u(hyper.count);
    if (MASKED) { counts = counts & four_bits(parameterMask[i >> 3].x, i); }
    let g = select(vec4f(0.0), penalised(i, gradients[i], p), counts);
    let is_large = abs(g) >= vec4f(LARGE);
    let scaled = select(vec4f(0.0), g * SMALLER, is_large);
    var other = select(g, vec4f(0.0), is_large);
    if (NORM) {
      let is_small = abs(g) < vec4f(SMALL);
      let enlarged = select(vec4f(0.0), g * LARGER, is_small);
      other = select(other, vec4f(0.0), is_small);
      small += enlarged * enlarged;
    }
    large += scaled * scaled;
    others += other * other;
  }
  return vec3f(
    (large.x + large.y) + (large.z + large.w),
    (others.x + others.y) + (others.z + others.w),
    (small.x + small.y) + (small.z + small.w),
  );
}

// The two numbers of `scale` with NORM, from the sums of squares of large, other and small gradients.
fn norm_factors(sum: vec3f) -> vec2f {
  if (not_finite(sum.x + sum.y)) { return vec2f(1.0, sum.x + sum.y); }
  if (sum.x > 0.0) {
    let rest = sqrt(sum.y) * SMALLER;
    return vec2f(LARGER, sqrt(sum.x + rest * rest));
  }
  if (sum.y > 0.0) {
    let rest = sqrt(sum.z) * SMALLER;
    return vec2f(1.0, sqrt(sum.y + rest * rest));
  }
  return vec2f(SMALLER, sqrt(sum.z));
}

// The two numbers of `scale`, from the two sums of squares of all gradients.
fn clip_factors(large: f32, others: f32) -> vec2f {
  let both = large + others;
  if (not_finite(both)) { return vec2f(1.0, both); }
  if (large == 0.0) { return vec2f(1.0, min(1.0, hyper.clip / (sqrt(others) + 1e-6))); }
  // `others` is scaled after its root, since compilers may combine two factors SMALLER into one, which is 0. The 1e-6 is left
  // out, since it is negligible beside such a norm.
  let rest = sqrt(others) * SMALLER;
  return vec2f(SMALLER, min(1.0 / SMALLER, hyper.clip / sqrt(large + rest * rest)));
}
