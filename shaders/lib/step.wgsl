// The record of a step, which all dispatches of the step read. Appended to files that have the line `//! uses step`.
//
//   first          index in `order` of the first row of the step
//   rows           number of valid rows, at most the batch size
//   index          number of the step, from 0
//   learning_rate  learning rate of the step
//
// A shader that reads further fields of the record, such as adam.wgsl, declares a Step of its own at the same binding, which
// begins with these four fields.

struct Step { first: u32, rows: u32, index: u32, learning_rate: f32 }
@group(0) @binding(1) var<uniform> step: Step;
