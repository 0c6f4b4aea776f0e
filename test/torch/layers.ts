import { type ActivationRule, ruleOf } from './activations.js';
import {
  type Arithmetic,
  build,
  columnSums,
  type Matrix,
  map,
  matrix,
  product,
  total,
  transpose,
} from './arithmetic.js';
import { isStatistic, numberOf, type Parameter, type Spec, specOf, specsOf } from './specs.js';

/**
 * A branch that rounding may decide: the distances of the values from the branch point, in the order of the elements.
 */
export interface Kink {
  readonly name: string;
  /** Signed distances: zero at the branch point, and the sign tells the branch that is taken. */
  readonly distances: Float64Array;
}

/** Inputs of layers beside X, and the results that are not their outputs. */
export interface Context {
  readonly arithmetic: Arithmetic;
  readonly training: boolean;
  /** For each dropout layer, by its number: 1 for an element that stays, 0 for one that does not, row by row. */
  readonly masks: Readonly<Record<string, ArrayLike<number>>>;
  readonly kinks: Kink[];
  /** New values of statistics. */
  readonly statistics: Parameter[];
}

export interface Backward {
  /** ∂loss/∂input. */
  readonly dX: Matrix;
  /** Of the layer's parameters, in their order; statistics have none. */
  readonly gradients: readonly Parameter[];
}

export interface Recorded {
  readonly output: Matrix;
  /** @param needsInput true if dX is needed; else dX may be empty */
  backward(dY: Matrix, needsInput: boolean): Backward;
}

/** A layer: its number (`2`, or `2.0` in a residual block), its spec, and its parameters. */
interface Place {
  readonly name: string;
  readonly spec: Spec;
  readonly parameters: readonly Parameter[];
}

type LayerRule = (context: Context, place: Place, X: Matrix) => Recorded;

const rules: Readonly<Record<string, LayerRule>> = {
  activation: (context, place, X) => activationOf(context, place, 0)(X),
  dense,
  dropout,
  batchNorm,
  layerNorm,
  residual,
};

/** Runs layers in order. @param prefix of the names of their parameters, such as `3.` within a residual block */
export function runLayers(
  context: Context,
  specs: readonly Spec[],
  parameters: readonly Parameter[],
  X: Matrix,
  prefix = '',
): Recorded {
  const recorded: Recorded[] = [];
  let output = X;
  for (const [number, spec] of specs.entries()) {
    const name = `${prefix}${number}`;
    const own = parameters.filter((parameter) => parameter.name.startsWith(`${name}.`));
    const rule = rules[spec.type];
    if (rule === undefined) throw new RangeError(`The reference knows no layer "${spec.type}".`);
    // A frozen layer has no gradients, and its running statistics are constants, as in eval() mode.
    const frozen = spec.trainable === false;
    const inside = frozen ? { ...context, training: false } : context;
    const layer = rule(inside, { name, spec, parameters: own }, output);
    recorded.push(
      frozen ? { ...layer, backward: (...args) => ({ ...layer.backward(...args), gradients: [] }) } : layer,
    );
    output = layer.output;
  }
  return {
    output,
    backward(dY, needsInput) {
      let dX = dY;
      const gradients: Parameter[] = [];
      for (const [number, layer] of [...recorded.entries()].reverse()) {
        const result = layer.backward(dX, needsInput || number > 0);
        gradients.unshift(...result.gradients);
        dX = result.dX;
      }
      return { dX, gradients };
    },
  };
}

const parameterAt = ({ name, parameters }: Place, index: number): Parameter => {
  const parameter = parameters[index];
  if (parameter === undefined) throw new RangeError(`Layer ${name} has no parameter ${index}.`);
  return parameter;
};

const gradientOf = (parameter: Parameter, data: Float64Array): Parameter => ({ ...parameter, data });

