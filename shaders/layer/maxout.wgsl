// Maxout: the largest of the pieces of each unit. Piece k of unit u is column u·pieces + k of Z.
//
//   forward     Y[r, u] ← maxₖ Z[r, u·pieces + k]
//   BACKWARD    dZ[r, u·pieces + k] ← dY[r, u] for the first k at which Z is largest, else 0
//
//   Z   f32 (rows, units·pieces)   read
//   dY  f32 (rows, units)          read if BACKWARD
//   Y   f32 (rows, units), or, if BACKWARD, dZ: f32 (rows, units·pieces)       written, every element
//
// One invocation takes the pieces of one unit in one row. Dispatch workgroups along x, then along y: invocation (x, y) takes
// row r and unit u with r·units + u = y·(64·workgroups along x) + x. The backward pass finds the largest piece again instead
// of storing its index.
// Error: none, unless rounding errors of Z have changed which piece is the largest.

override BACKWARD: bool = false;

struct Dims { count: u32, pieces: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> Z: array<f32>;
@group(0) @binding(2) var<storage, read> dY: array<f32>;
@group(0) @binding(3) var<storage, read_write> Y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let i = global.y * (workgroups.x * 64) + global.x;
  if (i >= dims.count) { return; }
  let first = i * dims.pieces;
  var winner = first;
  var largest = Z[first];
  for (var at = first + 1; at < first + dims.pieces; at++) {
    let z = Z[at];
    if (z > largest) {
      largest = z;
      winner = at;
    }
  }
  if (!BACKWARD) {
    Y[i] = largest;
    return;
  }
  let d = dY[i];
  for (var at = first; at < first + dims.pieces; at++) { Y[at] = select(0.0, d, at == winner); }
}
