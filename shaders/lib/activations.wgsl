// Functions from which the formulas of activations are built. Each is finite for every finite argument and keeps its relative
// accuracy near zero. Appended to files that have the line `//! uses activations`, together with activate() and
// activate_derivative(), which the plugin generates from the formulas in shaders/activations.ts. u = 2⁻²³.
// Most constants have nine digits, which are enough to tell any two f32 values apart.

// eˣ; 0 for x < −87 and e⁸⁸ for x > 88, where f32 has no normal result. Relative error (3 + 2|x|)·u.
fn stable_exp(x: f32) -> f32 {
  return select(exp(clamp(x, -87.0, 88.0)), 0.0, x < -87.0);
}

// eˣ − 1. Near zero the difference cancels, so for |x| < 0.3 the result is the Taylor series to x⁷ (relative truncation error
// 5e-9 at |x| = 0.3).
fn expm1(x: f32) -> f32 {
  let y = clamp(x, -0.3, 0.3); // `select` needs both values, and x⁷ must not overflow
  let series = y * (1.0 + y * (0.5 + y * (1.0 / 6.0 + y * (1.0 / 24.0 + y * (1.0 / 120.0 + y * (1.0 / 720.0 + y / 5040.0))))));
  return select(stable_exp(x) - 1.0, series, abs(x) < 0.3);
}

// ln(1 + t) for t in [0, 1], as 2·artanh(s) with s = t / (2 + t) ≤ 1/3 (truncation error 1.4e-8).
fn log1p_unit(t: f32) -> f32 {
  let s = t / (2.0 + t);
  let q = s * s;
  return 2.0 * s * (1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0 + q / 13.0))))));
}

// 1 / (1 + e⁻ˣ), computed from e^(−|x|), which cannot overflow.
fn sigmoid(x: f32) -> f32 {
  let t = stable_exp(-abs(x));
  return select(t, 1.0, x >= 0.0) / (1.0 + t);
}

// ln(1 + eˣ).
fn softplus(x: f32) -> f32 {
  return max(x, 0.0) + log1p_unit(stable_exp(-abs(x)));
}

// tanh x. On some adapters the built-in tanh overflows from |x| ≈ 44 or 88 on. Near zero 1 − e^(−2|x|) cancels, so for
// |x| < 0.25 the result is the Taylor series to x⁹ (relative truncation error 1e-8 at |x| = 0.25).
fn stable_tanh(x: f32) -> f32 {
  let y = clamp(x, -0.25, 0.25);
  let q = y * y;
  let series = y * (1.0 - q * (1.0 / 3.0 - q * (2.0 / 15.0 - q * (17.0 / 315.0 - q * (62.0 / 2835.0)))));
  let e = stable_exp(-2.0 * abs(x));
  let tail = (1.0 - e) / (1.0 + e);
  return select(select(tail, -tail, x < 0.0), series, abs(x) < 0.25);
}

// Φ(x) = ½·erfc(−x/√2), the cumulative distribution function of the standard normal distribution, with a small relative error
// in the left tail too.
// With y = |x|/√2 and t = 1/(1 + y/2): erfc(y) = t·exp(−y² + P((t − 7/12)·12/5)). P interpolates ln(erfc(y)·e^(y²)/t)
// at the ten Chebyshev nodes of t in [1/6, 1]; the largest deviation there is 5.2e-8.
fn normal_cdf(x: f32) -> f32 {
  let y = min(abs(x) * 0.707106781, 10.0);
  let t = 1.0 / (1.0 + 0.5 * y);
  let v = (t - 0.583333333) * 2.4;
  var p = 7.24096891e-5 + v * 5.60396815e-5;
  p = -0.000225322784 + v * (-0.000536968178 + v * p);
  p = -0.00106381156 + v * (0.00370945598 + v * p);
  p = 0.0157473877 + v * (-0.029470884 + v * p);
  p = -0.558595401 + v * (0.570307144 + v * p);
  let tail = 0.5 * t * stable_exp(p - y * y);
  return select(tail, 1.0 - tail, x > 0.0);
}

// φ(x) = e^(−x²/2) / √(2π), the density of the standard normal distribution.
fn normal_pdf(x: f32) -> f32 {
  let y = min(abs(x), 20.0);
  return 0.39894228 * stable_exp(-0.5 * y * y);
}

// Argument of tanh in the tanh form of gelu: √(2/π)·(x + 0.044715·x³). Beyond x = ±10, which x is clamped to, the
// tanh is ±1 to 1e-37.
fn gelu_inner(x: f32) -> f32 {
  let y = clamp(x, -10.0, 10.0);
  return 0.7978845608028654 * (y + 0.044715 * y * y * y);
}

// Derivative of the tanh form of gelu. With g = gelu_inner(x) that form is x·σ(2g), and its derivative is
// σ(2g) + x·σ(2g)·σ(−2g)·2g′.
fn gelu_tanh_derivative(x: f32) -> f32 {
  let y = clamp(x, -10.0, 10.0);
  let argument = 2.0 * gelu_inner(x);
  let s = sigmoid(argument);
  return s + 2.0 * y * s * sigmoid(-argument) * 0.7978845608028654 * (1.0 + 0.134145 * y * y);
}

// Derivative of x·σ(βx) by x: σ(βx) + βx·σ(βx)·σ(−βx).
fn swish_derivative(x: f32, beta: f32) -> f32 {
  let s = sigmoid(beta * x);
  return s + beta * x * s * sigmoid(-beta * x);
}

// sin x with shift = 0; cos x = sin(x + π/2) with shift = 0.5. The built-in functions are accurate only to 2⁻¹¹, and only up to
// ±π. The argument is reduced as by Cody and Waite: with the integer j nearest to x/π + shift, and n = j − shift, the result is
// ±sin(x − nπ), with − for odd j. π is the sum of three constants; the first two have 8 bits and n has at most 16, so their
// products with n are exact. sin(x − nπ) is the Taylor series to r¹³ (truncation error 7e-10). x is clamped to ±65536, where
// neighbouring f32 values are 1/128 apart.
fn reduced_sin(x: f32, shift: f32) -> f32 {
  let y = clamp(x, -65536.0, 65536.0);
  let j = round(y * 0.318309886 + shift);
  let n = j - shift;
  let r = ((y - n * 3.140625) - n * 0.000965118408203125) - n * 0.00000253518159;
  let q = r * r;
  let outer = 1.0 / 120.0 - q * (1.0 / 5040.0 - q * (1.0 / 362880.0 - q * (1.0 / 39916800.0 - q / 6227020800.0)));
  let odd = j - 2.0 * floor(0.5 * j);
  return clamp((1.0 - 2.0 * odd) * r * (1.0 - q * (1.0 / 6.0 - q * outer)), -1.0, 1.0);
}
