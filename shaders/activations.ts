import { type ActivationRowName, activationNames } from '../src/kernels/activations.js';

/** Formulas of one activation, for shaders (at build time), the float64 reference and documentation. No bundle has them. */
export interface ActivationFormulas {
  /** g(z) in mathematical notation, for the documentation. */
  readonly formula: string;
  /** WGSL of g(z), and of g′ as a function of `v`, which is y = g(z) or z, as `from` in the table says. The parameter is ALPHA. */
  readonly wgsl: readonly [string, string];
  /** The same two functions in float64. */
  readonly cpu: readonly [(z: number, alpha: number) => number, (v: number, alpha: number) => number];
  /** ∂g/∂parameter in float64, if the parameter can be learned; shaders/layer/learned-activation.wgsl has the WGSL. */
  readonly byParameter?: (z: number, alpha: number) => number;
}

const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;
/** λα: selu approaches −λα as z goes to −∞. */
const SELU_FLOOR = SELU_SCALE * SELU_ALPHA;

/** A number as a WGSL literal. Nine digits tell any two float32 values apart. */
const f32 = (value: number): string => value.toPrecision(9);

const sigmoid = (z: number): number => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));
const normalPdf = (z: number): number => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
const geluInner = (z: number): number => Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3);

/**
 * Φ(z) in float64, with a relative error of at most 1e-11. For |z| < 3√2 it uses the series of the error function, where the
 * difference 1 − erf loses digits; in the tails a continued fraction, evaluated backwards.
 */
export function normalCdf(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  if (x < 3) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 120; n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    const erf = (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
    return z < 0 ? 0.5 * (1 - erf) : 0.5 * (1 + erf);
  }
  let fraction = 0;
  for (let n = 200; n >= 1; n--) fraction = n / 2 / (x + fraction);
  const tail = (0.5 * Math.exp(-x * x)) / (Math.sqrt(Math.PI) * (x + fraction));
  return z < 0 ? tail : 1 - tail;
}