/** Y = g(X·W + b), torch.nn.Linear and an activation; W is (inputs, units) here. maxout: the largest of k columns. */
function dense(context: Context, place: Place, X: Matrix): Recorded {
  const { arithmetic } = context;
  const weight = parameterAt(place, 0);
  const columns = weight.data.length / X.columns;
  const W = matrix(X.columns, columns, weight.data);
  const bias = place.spec.bias === false ? undefined : parameterAt(place, 1);
  const activation = activationOf(context, place, bias === undefined ? 1 : 2);
  const linear = product(arithmetic, X, W);
  const Z = bias === undefined ? linear : map(linear, (z, i) => arithmetic.round(z + bias.data[i % columns]!));
  const { output, backward } = activation(Z);
  return {
    output,
    backward(dY, needsInput) {
      const { dX: dZ, gradients } = backward(dY, true);
      const dW = gradientOf(weight, product(arithmetic, transpose(X), dZ).values);
      const db = bias === undefined ? [] : [gradientOf(bias, columnSums(arithmetic, dZ).values)];
      const dX = needsInput ? product(arithmetic, dZ, transpose(W)) : matrix(0, 0, []);
      return { dX, gradients: [dW, ...db, ...gradients] };
    },
  };
}

/** A layer's activation as a function of Z; its learned parameter, if it has one, is the parameter with this index. */
function activationOf(context: Context, place: Place, index: number): (Z: Matrix) => Recorded {
  const spec = specOf(place.spec.activation ?? 'linear');
  if (spec.type === 'maxout') return (Z) => maxout(context, place.name, Z, numberOf(spec, 'pieces', 2));
  const { rule, parameter } = ruleOf(spec);
  const learned = place.parameters[index];
  return (Z) => elementwise(context, place.name, rule, Z, learned ?? parameter);
}

/** A = g(Z), with one parameter for all units, or a learned one: one for all, or one for each unit. */
function elementwise(
  { arithmetic, kinks }: Context,
  name: string,
  rule: ActivationRule,
  Z: Matrix,
  given: number | Parameter,
): Recorded {
  const values = typeof given === 'number' ? Float64Array.of(given) : given.data;
  const parameterOf = (i: number): number => values[values.length === 1 ? 0 : i % Z.columns]!;
  if (values.some((value) => rule.jumps?.(value) === true)) kinks.push({ name, distances: Z.values });
  const A = map(Z, (z, i) => rule.value(arithmetic, z, parameterOf(i)));
  return {
    output: A,
    backward(dY) {
      const dX = map(dY, (d, i) =>
        arithmetic.round(d * rule.slope(arithmetic, Z.values[i]!, A.values[i]!, parameterOf(i))),
      );
      if (typeof given === 'number') return { dX, gradients: [] };
      const { parameterSlope } = rule;
      if (parameterSlope === undefined)
        throw new RangeError(`Layer ${name}: nobody learns its activation's parameter.`);
      const parts = map(dY, (d, i) =>
        arithmetic.round(d * parameterSlope(arithmetic, Z.values[i]!, A.values[i]!, parameterOf(i))),
      );
      const perUnit = columnSums(arithmetic, parts).values;
      const one = (): Float64Array => Float64Array.of(total(arithmetic, perUnit.length, (i) => perUnit[i]!));
      return { dX, gradients: [gradientOf(given, values.length === 1 ? one() : perUnit)] };
    },
  };
}

