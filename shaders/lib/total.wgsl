// A sum that several invocations of a workgroup share. Appended to files whose header says so. A workgroup computes SUMS sums,
// each in SLICES slices, which are added from the first to the last: a fixed order, hence the same bits. With one slice there
// is no barrier.

override SUMS: u32 = 64;
override SLICES: u32 = 1;

var<workgroup> partial: array<f32, SUMS * SLICES>;

// Sum number `sum`, to all of its slices, from the value that each has.
fn total(sum: u32, slice: u32, value: f32) -> f32 {
  if (SLICES == 1) { return value; }
  partial[sum * SLICES + slice] = value;
  workgroupBarrier(); // every slice's value is there before they are added
  var result = 0.0;
  for (var i = 0u; i < SLICES; i++) { result += partial[sum * SLICES + i]; }
  workgroupBarrier(); // every slice has the sum before the next one begins
  return result;
}
