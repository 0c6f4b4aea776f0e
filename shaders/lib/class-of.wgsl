// The class of a row from its labels. Appended to files that have the line `//! uses class-of`: kernels that count rows by
// class. They declare a binding `labels`. The label of a row begins at a word of `labels`: it is a class index; or, if
// PROBABILITIES, an f32 for each class, of which the first largest is that of the class.

override PROBABILITIES: bool = false;

fn class_of(label: u32, classes: u32) -> u32 {
  if (!PROBABILITIES) { return labels[label]; }
  var likeliest = 0u;
  for (var k = 1u; k < classes; k++) {
    if (bitcast<f32>(labels[label + k]) > bitcast<f32>(labels[label + likeliest])) { likeliest = k; }
  }
  return likeliest;
}
