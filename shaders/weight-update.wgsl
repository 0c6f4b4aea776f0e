//! uses quad-tile
// All dense layers' gradients and the update that they are for, in one dispatch, for CPU adapters with subgroups. For each
// layer l
//
//   [dW; db] = [A 1]ᵀ·dZ, which nobody stores, and then as in sgd.wgsl, with [W; b] as p and dW or db as the gradient:
//   g ← gradient + weight_decay·p
//   v ← g on the first step (step.index = 0), then momentum·v + (1 − dampening)·g
//   p ← p − step.learning_rate·(v, or g + momentum·v if NESTEROV)
//
//   A           (batch, M)   the layer's input                                  read
//   dZ          (batch, N)   the gradient of its pre-activation                 read
//   parameters  f32          of all layers; layer l's M·N weights and, if bias, N biases from l.parameters on
//   velocity    f32          at the same places                                 both read and written
//   status      u32          status[1 + l] becomes the smallest step.index that left a parameter not finite
//
// Where a layer's operands are found, l.source says, from element l.A and l.dZ on:
//
//   0   A in `data`, dZ in `even`. data is f32; or, if GATHERED, rows of a data set, where row k of the batch is
//       order[step.first + min(k, step.rows − 1)] and a value counts as value·scale + shift; if BYTES, u8 packed four to a
//       word; if ALIGNED, rows begin at words
//   1   if BOTH_EVEN: both in `even`          2   if A_ODD: A in `odd`, dZ in `even`
//   3   if DZ_ODD: A in `even`, dZ in `odd`   4   if BOTH_ODD: both in `odd`
//
// To choose between buffers where an element is loaded would cost nearly as much as a second load. So the tile's loop stands
// in the program once for each source that there is, and those that are not the workgroup's end after one iteration.
// Loads go beyond the last row or column without a mask: what they find there is in sums that nobody stores.
// Dispatch a workgroup for 2 × 2 tiles of a layer, layer by layer, in x, then y.
// Error: as for the product and the update one after the other.

enable subgroups;

override GATHERED: bool = false;
override BYTES: bool = false; // only if GATHERED
override ALIGNED: bool = false; // only if BYTES
override BOTH_EVEN: bool = false;
override A_ODD: bool = false;
override DZ_ODD: bool = false;
override BOTH_ODD: bool = false;
override K_TAIL: bool = true;
override NESTEROV: bool = false;

struct Dims { layers: u32, K: u32, scale: f32, shift: f32, momentum: f32, dampening: f32, weight_decay: f32 }
struct Layer { M: u32, N: u32, A: u32, dZ: u32, parameters: u32, bias: u32, source: u32, status: u32 }
struct Step { first: u32, rows: u32, index: u32, learning_rate: f32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<uniform> layers: array<Layer, 32>;
@group(0) @binding(2) var<uniform> step: Step;
@group(0) @binding(3) var<storage, read> data: array<u32>;
@group(0) @binding(4) var<storage, read> order: array<u32>;
@group(0) @binding(5) var<storage, read> even: array<f32>;
@group(0) @binding(6) var<storage, read> odd: array<f32>;
@group(0) @binding(7) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(8) var<storage, read_write> velocity: array<f32>;
@group(0) @binding(9) var<storage, read_write> status: array<atomic<u32>>;

var<private> layer: Layer;
// Constants once the calls are inlined, and so is whatever depends on them.
var<private> from_data: bool;
var<private> A_is_odd: bool;
var<private> dZ_is_odd: bool;
// Its highest bit says that an updated parameter is not finite.
var<private> not_finite: u32;

@compute @workgroup_size(4)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  let lane = vec2u(subgroup_lane % 2, subgroup_lane / 2 % 2);
  let tile = 2 * tile_size();
  var number = group.y * groups.x + group.x;
  var l = 0u;
  var columns = 0u;
  for (; l < dims.layers; l++) {
    columns = (layers[l].N + tile.x - 1) / tile.x;
    let count = columns * ((layers[l].M + tile.y - 1) / tile.y);
    if (number < count) { break; }
    number -= count;
  }
  if (l == dims.layers) { return; }
  layer = layers[l];
  let origin = vec2u(number % columns, number / columns) * tile;
  let source = layers[l].source;
  if (source == 0) {
    from_data = true;
    dZ_is_odd = false;
    update_tiles(origin, lane);
  }
  from_data = false;
  if (BOTH_EVEN && source == 1) {
    A_is_odd = false;
    dZ_is_odd = false;
    update_tiles(origin, lane);
  }
  if (A_ODD && source == 2) {
    A_is_odd = true;
    dZ_is_odd = false;
    update_tiles(origin, lane);
  }
  if (DZ_ODD && source == 3) {
    A_is_odd = false;
    dZ_is_odd = true;
    update_tiles(origin, lane);
  }
  if (BOTH_ODD && source == 4) {
    A_is_odd = true;
    dZ_is_odd = true;
    update_tiles(origin, lane);
  }
  if (not_finite >= 0x80000000) { atomicMin(&status[layer.status], step.index); }
}

