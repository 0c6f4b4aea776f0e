import { MlpError } from './errors.js';

/** A row of the table: what an activation is, for the shaders, for the CPU reference and for the docs. */
export interface ActivationRow {
  /** a = g(z), in words for people. */
  readonly formula: string;
  /** What the derivative is a function of: the output y = g(z), so that a layer keeps only that, or the pre-activation z. */
  readonly from: 'y' | 'z';
  /** The name and default of the one parameter, if there is one. */
  readonly parameter?: { readonly name: 'alpha' | 'beta'; readonly default: number };
  /** WGSL for g(z) and for g′ in y or z; the parameter is ALPHA. */
  readonly wgsl: readonly [string, string];
  /** The same in float64. */
  readonly cpu: readonly [(z: number, alpha: number) => number, (v: number, alpha: number) => number];
}

const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;
/** The value of selu far left: −λα. */
const SELU_FLOOR = SELU_SCALE * SELU_ALPHA;

const sigmoid = (z: number): number => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));
const normalPdf = (z: number): number => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
const geluInner = (z: number): number => Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3);

/**
 * Φ(z) in float64, to 1e-11 of its value: the series of the error function in the middle (whose 1 − erf costs the digits),
 * a continued fraction (evaluated backwards) in the tails.
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

/** What users call an activation. */
export type ActivationName =
  | 'linear'
  | 'relu'
  | 'leakyRelu'
  | 'sigmoid'
  | 'tanh'
  | 'elu'
  | 'selu'
  | 'softplus'
  | 'swish'
  | 'gelu';

/** A row's name; gelu's tanh form is a row of its own. */
export type ActivationRowName = ActivationName | 'geluTanh';

/** THE table: every activation, once. Source of the formulas and conventions: PyTorch's documentation. */
export const activationTable: Readonly<Record<ActivationRowName, ActivationRow>> = {
  linear: { formula: 'z', from: 'y', wgsl: ['z', '1.0'], cpu: [(z) => z, () => 1] },
  relu: {
    formula: 'max(0, z)',
    from: 'y',
    wgsl: ['max(z, 0.0)', 'select(0.0, 1.0, v > 0.0)'],
    cpu: [(z) => Math.max(z, 0), (y) => (y > 0 ? 1 : 0)],
  },
  leakyRelu: {
    formula: 'z if z > 0, else α·z',
    from: 'y',
    parameter: { name: 'alpha', default: 0.01 },
    wgsl: ['select(ALPHA * z, z, z > 0.0)', 'select(ALPHA, 1.0, v > 0.0)'],
    cpu: [(z, alpha) => (z > 0 ? z : alpha * z), (y, alpha) => (y > 0 ? 1 : alpha)],
  },
  sigmoid: {
    formula: '1 / (1 + e⁻ᶻ)',
    from: 'y',
    wgsl: ['sigmoid(z)', 'v * (1.0 - v)'],
    cpu: [sigmoid, (y) => y * (1 - y)],
  },
  tanh: { formula: 'tanh z', from: 'y', wgsl: ['stable_tanh(z)', '1.0 - v * v'], cpu: [Math.tanh, (y) => 1 - y * y] },
  elu: {
    formula: 'z if z > 0, else α·(eᶻ − 1)',
    from: 'y',
    parameter: { name: 'alpha', default: 1 },
    wgsl: ['select(ALPHA * expm1(z), z, z > 0.0)', 'select(v + ALPHA, 1.0, v > 0.0)'],
    cpu: [(z, alpha) => (z > 0 ? z : alpha * Math.expm1(z)), (y, alpha) => (y > 0 ? 1 : y + alpha)],
  },
  selu: {
    formula: 'λ·z if z > 0, else λ·α·(eᶻ − 1)',
    from: 'y',
    wgsl: [
      `select(${SELU_FLOOR} * expm1(z), ${SELU_SCALE} * z, z > 0.0)`,
      `select(v + ${SELU_FLOOR}, ${SELU_SCALE}, v > 0.0)`,
    ],
    cpu: [(z) => (z > 0 ? SELU_SCALE * z : SELU_FLOOR * Math.expm1(z)), (y) => (y > 0 ? SELU_SCALE : y + SELU_FLOOR)],
  },
  softplus: {
    formula: 'ln(1 + eᶻ)',
    from: 'y',
    wgsl: ['softplus(z)', '-expm1(-v)'],
    cpu: [(z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))), (y) => -Math.expm1(-y)],
  },
  swish: {
    formula: 'z·σ(βz)',
    from: 'z',
    parameter: { name: 'beta', default: 1 },
    wgsl: ['z * sigmoid(ALPHA * z)', 'swish_derivative(v, ALPHA)'],
    cpu: [(z, beta) => z * sigmoid(beta * z), (z, beta) => sigmoid(beta * z) * (1 + beta * z * sigmoid(-beta * z))],
  },
  gelu: {
    formula: 'z·Φ(z)',
    from: 'z',
    wgsl: ['z * normal_cdf(z)', 'normal_cdf(v) + v * normal_pdf(v)'],
    cpu: [(z) => z * normalCdf(z), (z) => normalCdf(z) + z * normalPdf(z)],
  },
  geluTanh: {
    formula: '½z·(1 + tanh(√(2/π)·(z + 0.044715z³)))',
    from: 'z',
    // ½(1 + tanh g) = σ(2g), which does not cancel on the left.
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
};

