//! uses step
// Sums over a batch's rows from which R² and the mean absolute error follow; for each column and slot six numbers:
//
//   n, c, Σ(y − c), Σ(y − c)², Σ(a − y)², Σ|a − y|       a an output, y its target; c the first y that the slot met
//
// The y are taken relative to one of them, so that their variance is no difference of large numbers. Slot s has rows s,
// s + slots, s + 2·slots …, always in the same order.
//
//   outputs   f32 (rows, columns)                                    read
//   labels    f32 bits (rows, words): a target for each column; words behind those are not read    read
//   order     u32: if GATHERED, labels are a data set's, and row r has those of sample order[step.first + r]    read
//   sums      f32 (columns, slots, 6)     added to; zeros at first
//
// Rows from step.rows on do not count. One invocation takes a slot of a column. Dispatch ⌈slots/64⌉ × columns workgroups.
// Error: of m rows of a slot each sum has m + 3 roundings, of the sum of its terms' magnitudes; c is exact, and n below 2²⁴.

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
