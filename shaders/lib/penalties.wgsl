// The gradient of loss + l1·Σ|p| + l2·Σp², the sums over the entries of weight matrices alone. Appended to files whose header
// says so; such a file has uniforms hyper.l1 and hyper.l2, the latter twice the l2 of the formula, and a binding
//
//   parameterMask  u32 (count/32, 2)   read if PENALTIES; of each 32 elements two words: a bit for each that belongs to a
//                                      parameter, and is not padding, and a bit for each that belongs to a weight matrix

override PENALTIES: bool = false;

fn penalised(i: u32, gradient: vec4f, p: vec4f) -> vec4f {
  if (!PENALTIES) { return gradient; }
  let penalty = hyper.l1 * sign(p) + hyper.l2 * p;
  return gradient + select(vec4f(0.0), penalty, four_bits(parameterMask[i >> 3].y, i));
}

// Those of four elements, of a word that has one for each of 32.
fn four_bits(word: u32, i: u32) -> vec4<bool> {
  let shifts = vec4u(0, 1, 2, 3) + 4 * (i & 7);
  return ((vec4u(word) >> shifts) & vec4u(1)) == vec4u(1);
}
