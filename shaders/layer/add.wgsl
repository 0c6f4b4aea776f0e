//! uses activations
//! uses activation-gradient
// Y = f(A + B), or Y = (A + B) ⊙ f′(kept): a residual block's output, and its gradients. Without ADD, A alone.
//
//   A, B  f32 (count)   read; B if ADD
//   kept  f32 (count)   read if ACTIVATION_GRADIENT, see activation-gradient.wgsl
//   Y     f32 (count)   written, every element; and, if KEEP, the sums from element count on
//
// One invocation takes four elements. Dispatch workgroups in x, then y: a four's number is y·(64·workgroups in x) + x.
// Error: one rounding for the sum, then the activation's own, or the derivative's and one for the product.

override ADD: bool = true;
override KEEP: bool = false;

struct Dims { count: u32, kept_offset: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> A: array<f32>;
@group(0) @binding(2) var<storage, read> B: array<f32>;
@group(0) @binding(3) var<storage, read> kept: array<f32>;
@group(0) @binding(4) var<storage, read_write> Y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let first = 4 * (global.y * (workgroups.x * 64) + global.x);
  for (var i = first; i < min(first + 4, dims.count); i++) {
    var sum = A[i];
    if (ADD) { sum += B[i]; }
    if (KEEP) { Y[dims.count + i] = sum; }
    if (ACTIVATION_GRADIENT) {
      Y[i] = times_activation_gradient(i, sum);
    } else {
      Y[i] = activate(sum);
    }
  }
}
