//! uses matmul-operands
//! uses matmul-blocks
//! uses matmul-epilogue
// The second dispatch of a matmul whose K is divided among several workgroups, for GPUs: it adds the parts and applies the
// epilogue. It is itself a matmul, of a row of ones and the parts, hence the names. Bias, activation and C:
// matmul-epilogue.wgsl.
//
//   B  f32 (K, M, N)   read                     the sums that matmul-tiled.wgsl computes with PARTS = K
//   C  f32 (M, N)      written, every element   their sum, with bias and activation, or times f′; if KEEP, also pre-activations
//
// The parts are added from the first to the last, always in the same order. VEC4_B and VEC4_C are true if N is a multiple of
// four.
// One invocation takes four columns of a row. Dispatch workgroups along x, then along y: invocation (x, y) takes the four
// columns with number y·(64·workgroups along x) + x.
// Error: that of matmul-tiled.wgsl, since parts only change the order of the sum over k; then that of the epilogue.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let fours = (dims.N + 3) / 4;
  let number = global.y * (workgroups.x * 64) + global.x;
  let m = number / fours;
  let n = number % fours * 4;
  if (m >= dims.M) { return; }
  let columns = four(n, dims.N, !VEC4_C);
  var sums = vec4f();
  for (var part = 0u; part < dims.K; part++) {
    sums += four_B((part * dims.M + m) * dims.N + columns);
  }
  store_four(m, n, sums);
}