/** max over k pieces (Goodfellow et al. 2013). Piece p of unit u is column u·k + p of Z; the first of equals wins. */
function maxout({ kinks }: Context, name: string, Z: Matrix, k: number): Recorded {
  const units = Z.columns / k;
  const winners = build(Z.rows, units, (row, unit) => {
    let best = 0;
    const start = row * Z.columns + unit * k;
    for (let piece = 1; piece < k; piece++) {
      if (Z.values[start + piece]! > Z.values[start + best]!) best = piece;
    }
    return start + best;
  });
  // The lead of the largest piece over each other piece, as a difference in the order of the pieces.
  for (let piece = 1; piece < k; piece++) {
    const lead = build(Z.rows, units, (row, unit) => {
      const start = row * Z.columns + unit * k;
      return Z.values[start + piece]! - Math.max(...Z.values.subarray(start, start + piece));
    });
    kinks.push({ name, distances: lead.values });
  }
  return {
    output: map(winners, (index) => Z.values[index]!),
    backward(dY) {
      const dZ = new Float64Array(Z.values.length);
      for (const [i, index] of winners.values.entries()) dZ[index] = dY.values[i]!;
      return { dX: matrix(Z.rows, Z.columns, dZ), gradients: [] };
    },
  };
}

/** torch.nn.Dropout with a given mask: X·mask / (1 − rate) in training, X in evaluation. */
function dropout({ arithmetic, training, masks }: Context, { name, spec }: Place, X: Matrix): Recorded {
  const rate = numberOf(spec, 'rate');
  if (!training || rate === 0) return { output: X, backward: (dY) => ({ dX: dY, gradients: [] }) };
  const mask = masks[name];
  if (mask === undefined) throw new RangeError(`Layer ${name} (dropout) was given no mask.`);
  const scale = (values: Matrix): Matrix =>
    map(values, (value, i) => (mask[i] === 1 ? arithmetic.round(value / (1 - rate)) : 0));
  return { output: scale(X), backward: (dY) => ({ dX: scale(dY), gradients: [] }) };
}

/**
 * torch.nn.BatchNorm1d: (x − mean)/√(var + ε)·γ + β with mean and var of each column of the batch, var over n; running
 * statistics move by `momentum` towards them, with var over n − 1, and are what evaluation takes.
 */
function batchNorm(context: Context, place: Place, X: Matrix): Recorded {
  const { arithmetic, training, statistics } = context;
  const [runningMean, runningVariance] = place.parameters.filter(isStatistic);
  const epsilon = numberOf(place.spec, 'epsilon', 1e-5);
  if (!training) {
    if (runningMean === undefined || runningVariance === undefined) {
      throw new RangeError(`Layer ${place.name} (batchNorm) has no running statistics to evaluate with.`);
    }
    const means = matrix(1, X.columns, runningMean.data);
    const variances = matrix(1, X.columns, runningVariance.data);
    return normalized(context, place, X, { means, variances, epsilon, perRow: false, fixed: true });
  }
  const moments = momentsOf(arithmetic, transpose(X));
  if (runningMean !== undefined && runningVariance !== undefined) {
    const momentum = numberOf(place.spec, 'momentum', 0.1);
    const n = X.rows;
    const moved = (old: Parameter, now: Matrix, factor: number): Parameter => ({
      ...old,
      data: old.data.map((value, i) =>
        arithmetic.round((1 - momentum) * value + arithmetic.round(momentum * factor * now.values[i]!)),
      ),
    });
    statistics.push(moved(runningMean, moments.means, 1), moved(runningVariance, moments.variances, n / (n - 1)));
  }
  return normalized(context, place, X, { ...moments, epsilon, perRow: false, fixed: false });
}

/** torch.nn.LayerNorm over the features of a row: (x − mean)/√(var + ε)·γ + β, var over n. */
function layerNorm(context: Context, place: Place, X: Matrix): Recorded {
  const epsilon = numberOf(place.spec, 'epsilon', 1e-5);
  return normalized(context, place, X, { ...momentsOf(context.arithmetic, X), epsilon, perRow: true, fixed: false });
}

