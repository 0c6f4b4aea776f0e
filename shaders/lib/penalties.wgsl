// The gradient of loss + l1·Σ|p| + l2·Σp², where both sums run over the entries of weight matrices only. Appended to files that
// have the line `//! uses penalties`; each of them declares the fields hyper.l1 and hyper.l2, of which hyper.l2 is twice the
// l2 of the formula, and the binding
//
//   parameterMask  u32 (count/32, 2)   read if PENALTIES, and where a file says so
//                  Two words for each 32 elements, with one bit for each element. A bit of the first word is 1 if the element
//                  belongs to a parameter and is not padding; a bit of the second, if it belongs to a weight matrix.

override PENALTIES: bool = false;

// Gradients of elements 4·i … 4·i + 3, whose values are p, with those of the penalties added.
fn penalised(i: u32, gradient: vec4f, p: vec4f) -> vec4f {
  if (!PENALTIES) { return gradient; }
  let penalty = hyper.l1 * sign(p) + hyper.l2 * p;
  return gradient + select(vec4f(0.0), penalty, four_bits(parameterMask[i >> 3].y, i));
}

// The bits of elements 4·i … 4·i + 3, from the word that has the bits of 32 elements.
fn four_bits(word: u32, i: u32) -> vec4<bool> {
  let shifts = vec4u(0, 1, 2, 3) + 4 * (i & 7);
  return ((vec4u(word) >> shifts) & vec4u(1)) == vec4u(1);
}
