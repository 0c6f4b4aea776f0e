//! uses step
// Sums over the rows of a batch, from which R² and the mean absolute error are computed: six numbers for each column and slot.
//
//   n, c, Σ(y − c), Σ(y − c)², Σ(a − y)², Σ|a − y|
//
// a is an output, y its target, c the first y of the slot, and n the number of rows of the slot. Targets are taken relative to
// one of them, so that their variance is not a difference of large numbers. Slot s adds up rows s, s + slots, s + 2·slots …,
// always in the same order.
//
//   outputs   f32 (rows, columns)          read
//   labels    f32 bits (rows, words)       read: a target for each column; further words of a row are not read
//   order     u32                          read if GATHERED
//             labels are then those of a data set: row r of the batch has the labels of sample order[step.first + r].
//   sums      f32 (columns, slots, 6)      added to; zeros at first
//
// Rows from step.rows on do not count. One invocation takes one slot of one column. Dispatch ⌈slots/64⌉ × columns workgroups.
// Error: for a slot of m rows, m + 3 roundings of each sum, relative to the sum of the magnitudes of its terms. c is exact,
// and so is n below 2²⁴.

override GATHERED: bool = false;

struct Dims { columns: u32, words: u32, slots: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(2) var<storage, read> outputs: array<f32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read> order: array<u32>;
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u) {
  let slot = global.x;
  let column = global.y;
  if (slot >= dims.slots) { return; }
  let at = (column * dims.slots + slot) * 6;
  for (var row = slot; row < step.rows; row += dims.slots) {
    var sample = row;
    if (GATHERED) { sample = order[step.first + row]; }
    let y = bitcast<f32>(labels[sample * dims.words + column]);
    let error = outputs[row * dims.columns + column] - y;
    if (sums[at] == 0.0) { sums[at + 1] = y; }
    let distance = y - sums[at + 1];
    sums[at] += 1.0;
    sums[at + 2] += distance;
    sums[at + 3] += distance * distance;
    sums[at + 4] += error * error;
    sums[at + 5] += abs(error);
  }
}
