// The record of a step, which all dispatches of the step read. Appended to files whose header says so.
//
//   first          place in `order` at which the step's rows begin
//   rows           number of rows that count, at most the batch
//   index          number of the step, from 0
//   learning_rate  of the step
//
// A file that reads more of a record declares a Step of its own, which begins alike, at the same binding: adam.wgsl does.

struct Step { first: u32, rows: u32, index: u32, learning_rate: f32 }
@group(0) @binding(1) var<uniform> step: Step;