/** The formulas of every activation in the table. Source of formulas and conventions: PyTorch's documentation. */
export const activationFormulas: Readonly<Record<ActivationRowName, ActivationFormulas>> = {
  linear: { formula: 'z', wgsl: ['z', '1.0'], cpu: [(z) => z, () => 1] },
  relu: {
    formula: 'max(0, z)',
    wgsl: ['max(z, 0.0)', 'select(0.0, 1.0, v > 0.0)'],
    cpu: [(z) => Math.max(z, 0), (y) => (y > 0 ? 1 : 0)],
  },
  leakyRelu: {
    formula: 'z if z > 0, else α·z',
    wgsl: ['select(ALPHA * z, z, z > 0.0)', 'select(ALPHA, 1.0, v > 0.0)'],
    cpu: [(z, alpha) => (z > 0 ? z : alpha * z), (y, alpha) => (y > 0 ? 1 : alpha)],
  },
  // g′ is a function of z, not of y: a learned α may become negative, and then y does not have the sign of z.
  prelu: {
    formula: 'z if z > 0, else α·z',
    wgsl: ['select(ALPHA * z, z, z > 0.0)', 'select(ALPHA, 1.0, v > 0.0)'],
    cpu: [(z, alpha) => (z > 0 ? z : alpha * z), (z, alpha) => (z > 0 ? 1 : alpha)],
    byParameter: (z) => Math.min(z, 0),
  },
  sigmoid: {
    formula: '1 / (1 + e⁻ᶻ)',
    wgsl: ['sigmoid(z)', 'v * (1.0 - v)'],
    cpu: [sigmoid, (y) => y * (1 - y)],
  },
  tanh: { formula: 'tanh z', wgsl: ['stable_tanh(z)', '1.0 - v * v'], cpu: [Math.tanh, (y) => 1 - y * y] },
  elu: {
    formula: 'z if z > 0, else α·(eᶻ − 1)',
    wgsl: ['select(ALPHA * expm1(z), z, z > 0.0)', 'select(v + ALPHA, 1.0, v > 0.0)'],
    cpu: [(z, alpha) => (z > 0 ? z : alpha * Math.expm1(z)), (y, alpha) => (y > 0 ? 1 : y + alpha)],
  },
  selu: {
    formula: 'λ·z if z > 0, else λ·α·(eᶻ − 1)',
    wgsl: [
      `select(${f32(SELU_FLOOR)} * expm1(z), ${f32(SELU_SCALE)} * z, z > 0.0)`,
      `select(v + ${f32(SELU_FLOOR)}, ${f32(SELU_SCALE)}, v > 0.0)`,
    ],
    cpu: [(z) => (z > 0 ? SELU_SCALE * z : SELU_FLOOR * Math.expm1(z)), (y) => (y > 0 ? SELU_SCALE : y + SELU_FLOOR)],
  },
  softplus: {
    formula: 'ln(1 + eᶻ)',
    wgsl: ['softplus(z)', '-expm1(-v)'],
    cpu: [(z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))), (y) => -Math.expm1(-y)],
  },
  swish: {
    formula: 'z·σ(βz)',
    wgsl: ['z * sigmoid(ALPHA * z)', 'swish_derivative(v, ALPHA)'],
    cpu: [(z, beta) => z * sigmoid(beta * z), (z, beta) => sigmoid(beta * z) * (1 + beta * z * sigmoid(-beta * z))],
    byParameter: (z, beta) => z * sigmoid(beta * z) * (z * sigmoid(-beta * z)),
  },
  gelu: {
    formula: 'z·Φ(z)',
    wgsl: ['z * normal_cdf(z)', 'normal_cdf(v) + v * normal_pdf(v)'],
    cpu: [(z) => z * normalCdf(z), (z) => normalCdf(z) + z * normalPdf(z)],
  },
  geluTanh: {
    formula: '½z·(1 + tanh(√(2/π)·(z + 0.044715z³)))',
    // ½(1 + tanh g) is computed as σ(2g), which does not cancel for z < 0.
    wgsl: ['z * sigmoid(2.0 * gelu_inner(z))', 'gelu_tanh_derivative(v)'],
    cpu: [
      (z) => z * sigmoid(2 * geluInner(z)),
      (z) => {
        const s = sigmoid(2 * geluInner(z));
        const rest = sigmoid(-2 * geluInner(z));
        return s + 2 * z * s * rest * Math.sqrt(2 / Math.PI) * (1 + 0.134145 * z * z);
      },
    ],
  },
  abs: { formula: '|z|', wgsl: ['abs(z)', 'sign(v)'], cpu: [Math.abs, Math.sign] },
  sine: {
    formula: 'sin ωz',
    wgsl: ['reduced_sin(ALPHA * z, 0.0)', 'ALPHA * reduced_sin(ALPHA * v, 0.5)'],
    cpu: [(z, omega) => Math.sin(omega * z), (z, omega) => omega * Math.cos(omega * z)],
  },
  step: {
    formula: '0 if z < 0, else 1',
    wgsl: ['select(1.0, 0.0, z < 0.0)', '0.0'],
    cpu: [(z) => (z < 0 ? 0 : 1), () => 0],
  },
  softsign: {
    formula: 'z / (1 + |z|)',
    wgsl: ['z / (1.0 + abs(z))', '(1.0 - abs(v)) * (1.0 - abs(v))'],
    cpu: [(z) => z / (1 + Math.abs(z)), (y) => (1 - Math.abs(y)) ** 2],
  },
};

/** Returns the WGSL of activate() and activate_derivative(), which the plugin appends to lib/activations.wgsl. */
export function activationsWgsl(): string {
  const cases = (part: 0 | 1): string =>
    activationNames
      .map((name, index) => `    case ${index}: { return ${activationFormulas[name].wgsl[part]}; } // ${name}`)
      .join('\n');
  const fallback = '    default: { return 0.0; }';
  return `
override ACTIVATION: u32 = 0;
override ALPHA: f32 = 0.0;

fn activate(z: f32) -> f32 {
  switch ACTIVATION {
${cases(0)}
${fallback}
  }
}

// v is the activation's output, or its pre-activation, as "from" in src/kernels/activations.ts says.
fn activate_derivative(v: f32) -> f32 {
  switch ACTIVATION {
${cases(1)}
${fallback}
  }
}
`;
}
