//! uses quad-tiles
//! uses matmul-epilogue
// A matmul for CPU adapters with subgroups. How, its grid and its error: quad-tiles.wgsl; operands: matmul-operands.wgsl;
// options: matmul-epilogue.wgsl.
enable subgroups;

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) { quad_matmul(group.xy, lane); }
