import { activationFormulas, normalCdf } from '../../shaders/activations.js';
import { type Activation, type ActivationRowName, resolveActivation } from '../../src/kernels/activations.js';
import { at, type Bounded, elementwise, TINY, U } from './bounded.js';

/**
 * Bounds on the error of the shader's form of an activation, for an exact argument. Absolute errors, for
 * WGSL's rules: + − × within U relative, division within 2.5 U, exp(x) within (3 + 2|x|)·U, literals and overrides rounded
 * to f32. Derived to first order; SLACK covers the rest. The shader's forms are in shaders/lib/activations.wgsl.
 */
interface Errors {
  value(z: number, alpha: number): number;
  /** The bound as a function of v, the output or the pre-activation, as the row of the table says. */
  derivative(v: number, alpha: number): number;
  /**
   * sup |g′| and sup |g″|, for functions that are not monotone. The others, and derivatives from y (monotone in y, or
   * a parabola), change most at the ends of an interval, or at softsign′'s peak at 0.
   */
  readonly steepness?: { slope(alpha: number): number; curvature(alpha: number): number };
}

/** Products of two relative errors: the largest relative error here is (3 + 4·87)·U = 4e-5. */
export const SLACK = 1.001;

const value = (name: ActivationRowName, z: number, alpha: number): number => activationFormulas[name].cpu[0](z, alpha);
const derivative = (name: ActivationRowName, v: number, alpha: number): number =>
  activationFormulas[name].cpu[1](v, alpha);
const logistic = (x: number): number => value('sigmoid', x, 0);

/**
 * σ(x) where the argument has the relative error `argument`·U, relative and in units of U: t = exp(−|x|) is off by
 * 3 + 2|x|, of which the quotient passes 1 − σ on; 1 + t and the division add 1 and 2.5.
 */
const sigmoidError = (x: number, argument: number): number =>
  (1 - logistic(x)) * (3 + (2 + argument) * Math.abs(x)) + 3.5;

/**
 * eˣ − 1. Taylor: the bracket S = 1 + x·T is off by 0.42 + S, S ≥ 0.86, the product by 1, the truncation by 0.05 more:
 * 3.5 relative. Elsewhere the error of exp, and 1 for the difference. (0.29: an inexact x may be on either side of 0.3.)
 */
const expm1Error = (x: number): number =>
  Math.abs(x) < 0.29
    ? 3.5 * U * Math.abs(x)
    : (Math.exp(x) * (3 + 2 * Math.abs(x)) + Math.abs(Math.expm1(x))) * U + TINY;

/**
 * tanh x, relative, in units of U. Taylor: q·(…) ≤ 0.021 is off by 8 relative, sum and product by 1 each, truncation by
 * 0.07: 3. Elsewhere e = exp(−2|x|) is off by 3 + 4|x|, of which (1 − e)/(1 + e) passes 2e/(1 − e²) = 1/sinh 2|x| on.
 */
const tanhError = (x: number): number =>
  Math.abs(x) < 0.24 ? 3 : (3 + 4 * Math.abs(x)) / Math.sinh(Math.min(2 * Math.abs(x), 700)) + 4.5;

/** The density φ. */
const density = (z: number): number => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);

/**
 * Φ(x), absolute. With y = |x|/√2: t is off by 5.5 relative; v by 18 absolute, of which P′ ≤ 0.65 passes 12 on; P's own
 * roundings 3; y² by 5y²; the difference by y² + 1.3; exp by 3 + 2y² + 2.6; the product by 1; the fit by 0.5. Sum 29 + 8y².
 */
const cdfError = (x: number): number => ((29 + 4 * x * x) * normalCdf(-Math.abs(x)) + (x > 0 ? 1 : 0)) * U + TINY;

/** gelu's tanh form is z·σ(2g): 2g(z), whose relative error is 7 (literals 2, products 4, sum 1). */
const geluArgument = (z: number): number => 2 * Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3);

/** Largest argument of the shader's sine; larger ones are replaced by it. */
const SINE_LIMIT = 65536;