/** An activation: its name, or an object where a parameter is not the default. */
export type Activation =
  | ActivationName
  | { readonly type: Exclude<ActivationName, 'leakyRelu' | 'elu' | 'swish' | 'gelu'> }
  | { readonly type: 'leakyRelu' | 'elu'; readonly alpha?: number }
  | { readonly type: 'swish'; readonly beta?: number }
  | { readonly type: 'gelu'; readonly approximate?: 'none' | 'tanh' };

/** An activation with every default filled in, and its row. */
export interface ResolvedActivation {
  readonly name: ActivationRowName;
  readonly row: ActivationRow;
  /** The row's place in the table, which is the override ACTIVATION. */
  readonly index: number;
  /** The parameter, or 0 where there is none: the override ALPHA. */
  readonly alpha: number;
  /** Plain data that gives the same activation again. */
  readonly spec: Activation;
}

const names = Object.keys(activationTable) as ActivationRowName[];

/**
 * Looks an activation up.
 * @throws {MlpError} `unknown-activation`, or `bad-activation` for a parameter outside of its range
 */
export function resolveActivation(activation: Activation): ResolvedActivation {
  const given: { readonly type: string; readonly [option: string]: unknown } =
    typeof activation === 'string' ? { type: activation } : activation;
  const name = given.type === 'gelu' && given.approximate === 'tanh' ? 'geluTanh' : given.type;
  if (!isRowName(name)) {
    const known = names.filter((known) => known !== 'geluTanh').join(', ');
    throw new MlpError('unknown-activation', `Activation "${String(name)}" is not known. Known: ${known}.`);
  }
  const row: ActivationRow = activationTable[name];
  if (given.type === 'gelu' || given.type === 'geluTanh') {
    const approximate = name === 'gelu' ? 'none' : 'tanh';
    if (given.approximate !== undefined && given.approximate !== approximate) {
      throw new MlpError(
        'bad-activation',
        `gelu has approximate = ${String(given.approximate)}; it is "none" or "tanh".`,
      );
    }
    return { name, row, index: names.indexOf(name), alpha: 0, spec: { type: 'gelu', approximate } };
  }
  if (row.parameter === undefined) {
    return { name, row, index: names.indexOf(name), alpha: 0, spec: name as ActivationName };
  }
  const alpha = given[row.parameter.name] ?? row.parameter.default;
  // elu's and leakyRelu's derivatives are read off the sign of the output, which a negative α would turn around.
  if (typeof alpha !== 'number' || !Number.isFinite(alpha) || (row.parameter.name === 'alpha' && alpha < 0)) {
    const range = row.parameter.name === 'alpha' ? 'a number ≥ 0' : 'a finite number';
    throw new MlpError('bad-activation', `${name} has ${row.parameter.name} = ${String(alpha)}; it must be ${range}.`);
  }
  const spec = { type: name, [row.parameter.name]: alpha } as Activation;
  return { name, row, index: names.indexOf(name), alpha, spec };
}

function isRowName(name: string): name is ActivationRowName {
  return Object.hasOwn(activationTable, name);
}

/** The WGSL that the plugin appends to shaders that use activations, made from the table. */
export function activationsWgsl(): string {
  const cases = (part: 0 | 1): string =>
    names
      .map((name, index) => `    case ${index}: { return ${activationTable[name].wgsl[part]}; } // ${name}`)
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

// v is the activation's output, or its pre-activation, as the table says.
fn activate_derivative(v: f32) -> f32 {
  switch ACTIVATION {
${cases(1)}
${fallback}
  }
}
`;
}
