//! uses finite
// Sums whose error does not grow with the number of their terms. Appended to files that have the line `//! uses compensated`;
// each of them declares a function unknown_zero(), which returns a 0u that no compiler can know, such as `step.rows >> 31`.
//
// A sum is two numbers, vec2f(high, low), and its value is high + low: low is the part that high has lost in rounding, and is
// added to the next term (Kahan 1965). Source of the bound: Higham 2002, section 4.3.
// A compiler that takes floats for real numbers, such as Metal's with fast math, finds low = 0 and removes it. So each of the
// two results that low depends on is xored with unknown_zero(): to the compiler it is then any number, and the one difference
// that remains cannot be simplified.
// Error: for n terms 2u·Σ|x| + O(n·u²·Σ|x|), u = 2⁻²³, for any order and any signs; below 2⁻¹²⁶ low is 0. If high is not
// finite, low is 0, so that an infinite sum stays infinite. Integers are exact up to 2⁴⁷.

// True if sums that are added up within one invocation may have so many terms that `long_plus` must keep what they lose.
override LONG: bool = false;

// sum + x.
fn plus(sum: vec2f, x: f32) -> vec2f {
  let term = x + sum.y;
  let high = opaque(sum.x + term);
  let low = term - opaque(high - sum.x);
  return vec2f(high, select(low, 0.0, not_finite(high)));
}

// sum + x if LONG; else the plain sum of floats, whose low is 0.
fn long_plus(sum: vec2f, x: f32) -> vec2f {
  if (!LONG) { return vec2f(sum.x + x, 0.0); }
  return plus(sum, x);
}

// The value of a sum as one float.
fn value_of(sum: vec2f) -> f32 {
  if (!LONG) { return sum.x; }
  return sum.x + sum.y;
}

fn opaque(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) ^ unknown_zero()); }
