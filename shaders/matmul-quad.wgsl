//! uses matmul-storage
//! uses quad-tile
//! uses activations
// C = f(op(A) · op(B) + bias), or C = (op(A) · op(B)) ⊙ f′(gate): register tiles that four neighbours load together, for
// CPU adapters with subgroups. Operands, options and error are those of matmul-direct.wgsl.
//
// quad-tile.wgsl tells how. If K_TAIL, what is beyond the end of K counts as zero.
// Dispatch a workgroup for 2 × 2 tiles; M without the row of ones.
enable subgroups;

override TRANSPOSE_A: bool = false;
override TRANSPOSE_B: bool = false;
override ONES_ROW: bool = false;
override VEC4_A: bool = false;
override VEC4_B: bool = false;
override BIAS: bool = false;
override GATE: bool = false;
override KEEP: bool = false;
override K_TAIL: bool = true;

struct Dims { M: u32, N: u32, K: u32, bias_offset: u32, gate_offset: u32, keep_offset: u32 }

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> A: array<f32>;
@group(0) @binding(2) var<storage, read> A4: array<vec4f>;
@group(0) @binding(3) var<storage, read> B: array<f32>;
@group(0) @binding(4) var<storage, read> B4: array<vec4f>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read> gate: array<f32>;
@group(0) @binding(7) var<storage, read_write> C: array<f32>;

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

// matmul-storage.wgsl finds elements by their number.
fn place_of_A(k: u32) -> u32 { return k; }
