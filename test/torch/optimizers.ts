import { type Arithmetic, total } from './arithmetic.js';
import { flagOf, isWeightMatrix, numberOf, type Parameter, type Spec } from './specs.js';

/** An optimizer's state of one parameter tensor, by the names in PyTorch's documentation. */
export type OptimizerState = Readonly<Record<string, Float64Array>>;

interface Update {
  readonly values: Float64Array;
  readonly state: OptimizerState;
}

interface Step {
  readonly arithmetic: Arithmetic;
  readonly spec: Spec;
  readonly learningRate: number;
  /** From 1 on. */
  readonly step: number;
  readonly values: Float64Array;
  readonly gradient: Float64Array;
  readonly state: OptimizerState;
  /** The parameter that is updated. */
  readonly parameter: Parameter;
}

/** An update by the algorithm in PyTorch's documentation (torch.optim), in its order of operations. */
type OptimizerRule = (step: Step) => Update;

const zeros = (like: Float64Array): Float64Array => new Float64Array(like.length);

/** The weight decay of a parameter: 0 beside weight matrices, if the option is { value, on: 'weights' }. */
function decayOf({ spec, parameter }: Step, fallback: number): number {
  const { weightDecay } = spec;
  if (typeof weightDecay !== 'object') return numberOf(spec, 'weightDecay', fallback);
  return isWeightMatrix(parameter) ? numberOf({ type: spec.type, ...weightDecay }, 'value') : 0;
}

/** The gradient with weightDecay·p added: decay as an L2 penalty. */
function decayed(step: Step): Float64Array {
  const { arithmetic, values, gradient } = step;
  const decay = decayOf(step, 0);
  if (decay === 0) return gradient;
  return gradient.map((g, i) => arithmetic.round(g + arithmetic.round(decay * values[i]!)));
}

/** keep·average + (1 − keep)·value. */
const blend = (arithmetic: Arithmetic, keep: number, average: number, value: number): number =>
  arithmetic.round(arithmetic.round(keep * average) + arithmetic.round((1 - keep) * value));

const descend = ({ arithmetic, values }: Step, amount: (index: number) => number): Float64Array =>
  values.map((value, i) => arithmetic.round(value - arithmetic.round(amount(i))));

/** g ← g + λp; b ← μb + (1 − τ)g, b = g on the first step; g ← g + μb with nesterov, else b; p ← p − γg. */
const sgd: OptimizerRule = (step) => {
  const { arithmetic, spec, learningRate, state } = step;
  const momentum = numberOf(spec, 'momentum', 0);
  const dampening = numberOf(spec, 'dampening', 0);
  const g = decayed(step);
  if (momentum === 0) return { values: descend(step, (i) => learningRate * g[i]!), state };
  const before = state.momentum_buffer;
  const buffer =
    before === undefined
      ? g
      : g.map((value, i) => arithmetic.round(arithmetic.round(momentum * before[i]!) + (1 - dampening) * value));
  const direction = flagOf(spec, 'nesterov')
    ? g.map((value, i) => arithmetic.round(value + arithmetic.round(momentum * buffer[i]!)))
    : buffer;
  return { values: descend(step, (i) => learningRate * direction[i]!), state: { momentum_buffer: buffer } };
};

/** g ← g + λp; s ← s + g²; p ← p − γ/(1 + (t − 1)η)·g/(√s + ε), with η = learningRateDecay. */
const adagrad: OptimizerRule = (step) => {
  const { arithmetic, spec, learningRate, state, values } = step;
  const epsilon = numberOf(spec, 'epsilon', 1e-10);
  const rate = learningRate / (1 + (step.step - 1) * numberOf(spec, 'learningRateDecay', 0));
  const g = decayed(step);
  const before = state.state_sum ?? zeros(values).fill(numberOf(spec, 'initialAccumulator', 0));
  const sums = before.map((sum, i) => arithmetic.round(sum + arithmetic.round(g[i]! * g[i]!)));
  const next = descend(step, (i) => {
    const divisor = arithmetic.round(arithmetic.round(Math.sqrt(sums[i]!)) + epsilon);
    return rate * arithmetic.round(g[i]! / divisor);
  });
  return { values: next, state: { state_sum: sums } };
};

/**
 * g ← g + λp; v ← ρv + (1 − ρ)g²; centered: m ← ρm + (1 − ρ)g, ṽ = v − m²; p ← p − γ·g/(√ṽ + ε), or with momentum
 * b ← μb + g/(√ṽ + ε), p ← p − γb.
 */
const rmsprop: OptimizerRule = (step) => {
  const { arithmetic, spec, learningRate, state, values } = step;
  const rho = numberOf(spec, 'decay', 0.99);
  const epsilon = numberOf(spec, 'epsilon', 1e-8);
  const momentum = numberOf(spec, 'momentum', 0);
  const centered = flagOf(spec, 'centered');
  const g = decayed(step);
  const squares = (state.square_avg ?? zeros(values)).map((v, i) =>
    blend(arithmetic, rho, v, arithmetic.round(g[i]! * g[i]!)),
  );
  const means = (state.grad_avg ?? zeros(values)).map((m, i) => (centered ? blend(arithmetic, rho, m, g[i]!) : 0));
  const buffer = (state.momentum_buffer ?? zeros(values)).map((b, i) => {
    const variance = arithmetic.round(squares[i]! - arithmetic.round(means[i]! * means[i]!));
    const scaled = arithmetic.round(
      g[i]! / arithmetic.round(arithmetic.round(Math.sqrt(Math.max(variance, 0))) + epsilon),
    );
    return arithmetic.round(arithmetic.round(momentum * b) + scaled);
  });
  return {
    values: descend(step, (i) => learningRate * buffer[i]!),
    state: { square_avg: squares, grad_avg: means, momentum_buffer: buffer },
  };
};

