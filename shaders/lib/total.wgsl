// A sum that several invocations of a workgroup compute together. Appended to files that have the line `//! uses total`. A
// workgroup computes SUMS sums. Each is cut into SLICES slices, with one invocation for each slice, which are added from the
// first to the last: the order is fixed, hence the bits are always the same. With one slice there is no barrier.

override SUMS: u32 = 64;
override SLICES: u32 = 1;

var<workgroup> partial: array<f32, SUMS * SLICES>;

// Sum number `sum`, from the value of each of its slices. Every invocation of the workgroup calls it and gets its own sum.
fn total(sum: u32, slice: u32, value: f32) -> f32 {
  if (SLICES == 1) { return value; }
  partial[sum * SLICES + slice] = value;
  workgroupBarrier(); // the values of all slices are written before they are added
  var result = 0.0;
  for (var i = 0u; i < SLICES; i++) { result += partial[sum * SLICES + i]; }
  workgroupBarrier(); // all slices have read the values before the next sum overwrites them
  return result;
}
