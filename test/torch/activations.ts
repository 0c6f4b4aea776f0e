import type { Arithmetic } from './arithmetic.js';
import { numberOf, type Spec } from './specs.js';

/**
 * An activation by the formulas of PyTorch's documentation (torch.nn, "Non-linear Activations"), and its derivative in the
 * form that a float32 program uses, so that roundings have their usual effect; exactly, all forms agree.
 */
export interface ActivationRule {
  /** a = g(z). */
  value(arithmetic: Arithmetic, z: number, parameter: number): number;
  /** g′ from z and a = g(z). */
  slope(arithmetic: Arithmetic, z: number, a: number, parameter: number): number;
  /** ∂a/∂parameter, for a parameter that is learned. */
  parameterSlope?(arithmetic: Arithmetic, z: number, a: number, parameter: number): number;
  /** True if the derivative, or the value, jumps at z = 0. */
  jumps?(parameter: number): boolean;
}

const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;

/** Units in the last place that float32 forms of eˣ, σ, tanh … and of Φ lose; the latter is a fit. */
const FUNCTION_ULPS = 4;
const FIT_ULPS = 16;

export const exponential = (arithmetic: Arithmetic, x: number): number =>
  arithmetic.call(Math.exp(arithmetic.round(x)), FUNCTION_ULPS);

/** 1 / (1 + e⁻ˣ). */
export function logistic(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

/** ln(1 + eˣ). */
export const softplus = (x: number): number => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0);

const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/**
 * Φ(x): near zero ½ + φ(0)·Σ (−1)ⁿ x²ⁿ⁺¹ / (2ⁿ·n!·(2n + 1)), else 1 − φ(x)/(x + 1/(x + 2/(x + 3/…))) (Abramowitz and
 * Stegun 26.2.10, 26.2.14); to 1e-14 of its value.
 */
export function normalDistribution(x: number): number {
  if (Math.abs(x) < 2) {
    let term = x;
    let sum = 0;
    for (let n = 0; n < 40; n++) {
      sum += term / (2 * n + 1);
      term *= -(x * x) / (2 * (n + 1));
    }
    return 0.5 + sum / Math.sqrt(2 * Math.PI);
  }
  let below = Math.abs(x);
  for (let n = 200; n > 0; n--) below = Math.abs(x) + n / below;
  const tail = density(x) / below;
  return x < 0 ? tail : 1 - tail;
}

/** z·σ(βz) has the slope βa + σ·(1 − βa). */
const sigmoidOf = (arithmetic: Arithmetic, x: number): number =>
  arithmetic.call(logistic(arithmetic.round(x)), FUNCTION_ULPS);

/** The tanh form's inner polynomial, √(2/π)·(z + 0.044715·z³), and its derivative. */
const inner = (z: number): number => Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3);
const innerSlope = (z: number): number => Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * z ** 2);

/** λ·z on the right, λ·α·(eᶻ − 1) on the left; elu and selu. */
const exponentialUnit = (
  scaleOf: (parameter: number) => readonly [scale: number, alpha: number],
  jumps: (parameter: number) => boolean,
): ActivationRule => ({
  value(arithmetic, z, parameter) {
    const [scale, alpha] = scaleOf(parameter);
    if (z > 0) return scale === 1 ? z : arithmetic.round(scale * z);
    return arithmetic.round(scale * alpha * arithmetic.call(Math.expm1(z), FUNCTION_ULPS));
  },
  slope(arithmetic, z, a, parameter) {
    const [scale, alpha] = scaleOf(parameter);
    return z > 0 ? scale : arithmetic.round(a + scale * alpha);
  },
  jumps,
});

/** z on the right, α·z on the left. */
const leaky: ActivationRule = {
  value: (arithmetic, z, alpha) => (z > 0 ? z : arithmetic.round(alpha * z)),
  slope: (_, z, _a, alpha) => (z > 0 ? 1 : alpha),
  parameterSlope: (_, z) => Math.min(z, 0),
  jumps: (alpha) => alpha !== 1,
};

const always = (): boolean => true;