/** Mean and variance (over n) of each row. */
function momentsOf(arithmetic: Arithmetic, X: Matrix): { readonly means: Matrix; readonly variances: Matrix } {
  const n = X.columns;
  const element = (row: number, column: number): number => X.values[row * n + column]!;
  const means = build(1, X.rows, (_, row) =>
    arithmetic.round(total(arithmetic, n, (column) => element(row, column)) / n),
  );
  const variances = build(1, X.rows, (_, row) => {
    const mean = means.values[row]!;
    return arithmetic.round(total(arithmetic, n, (column) => (element(row, column) - mean) ** 2) / n);
  });
  return { means, variances };
}

interface Normalizing {
  readonly means: Matrix;
  readonly variances: Matrix;
  readonly epsilon: number;
  /** True if rows are normalised, false for columns. */
  readonly perRow: boolean;
  /** True if mean and variance are constants, not functions of X. */
  readonly fixed: boolean;
}

/**
 * N = (X − mean)/√(var + ε), Y = γ·N + β. Backwards dγ = Σ dY·N and dβ = Σ dY over the rows; with dN = γ·dY, and the
 * means over what was normalised, dX = (dN − mean(dN) − N·mean(dN·N))/√(var + ε).
 */
function normalized({ arithmetic }: Context, place: Place, X: Matrix, how: Normalizing): Recorded {
  const [gamma, beta] = place.parameters.filter((parameter) => !isStatistic(parameter));
  const { columns } = X;
  const groupOf = (i: number): number => (how.perRow ? Math.floor(i / columns) : i % columns);
  const inverse = map(how.variances, (variance) =>
    arithmetic.round(1 / arithmetic.round(Math.sqrt(variance + how.epsilon))),
  );
  const N = map(X, (x, i) => {
    const group = groupOf(i);
    return arithmetic.round(arithmetic.round(x - how.means.values[group]!) * inverse.values[group]!);
  });
  const scaled = (values: Matrix): Matrix =>
    gamma === undefined ? values : map(values, (value, i) => arithmetic.round(value * gamma.data[i % columns]!));
  const Y = scaled(N);
  return {
    output: beta === undefined ? Y : map(Y, (y, i) => arithmetic.round(y + beta.data[i % columns]!)),
    backward(dY) {
      const times = map(dY, (d, i) => arithmetic.round(d * N.values[i]!));
      const gradients = [
        ...(gamma === undefined ? [] : [gradientOf(gamma, columnSums(arithmetic, times).values)]),
        ...(beta === undefined ? [] : [gradientOf(beta, columnSums(arithmetic, dY).values)]),
      ];
      const dN = scaled(dY);
      if (how.fixed) return { dX: map(dN, (d, i) => arithmetic.round(d * inverse.values[groupOf(i)]!)), gradients };
      const grouped = (values: Matrix): Matrix => {
        const sums = columnSums(arithmetic, how.perRow ? transpose(values) : values);
        return map(sums, (sum) => sum / (how.perRow ? columns : X.rows));
      };
      const mean = grouped(dN).values;
      const along = grouped(map(dN, (d, i) => arithmetic.round(d * N.values[i]!))).values;
      const dX = map(dN, (d, i) => {
        const group = groupOf(i);
        const rest = arithmetic.round(d - mean[group]! - arithmetic.round(N.values[i]! * along[group]!));
        return arithmetic.round(rest * inverse.values[group]!);
      });
      return { dX, gradients };
    },
  };
}

/** Y = g(X + F(X)), with F the layers of the block (He et al. 2016). */
function residual(context: Context, place: Place, X: Matrix): Recorded {
  const { arithmetic } = context;
  const block = runLayers(context, specsOf(place.spec, 'layers'), place.parameters, X, `${place.name}.`);
  const sum = map(block.output, (value, i) => arithmetic.round(value + X.values[i]!));
  const { output, backward } = activationOf(context, place, place.parameters.length)(sum);
  return {
    output,
    backward(dY) {
      const { dX: dSum } = backward(dY, true);
      const { dX, gradients } = block.backward(dSum, true);
      return { dX: map(dX, (d, i) => arithmetic.round(d + dSum.values[i]!)), gradients };
    },
  };
}
