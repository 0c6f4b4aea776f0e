// B = Aᵀ, through a tile in workgroup memory: neighbours read neighbours, and write neighbours.
//
//   A  f32 (rows, columns)   read
//   B  f32 (columns, rows)   written, every element
//
// A workgroup takes a tile of 32 × 32 elements, an invocation four rows of a column of it. In workgroup memory a row has 33
// elements, so that the elements of a column are in 32 different banks.
// Dispatch ⌈rows/32⌉·⌈columns/32⌉ workgroups in x, then y; tiles are numbered row by row.
// Error: none, elements are copied.

struct Dims { rows: u32, columns: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> A: array<f32>;
@group(0) @binding(2) var<storage, read_write> B: array<f32>;

var<workgroup> tile: array<f32, 1056>;

@compute @workgroup_size(32, 8)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let across = (dims.columns + 31) / 32;
  let number = group.y * workgroups.x + group.x;
  let top = number / across * 32;
  let left = number % across * 32;
  let column = left + local.x;
  for (var y = local.y; y < 32; y += 8) {
    let row = top + y;
    if (row < dims.rows && column < dims.columns) { tile[33 * y + local.x] = A[row * dims.columns + column]; }
  }
  workgroupBarrier();
  // Rows of A are columns of B.
  let row = top + local.x;
  for (var y = local.y; y < 32; y += 8) {
    let column = left + y;
    if (row < dims.rows && column < dims.columns) { B[column * dims.rows + row] = tile[33 * local.x + y]; }
  }
}