const rules: Readonly<Record<string, ActivationRule>> = {
  linear: { value: (_, z) => z, slope: () => 1 },
  step: {
    value: (_, z) => (z < 0 ? 0 : 1),
    slope() {
      throw new RangeError('step has no useful derivative: a network with it is not trained.');
    },
    jumps: always,
  },
  sigmoid: {
    value: (arithmetic, z) => arithmetic.call(logistic(z), FUNCTION_ULPS),
    slope: (arithmetic, _z, a) => arithmetic.round(a * arithmetic.round(1 - a)),
  },
  tanh: {
    value: (arithmetic, z) => arithmetic.call(Math.tanh(z), FUNCTION_ULPS),
    slope: (arithmetic, _z, a) => arithmetic.round(1 - arithmetic.round(a * a)),
  },
  relu: { value: (_, z) => Math.max(z, 0), slope: (_, z) => (z > 0 ? 1 : 0), jumps: always },
  leakyRelu: leaky,
  prelu: leaky,
  elu: exponentialUnit(
    (alpha) => [1, alpha],
    (alpha) => alpha !== 1,
  ),
  selu: exponentialUnit(() => [SELU_SCALE, SELU_ALPHA], always),
  softplus: {
    value: (arithmetic, z) => arithmetic.call(softplus(z), FUNCTION_ULPS),
    slope: (arithmetic, _z, a) => arithmetic.call(-Math.expm1(-a), FUNCTION_ULPS),
  },
  swish: {
    value: (arithmetic, z, beta) => arithmetic.round(z * sigmoidOf(arithmetic, beta * z)),
    slope(arithmetic, z, a, beta) {
      const scaled = arithmetic.round(beta * a);
      return arithmetic.round(scaled + arithmetic.round(sigmoidOf(arithmetic, beta * z) * (1 - scaled)));
    },
    // ∂(z·σ(βz))/∂β = z²·σ·(1 − σ) = a·(z − a).
    parameterSlope: (arithmetic, z, a) => arithmetic.round(a * arithmetic.round(z - a)),
  },
  gelu: {
    value: (arithmetic, z) => arithmetic.round(z * arithmetic.call(normalDistribution(z), FIT_ULPS)),
    slope: (arithmetic, z) =>
      arithmetic.round(
        arithmetic.call(normalDistribution(z), FIT_ULPS) +
          arithmetic.round(z * arithmetic.call(density(z), FUNCTION_ULPS)),
      ),
  },
  geluTanh: {
    value: (arithmetic, z) => arithmetic.round(z * sigmoidOf(arithmetic, 2 * inner(z))),
    slope(arithmetic, z) {
      const s = sigmoidOf(arithmetic, 2 * inner(z));
      const rest = sigmoidOf(arithmetic, -2 * inner(z));
      return arithmetic.round(s + arithmetic.round(2 * z * s * rest * arithmetic.round(innerSlope(z))));
    },
  },
  softsign: {
    value: (arithmetic, z) => arithmetic.round(z / arithmetic.round(1 + Math.abs(z))),
    slope(arithmetic, _z, a) {
      const rest = arithmetic.round(1 - Math.abs(a));
      return arithmetic.round(rest * rest);
    },
  },
  abs: { value: (_, z) => Math.abs(z), slope: (_, z) => Math.sign(z), jumps: always },
  // Near a zero of the sine float32 loses what it loses of 1: an absolute error.
  sine: {
    value: (arithmetic, z, omega) => Math.sin(arithmetic.round(omega * z)) + (arithmetic.call(1, FUNCTION_ULPS) - 1),
    slope: (arithmetic, z, _a, omega) =>
      arithmetic.round(omega * (Math.cos(arithmetic.round(omega * z)) + (arithmetic.call(1, FUNCTION_ULPS) - 1))),
  },
};

/** The options that hold an activation's parameter, and their defaults. */
const parameters: Readonly<Record<string, readonly [option: string, fallback: number]>> = {
  leakyRelu: ['alpha', 0.01],
  prelu: ['alpha', 0.25],
  elu: ['alpha', 1],
  swish: ['beta', 1],
  sine: ['omega', 1],
};

/** The rule of an activation, and its parameter where that is not learned. */
export function ruleOf(spec: Spec): { readonly rule: ActivationRule; readonly parameter: number } {
  const type = spec.type === 'gelu' && spec.approximate === 'tanh' ? 'geluTanh' : spec.type;
  const rule = rules[type];
  if (rule === undefined) throw new RangeError(`The reference knows no activation "${type}".`);
  const [option, fallback] = parameters[type] ?? ['', 0];
  return { rule, parameter: option === '' ? 0 : numberOf(spec, option, fallback) };
}
