//! uses quad-tiles
//! uses matmul-operands
//! uses sgd-rule
//! uses step
//! uses finite
// Stochastic gradient descent where the gradient is computed: the matmul [dW; db] = op(A) · op(B) is not stored, but each
// element updates its parameter. For CPU adapters with subgroups: quad-tiles.wgsl computes the matmul, and has its grid.
// One dispatch for the matmuls of all layers was tried on SwiftShader: to choose among operands costs every iteration, so it
// took half as long again as matmuls and sgd apart, and seconds to compile, where a dispatch costs 23 µs.
//
//   parameters  f32 (M, N)         read and written
//   velocity    f32 (M, N)         read and written if MOMENTUM
//   layerOfBlock  u32              layerOfBlock[hyper.start] is the layer that the parameters belong to      read if CHECKED
//   status      u32 (1 + layers)   status[1 + layer] becomes the smallest step.index that left a parameter not finite
//
// Operands: matmul-operands.wgsl. Error: that of the matmul, in quad-tiles.wgsl, and of sgd.wgsl.
enable subgroups;

override VEC4_C: bool = false; // N is a multiple of four
override CHECKED: bool = false;

struct Hyper { start: u32, momentum: f32, dampening: f32, weight_decay: f32 }
@group(0) @binding(6) var<uniform> hyper: Hyper;
@group(0) @binding(8) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(9) var<storage, read_write> velocity: array<f32>;
@group(0) @binding(10) var<storage, read_write> status: array<atomic<u32>>;
@group(0) @binding(11) var<storage, read> layerOfBlock: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) { quad_matmul(group.xy, lane); }

// Updates parameters[m, n … n + 3], as far as they lie inside; n does.
fn store_four(m: u32, n: u32, gradient: vec4f) {
  let at = m * dims.N + four(n, dims.N, !VEC4_C);
  let p = vec4f(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]);
  let g = gradient + hyper.weight_decay * p;
  var v = g;
  if (MOMENTUM) { v = next_velocity(g, vec4f(velocity[at.x], velocity[at.y], velocity[at.z], velocity[at.w])); }
  let next = next_parameters(p, g, v);
  if (VEC4_C) {
    if (MOMENTUM) { velocity[at.x] = v.x; velocity[at.y] = v.y; velocity[at.z] = v.z; velocity[at.w] = v.w; }
    parameters[at.x] = next.x; parameters[at.y] = next.y; parameters[at.z] = next.z; parameters[at.w] = next.w;
  } else {
    let count = min(4, dims.N - n);
    for (var lane = 0u; lane < count; lane++) {
      if (MOMENTUM) { velocity[at.x + lane] = v[lane]; }
      parameters[at.x + lane] = next[lane];
    }
  }
  if (CHECKED && any_not_finite(next)) { atomicMin(&status[1 + layerOfBlock[hyper.start]], step.index); }
}
