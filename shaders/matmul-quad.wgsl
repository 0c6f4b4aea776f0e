//! uses matmul-operands
//! uses matmul-storage
//! uses quad-tile
//! uses activations
// A product from register tiles that four neighbours load together, for CPU adapters with subgroups. Operands and options:
// matmul-operands.wgsl; error: matmul-direct.wgsl.
//
// quad-tile.wgsl tells how. If K_TAIL, what is beyond the end of K counts as zero.
// Dispatch a workgroup for 2 × 2 tiles; M without the row of ones.
enable subgroups;

override K_TAIL: bool = true;

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) subgroup_lane: u32) {
  let lane = vec2u(subgroup_lane % 2, subgroup_lane / 2 % 2);
  let tile = tile_size();
  compute_tile((2 * group.xy + lane) * tile, lane);
  // The last workgroups down the rows add the row of ones.
  if (ONES_ROW && group.y == (stored_rows() - 1) / (2 * tile.y)) {
    for (var column = lane.x + 2 * lane.y; column < 2 * tile.x; column += 4) {
      let at_n = 2 * group.x * tile.x + column;
      if (at_n < dims.N) { store(dims.M - 1, at_n, column_sum(at_n)); }
    }
  }
}
