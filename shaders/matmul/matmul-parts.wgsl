//! uses matmul-operands
//! uses matmul-blocks
//! uses matmul-epilogue
// The end of a matmul whose K several workgroups share, for GPUs: the sum of the parts, and the epilogue. It is a matmul
// itself, of a row of ones and the parts, hence the names; options: matmul-epilogue.wgsl.
//
//   B  f32 (K, M, N)   read                      the sums of matmul-tiled.wgsl with PARTS = K
//   C  f32 (M, N)      written, every element    their sum, with bias, activation or its gradient, and pre-activation
//
// The parts are added in their order, always the same. VEC4_B and VEC4_C hold where N is whole fours.
// One invocation takes four columns of a row. Dispatch workgroups in x, then y: the number of a four is
// y·(64·workgroups in x) + x.
// Error: the parts are one more order of the sum over k, so it is that of matmul-tiled.wgsl; then the epilogue's own.

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
