//! uses step
// A running average: average ← average + factor·(value − average), or average ← value where the average begins.
//
//   value    values[i]; if ROWS, values[i]·count/step.rows: the losses of a batch of step.rows rows, whose mean counts
//   factor   hyper.factor, and the average begins at step.index = 0: an exponential average; or, if SHARED, share[0], and it
//            begins where that is 1: a weighted mean, as batch-share.wgsl writes it
//
//   values   f32 (count)   read
//   share    f32 (2)       read if SHARED
//   average  f32 (count)   read and written
//
// One invocation takes four elements. Dispatch workgroups along x, then along y: invocation (x, y) takes elements
// 4·i … 4·i + 3, with i = y·(64·workgroups along x) + x.
// Error of a step: 3 roundings of u = 2⁻²³ of the change, one of the sum; 2 more of the value if ROWS.

override SHARED: bool = false;
override ROWS: bool = false;

struct Hyper { count: u32, factor: f32 }
@group(0) @binding(0) var<uniform> hyper: Hyper;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read> share: array<f32>;
@group(0) @binding(4) var<storage, read_write> average: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let first = 4 * (global.y * (workgroups.x * 64) + global.x);
  var factor = hyper.factor;
  var begins = step.index == 0;
  if (SHARED) {
    factor = share[0];
    begins = factor == 1.0;
  }
  var scale = 1.0;
  if (ROWS) { scale = f32(hyper.count) / f32(step.rows); }
  for (var i = first; i < min(first + 4, hyper.count); i++) {
    let value = values[i] * scale;
    let before = average[i];
    // Before it begins, an average may be anything.
    average[i] = select(before + factor * (value - before), value, begins);
  }
}
