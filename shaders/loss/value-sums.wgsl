//! uses compensated
//! uses step
// Sums over the rows of a batch, from which R² and the mean absolute error are computed: six numbers for each column and slot.
//
//   n, c, Σ(y − c), Σ(y − c)², Σ(a − y)², Σ|a − y|
//
// a is an output, y its target, and n the number of rows of the slot. Each of the six but c is a pair, high + low, of
// compensated.wgsl: the sums outlive the dispatch. Slot s adds up rows s, s + slots, s + 2·slots …, always in the same order.
//
// At first c is the first target. Whenever n is a power of two and n·(ȳ − c)² exceeds the spread Σ(y − ȳ)², c moves to the mean
// ȳ of the n targets; with d = c′ − c,
//
//   Σ(y − c′) = Σ(y − c) − n·d      Σ(y − c′)² = Σ(y − c)² − d·(Σ(y − c) + Σ(y − c′))
//
// So the spread is never a difference of large numbers, whatever the first targets are: Σ(y − c)² ≤ 7·Σ(y − ȳ)². For let m be
// the last such power of two, δ the distance of c from the mean of the first m targets, D that of their mean from the mean of
// the q ≤ m others. Then m·δ² ≤ spread, since c has moved if it was not so, spread ≥ D²·m·q/n, |ȳ − c| ≤ δ + D·q/n, and
// Σ(y − c)² = spread + n·(ȳ − c)² ≤ spread + 4·m·δ² + 2·D²·q²/n.
//
//   outputs   f32 (rows, columns)          read
//   labels    f32 bits (rows, words)       read: a target for each column; further words of a row are not read
//   order     u32                          read if GATHERED
//             labels are then those of a data set: row r of the batch has the labels of sample order[step.first + r].
//   sums      f32 (columns, slots, 2, 6)   added to; zeros at first: six high parts, then six low parts (that of c is 0)
//
// Rows from step.rows on do not count. One invocation takes one slot of one column. Dispatch ⌈slots/64⌉ × columns workgroups.
// Error: of a sum, 5u relative to the sum of the magnitudes of its terms, however many there are, u = 2⁻²³. A move of c adds 4u
// relative to Σ|y − c| and 8u relative to Σ(y − c)² before it. n is exact.

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
  let at = (column * dims.slots + slot) * 12;
  for (var row = slot; row < step.rows; row += dims.slots) {
    var sample = row;
    if (GATHERED) { sample = order[step.first + row]; }
    let y = bitcast<f32>(labels[sample * dims.words + column]);
    let error = outputs[row * dims.columns + column] - y;
    if (sums[at] == 0.0) { sums[at + 1] = y; }
    let distance = y - sums[at + 1];
    add(at, 1.0);
    add(at + 2, distance);
    add(at + 3, distance * distance);
    add(at + 4, error * error);
    add(at + 5, abs(error));
    let n = u32(sums[at]) + bitcast<u32>(i32(sums[at + 6]));
    if ((n & (n - 1)) == 0 && 2.0 * sums[at + 2] * (sums[at + 2] / f32(n)) > sums[at + 3]) { move_origin(at, f32(n)); }
  }
}

// Adds to the sum whose high part is sums[at].
fn add(at: u32, x: f32) {
  let sum = plus(vec2f(sums[at], sums[at + 6]), x);
  sums[at] = sum.x;
  sums[at + 6] = sum.y;
}

// Moves c to the mean of the slot's n targets. n is a power of two, so that it multiplies and divides without an error.
fn move_origin(at: u32, n: f32) {
  let before = sums[at + 1];
  sums[at + 1] = opaque(before + sums[at + 2] / n);
  let d = sums[at + 1] - before;
  let deviations = sums[at + 2];
  add(at + 2, -n * d);
  add(at + 3, -d * (deviations + sums[at + 2]));
}

fn unknown_zero() -> u32 { return step.rows >> 31; }