/**
 * sin or cos of ωz, absolute, `sine` being its value. The argument: ω's rounding and the product, if they are not exact.
 * Without a reduction (sine, |x| < 1.5) it is all: the series, whose terms beyond the first are 0.37 at most and off by 8
 * relative, is off by 5, the sum and the product included. A reduction adds three differences of up to 1.61 (the first is
 * inexact only for |x| < 1) and a product of up to 0.06: 5 absolute. The truncation is below 0.01.
 */
const sineError = (z: number, omega: number, sine: number, reduced: boolean): number => {
  const x = omega * z;
  if (Math.abs(x) > 0.999 * SINE_LIMIT) return 2;
  const argument = Math.fround(omega) === omega && Math.fround(x) === x ? 0 : 2 * Math.abs(x);
  const reduction = reduced || Math.abs(x) > 1.5 ? 5 : 0;
  return (argument + reduction + 5 * Math.abs(sine)) * U + TINY;
};

/** The bounds of every row, without SLACK, for exact arguments. */
export const activationErrors: Readonly<Record<ActivationRowName, Errors>> = {
  linear: { value: () => 0, derivative: () => 0 },
  relu: { value: () => 0, derivative: () => 0 },
  // ALPHA is rounded, and the product.
  leakyRelu: {
    value: (z, alpha) => (z > 0 ? 0 : 2 * U * Math.abs(alpha * z) + TINY),
    derivative: (y, alpha) => (y > 0 ? 0 : U * alpha),
  },
  prelu: {
    value: (z, alpha) => (z > 0 ? 0 : 2 * U * Math.abs(alpha * z) + TINY),
    derivative: (z, alpha) => (z > 0 ? 0 : U * Math.abs(alpha)),
  },
  sigmoid: {
    value: (z) => logistic(z) * sigmoidError(z, 0) * U + TINY,
    derivative: (y) => 2 * U * Math.abs(y * (1 - y)) + TINY,
  },
  tanh: {
    value: (z) => Math.abs(Math.tanh(z)) * tanhError(z) * U + TINY,
    derivative: (y) => U * (y * y + Math.abs(1 - y * y)),
  },
  elu: {
    value: (z, alpha) => (z > 0 ? 0 : alpha * expm1Error(z) + 2 * U * Math.abs(value('elu', z, alpha)) + TINY),
    derivative: (y, alpha) => (y > 0 ? 0 : U * (alpha + Math.abs(y + alpha)) + TINY),
  },
  // Both constants are rounded literals.
  selu: {
    value: (z) => 2 * U * Math.abs(value('selu', z, 0)) + (z > 0 ? 0 : 1.76 * expm1Error(z)) + TINY,
    derivative: (y) => U * (y > 0 ? 1.06 : 1.76 + Math.abs(derivative('selu', y, 0))),
  },
  // t = exp(−|z|) is off by 3 + 2|z| relative, of which ln(1 + t) passes t/(1 + t) on; log1p_unit is off by 6.5 relative:
  // s by 3.5, its series by 1.6, the product by 1, the truncation by 0.1; then the sum.
  softplus: {
    value: (z) => {
      const t = Math.exp(-Math.abs(z));
      return ((t / (1 + t)) * (3 + 2 * Math.abs(z)) + 6.5 * Math.log1p(t) + value('softplus', z, 0)) * U + TINY;
    },
    derivative: (y) => expm1Error(-y),
  },
  // βz is off by 2: β's rounding, and the product. sup |g′| = 1.0998, sup |g″| = β/2, at 0.
  swish: {
    value: (z, beta) =>
      Math.abs(value('swish', z, beta)) * (sigmoidError(beta * z, 2) + 1) * U + TINY * (1 + Math.abs(z)),
    derivative: (z, beta) => {
      const x = beta * z;
      const s = logistic(x);
      const second = Math.abs(x) * s * logistic(-x);
      return (
        (s * sigmoidError(x, 2) + second * (15 + 4 * Math.abs(x)) + Math.abs(derivative('swish', z, beta))) * U +
        TINY * (1 + Math.abs(x))
      );
    },
    steepness: { slope: () => 1.1, curvature: (beta) => 0.5 * Math.abs(beta) },
  },
  // sup |g′| = g′(√2) = 1.1290, sup |g″| = 2φ(0) = 0.7979.
  gelu: {
    value: (z) => Math.abs(z) * cdfError(z) + Math.abs(value('gelu', z, 0)) * U + TINY,
    derivative: (z) =>
      cdfError(z) +
      (Math.abs(z) * density(z) * (6 + 1.5 * z * z) + Math.abs(derivative('gelu', z, 0))) * U +
      TINY * (1 + Math.abs(z)),
    steepness: { slope: () => 1.13, curvature: () => 0.8 },
  },
  geluTanh: {
    value: (z) =>
      Math.abs(value('geluTanh', z, 0)) * (sigmoidError(geluArgument(z), 7) + 1) * U + TINY * (1 + Math.abs(z)),
    derivative: (z) => {
      const x = geluArgument(z);
      const s = logistic(x);
      const first = s === 0 ? 0 : s * sigmoidError(x, 7); // 0·∞ far left
      const second = Math.abs(derivative('geluTanh', z, 0) - s);
      const factor = second === 0 ? 0 : 19 + 9 * Math.abs(x);
      return (first + second * factor + Math.abs(derivative('geluTanh', z, 0))) * U + TINY * (200 + Math.abs(z));
    },
    steepness: { slope: () => 1.13, curvature: () => 0.8 },
  },
  abs: { value: () => 0, derivative: () => 0 },
  // The derivative: ω's rounding and the product.
  sine: {
    value: (z, omega) => sineError(z, omega, value('sine', z, omega), false),
    derivative: (z, omega) => {
      const cosine = Math.cos(omega * z);
      return Math.abs(omega) * (sineError(z, omega, cosine, true) + 2 * U * Math.abs(cosine)) + TINY;
    },
    steepness: { slope: Math.abs, curvature: (omega) => omega * omega },
  },
  step: { value: () => 0, derivative: () => 0 },
  // The sum is rounded, the division is off by 2.5; the difference is rounded and counts twice, the square once.
  softsign: {
    value: (z) => 3.5 * U * Math.abs(value('softsign', z, 0)) + TINY,
    derivative: (y) => 3 * U * derivative('softsign', y, 0) + TINY,
  },
};