/** m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; p ← p − γ·m̂/(√v̂ + ε), m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ). */
function adaptiveMoments(step: Step, start: Float64Array, g: Float64Array): Update {
  const { arithmetic, spec, learningRate, state } = step;
  const beta1 = numberOf(spec, 'beta1', 0.9);
  const beta2 = numberOf(spec, 'beta2', 0.999);
  const epsilon = numberOf(spec, 'epsilon', 1e-8);
  const m = (state.exp_avg ?? zeros(g)).map((value, i) => blend(arithmetic, beta1, value, g[i]!));
  const v = (state.exp_avg_sq ?? zeros(g)).map((value, i) =>
    blend(arithmetic, beta2, value, arithmetic.round(g[i]! * g[i]!)),
  );
  const values = descend({ ...step, values: start }, (i) => {
    const mean = arithmetic.round(m[i]! / (1 - beta1 ** step.step));
    const root = arithmetic.round(Math.sqrt(arithmetic.round(v[i]! / (1 - beta2 ** step.step))));
    return arithmetic.round(learningRate * mean) / arithmetic.round(root + epsilon);
  });
  return { values, state: { exp_avg: m, exp_avg_sq: v } };
}

/** Adam with decay as an L2 penalty: g ← g + λp. */
const adam: OptimizerRule = (step) => adaptiveMoments(step, step.values, decayed(step));

/** Adam with decoupled decay: p ← p − γλp first. */
const adamw: OptimizerRule = (step) => {
  const { arithmetic, learningRate, values } = step;
  const decay = decayOf(step, 0.01);
  const start = decay === 0 ? values : values.map((p) => arithmetic.round(p * (1 - learningRate * decay)));
  return adaptiveMoments(step, start, step.gradient);
};

const rules: Readonly<Record<string, OptimizerRule>> = { sgd, adagrad, rmsprop, adam, adamw };

/**
 * One update of all parameters.
 * @param gradients in the order of the parameters they belong to; a parameter without one stays as it is
 * @param states result of the previous step; none before the first
 * @param step from 1 on
 */
export function optimizerStep(
  arithmetic: Arithmetic,
  spec: Spec,
  parameters: readonly Parameter[],
  gradients: readonly Parameter[],
  states: Readonly<Record<string, OptimizerState>>,
  step: number,
  learningRate: number = numberOf(spec, 'learningRate'),
): { readonly parameters: Parameter[]; readonly states: Record<string, OptimizerState> } {
  const rule = rules[spec.type];
  if (rule === undefined) throw new RangeError(`The reference knows no optimizer "${spec.type}".`);
  const next: Record<string, OptimizerState> = {};
  const updated = parameters.map((parameter) => {
    const gradient = gradients.find(({ name }) => name === parameter.name)?.data;
    if (gradient === undefined) return parameter;
    const state = states[parameter.name] ?? {};
    const update = rule({ arithmetic, spec, learningRate, step, values: parameter.data, gradient, state, parameter });
    next[parameter.name] = update.state;
    return { ...parameter, data: update.values };
  });
  return { parameters: updated, states: next };
}

/** The limit of gradients before an update: each to ±value, or all together to a Euclidean norm. */
export interface Clip {
  readonly value?: number;
  readonly norm?: number;
}

/** torch.nn.utils.clip_grad_value_: clamp; clip_grad_norm_: all times min(1, norm/(‖all‖₂ + 1e-6)). */
export function clipped(arithmetic: Arithmetic, gradients: readonly Parameter[], clip: Clip): Parameter[] {
  const { value = Infinity, norm } = clip;
  const limited = gradients.map((gradient) => ({
    ...gradient,
    data: gradient.data.map((g) => Math.max(-value, Math.min(value, g))),
  }));
  if (norm === undefined) return limited;
  const all = limited.flatMap(({ data }) => [...data]);
  const length = arithmetic.round(Math.sqrt(total(arithmetic, all.length, (i) => all[i]! * all[i]!)));
  const factor = Math.min(1, arithmetic.round(norm / (length + 1e-6)));
  return limited.map((gradient) => ({ ...gradient, data: gradient.data.map((g) => arithmetic.round(g * factor)) }));
}

/** Added to the loss: l1·Σ|w| + l2·Σw² over the weight matrices. */
export interface Regularization {
  readonly l1?: number | undefined;
  readonly l2?: number | undefined;
}

/** The penalties of parameters, and the gradients with theirs, l1·sign w + 2·l2·w, added. */
export function penalized(
  arithmetic: Arithmetic,
  parameters: readonly Parameter[],
  gradients: readonly Parameter[],
  { l1 = 0, l2 = 0 }: Regularization,
): { readonly penalty: number; readonly gradients: Parameter[] } {
  let penalty = 0;
  const added = gradients.map((gradient) => {
    const weights = parameters.find(({ name }) => name === gradient.name);
    if (weights === undefined || !isWeightMatrix(weights)) return gradient;
    const w = weights.data;
    penalty += total(arithmetic, w.length, (i) => l1 * Math.abs(w[i]!) + l2 * w[i]! ** 2);
    const slope = (i: number): number => arithmetic.round(l1 * Math.sign(w[i]!) + arithmetic.round(2 * l2 * w[i]!));
    return { ...gradient, data: gradient.data.map((g, i) => arithmetic.round(g + slope(i))) };
  });
  return { penalty, gradients: added };
}