fn update_tiles(origin: vec2u, lane: vec2u) {
  compute_tile(origin + lane * tile_size(), lane);
  // The last workgroups down the rows have the biases too.
  let tile = 2 * tile_size();
  if (layer.bias > 0 && origin.y + tile.y >= layer.M) {
    for (var column = 4 * (lane.x + 2 * lane.y); column < tile.x; column += 16) {
      let n = origin.x + column;
      var sums = vec4f();
      for (var k = 0u; k < dims.K; k++) { sums += four_of_dZ(layer.dZ + k * layer.N + n); }
      store_four(layer.M, n, sums);
    }
  }
}

fn stored_rows() -> u32 { return layer.M; }

fn start_A(m: u32) -> u32 { return select(m, m / 4, ALIGNED && from_data); }

// Where the rows k … k + 3 of A begin: in words if ALIGNED, else in elements.
fn place_of_A(k: u32) -> vec4u {
  var row = min(vec4u(k, k + 1, k + 2, k + 3), vec4u(dims.K - 1));
  if (GATHERED && from_data) {
    row = step.first + min(row, vec4u(step.rows - 1));
    row = vec4u(order[row.x], order[row.y], order[row.z], order[row.w]);
  }
  let place = layer.A + row * layer.M;
  return select(place, place / 4, ALIGNED && from_data);
}

fn four_k_of_A(start: u32, place: vec4u) -> mat4x4f {
  let at = start + place;
  return transpose(mat4x4f(four_of_A(at.x), four_of_A(at.y), four_of_A(at.z), four_of_A(at.w)));
}

fn four_of_A(at: u32) -> vec4f {
  var four: vec4f;
  if (!from_data) {
    four = four_of(at, A_is_odd);
  } else if (ALIGNED) {
    four = vec4f((vec4u(data[at]) >> vec4u(0, 8, 16, 24)) & vec4u(0xff));
  } else {
    four = vec4f(value(at), value(at + 1), value(at + 2), value(at + 3));
  }
  if (GATHERED && from_data) { four = four * dims.scale + dims.shift; }
  return four;
}

fn value(at: u32) -> f32 {
  var x: f32;
  if (BYTES) {
    x = f32((data[at / 4] >> (at % 4 * 8)) & 0xff);
  } else {
    x = bitcast<f32>(data[at]);
  }
  return x;
}

fn start_B(n: u32) -> u32 { return layer.dZ + n; }

fn four_k_of_B(start: u32, k: u32) -> mat4x4f {
  return mat4x4f(one_k_of_B(start, k), one_k_of_B(start, k + 1), one_k_of_B(start, k + 2), one_k_of_B(start, k + 3));
}

// Zeros beyond K, where A repeats its last row.
fn one_k_of_B(start: u32, k: u32) -> vec4f {
  return select(four_of_dZ(start + k * layer.N), vec4f(), K_TAIL && k >= dims.K);
}

fn four_of_dZ(at: u32) -> vec4f { return four_of(at, dZ_is_odd); }

fn four_of(at: u32, is_odd: bool) -> vec4f {
  var four: vec4f;
  if (is_odd) {
    four = vec4f(odd[at], odd[at + 1], odd[at + 2], odd[at + 3]);
  } else {
    four = vec4f(even[at], even[at + 1], even[at + 2], even[at + 3]);
  }
  return four;
}

// Updates the parameters [m, n … n + 3] whose gradients are the sums. Beyond the last column the last parameter stands in,
// with the same value for each: a loop over what is inside would cost more, even where all is.
fn store_four(m: u32, n: u32, sums: vec4f) {
  if (n >= layer.N) { return; }
  let last = layer.N - n - 1;
  let at = layer.parameters + m * layer.N + n + min(vec4u(0, 1, 2, 3), vec4u(last));
  let y = select(sums.x, sums.y, last > 0);
  let z = select(y, sums.z, last > 1);
  let p = vec4f(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]);
  let g = vec4f(sums.x, y, z, select(z, sums.w, last > 2)) + dims.weight_decay * p;
  var v = g;
  if (step.index > 0) {
    v = dims.momentum * vec4f(velocity[at.x], velocity[at.y], velocity[at.z], velocity[at.w]) + (1.0 - dims.dampening) * g;
  }
  velocity[at.x] = v.x;
  velocity[at.y] = v.y;
  velocity[at.z] = v.z;
  velocity[at.w] = v.w;
  let updated = p - step.learning_rate * select(v, g + dims.momentum * v, NESTEROV);
  parameters[at.x] = updated.x;
  parameters[at.y] = updated.y;
  parameters[at.z] = updated.z;
  parameters[at.w] = updated.w;
  // An exponent of ones, as infinity and NaN have, overflows into the sign.
  let signs = (bitcast<vec4u>(updated) & vec4u(0x7f800000)) + 0x800000;
  not_finite |= signs.x | signs.y | signs.z | signs.w;
}