/** Y = g(Z), element by element; `shaders/lib/activations.wgsl` has the shader's forms. */
export function activate(Z: Bounded, activation: Activation): Bounded {
  const { name, alpha } = resolveActivation(activation);
  const [f] = activationFormulas[name].cpu;
  const { value: error, steepness } = activationErrors[name];
  return elementwise(Z.shape, (i) => {
    const z = at(Z.values, i);
    const bound = at(Z.bound, i);
    return [f(z, alpha), SLACK * error(z, alpha) + change(f, z, bound, alpha, steepness?.slope(alpha))];
  });
}

/** g′, element by element, from the output Y or the pre-activation Z, as the activation's row in the table says. */
export function activationDerivative(V: Bounded, activation: Activation): Bounded {
  const { name, alpha } = resolveActivation(activation);
  const [, derivativeOf] = activationFormulas[name].cpu;
  const { derivative: error, steepness } = activationErrors[name];
  return elementwise(V.shape, (i) => {
    const v = at(V.values, i);
    const bound = at(V.bound, i);
    const curvature = steepness?.curvature(alpha);
    return [derivativeOf(v, alpha), SLACK * error(v, alpha) + change(derivativeOf, v, bound, alpha, curvature)];
  });
}

/**
 * The largest deviation of f from f(x) within x ± bound. A jump or a peak, such as those of relu′ and softsign′ at 0, counts if
 * it lies inside.
 */
function change(
  f: (x: number, alpha: number) => number,
  x: number,
  bound: number,
  alpha: number,
  lipschitz: number | undefined,
): number {
  if (bound === 0) return 0;
  if (lipschitz !== undefined) return lipschitz * bound;
  const here = f(x, alpha);
  const middle = Math.abs(x) < bound ? Math.abs(f(0, alpha) - here) : 0;
  return Math.max(middle, Math.abs(f(x + bound, alpha) - here), Math.abs(f(x - bound, alpha) - here));
}
