import { exponential, logistic, softplus } from './activations.js';
import { type Arithmetic, build, type Matrix, total } from './arithmetic.js';
import { numberOf, type Spec } from './specs.js';

/** The labels that outputs are compared with. */
export interface Targets {
  /** A class for each row, or (rows, outputs) numbers. */
  readonly targets: ArrayLike<number>;
  /** Weight of each row, a factor of its loss; the mean still divides by the number of rows. */
  readonly weights?: ArrayLike<number>;
}

export interface LossResult {
  readonly loss: number;
  /** ∂loss/∂outputs. */
  readonly gradient: Matrix;
  /** Outputs less targets where the loss has a kink at zero. */
  readonly distances?: Float64Array;
}

type LossRule = (arithmetic: Arithmetic, outputs: Matrix, targets: Targets, spec: Spec) => LossResult;

/** Units in the last place that a logarithm loses in float32. */
const FUNCTION_ULPS = 4;

/** A loss of PyTorch's documentation (torch.nn, "Loss Functions", reduction = 'mean'), and its gradient. */
export function lossOf(arithmetic: Arithmetic, outputs: Matrix, targets: Targets, spec: Spec): LossResult {
  const rule = rules[spec.type];
  if (rule === undefined) throw new RangeError(`The reference knows no loss "${spec.type}".`);
  return rule(arithmetic, outputs, targets, spec);
}

const weightOf = ({ weights }: Targets, row: number): number => weights?.[row] ?? 1;

/**
 * torch.nn.CrossEntropyLoss(weight, label_smoothing): −Σₖ qₖ·log softmax(z)ₖ for each row, with
 * qₖ = classWeightₖ·((1 − ε)·yₖ + ε/K) for rows of probabilities y, divided by the number of rows; and for class indices
 * qₖ = (1 − ε)·classWeight_y·[k = y] + ε/K·classWeightₖ, divided by the sum of the rows' classWeight_y.
 */
function softmaxCrossEntropy(arithmetic: Arithmetic, outputs: Matrix, given: Targets, spec: Spec): LossResult {
  const { rows, columns } = outputs;
  const { targets } = given;
  const byClass = targets.length === rows;
  if (!byClass && targets.length !== rows * columns)
    throw new RangeError('There must be a class, or a row, for each row.');
  const smoothing = numberOf(spec, 'labelSmoothing', 0);
  const classWeights = classWeightsOf(spec, columns);
  const target = (row: number, k: number): number => {
    if (byClass) return targets[row] === k ? 1 : 0;
    return targets[row * columns + k]!;
  };
  const q = build(
    rows,
    columns,
    (row, k) => classWeights[k]! * arithmetic.round((1 - smoothing) * target(row, k) + smoothing / columns),
  );
  const divisor = byClass ? total(arithmetic, rows, (row) => classWeights[targets[row]!]!) : rows;
  const gradient = new Float64Array(rows * columns);
  const loss = total(arithmetic, rows, (row) => {
    const at = row * columns;
    const largest = Math.max(...outputs.values.subarray(at, at + columns));
    const shifted = Array.from({ length: columns }, (_, k) => arithmetic.round(outputs.values[at + k]! - largest));
    const powers = shifted.map((x) => exponential(arithmetic, x));
    const sum = total(arithmetic, columns, (k) => powers[k]!);
    const logarithm = arithmetic.call(Math.log(sum), FUNCTION_ULPS);
    const factor = arithmetic.round(weightOf(given, row) / divisor);
    const mass = total(arithmetic, columns, (k) => q.values[at + k]!);
    for (let k = 0; k < columns; k++) {
      const expected = arithmetic.round(arithmetic.round(powers[k]! / sum) * mass);
      gradient[at + k] = arithmetic.round(arithmetic.round(expected - q.values[at + k]!) * factor);
    }
    const rowLoss = total(arithmetic, columns, (k) => q.values[at + k]! * arithmetic.round(logarithm - shifted[k]!));
    return arithmetic.round(rowLoss * factor);
  });
  return { loss, gradient: { rows, columns, values: gradient } };
}

function classWeightsOf({ type, classWeights }: Spec, columns: number): readonly number[] {
  if (classWeights === undefined || classWeights === null) return new Array<number>(columns).fill(1);
  if (!Array.isArray(classWeights) || classWeights.length !== columns) {
    throw new RangeError(`${type}: classWeights must be ${columns} numbers.`);
  }
  return classWeights.map(Number);
}

/** A loss of each element, its slope, and the mean over rows·outputs. */
function elementLoss(
  compute: (
    arithmetic: Arithmetic,
    output: number,
    target: number,
    spec: Spec,
    column: number,
  ) => readonly [loss: number, slope: number],
): LossRule {
  return (arithmetic, outputs, given, spec) => {
    const { values, rows, columns } = outputs;
    if (given.targets.length !== values.length) throw new RangeError(`${spec.type} needs a target for each output.`);
    const gradient = new Float64Array(values.length);
    const loss = total(arithmetic, values.length, (i) => {
      const [element, slope] = compute(arithmetic, values[i]!, given.targets[i]!, spec, i % columns);
      const factor = arithmetic.round(weightOf(given, Math.floor(i / columns)) / values.length);
      gradient[i] = arithmetic.round(slope * factor);
      return arithmetic.round(element * factor);
    });
    return { loss, gradient: { rows, columns, values: gradient } };
  };
}

/**
 * torch.nn.BCEWithLogitsLoss(pos_weight): max(z, 0) − z·y + ln(1 + e^−|z|), slope σ(z) − y; with weights p for the ones
 * (1 − y)·z + (1 + (p − 1)·y)·ln(1 + e⁻ᶻ), slope 1 − y − (1 + (p − 1)·y)·σ(−z).
 */
const binaryCrossEntropy = elementLoss((arithmetic, z, y, spec, column) => {
  const p = positiveWeightOf(spec, column);
  const share = arithmetic.round(1 + arithmetic.round((p - 1) * y));
  const positive = arithmetic.round(share * arithmetic.call(softplus(-Math.abs(z)), FUNCTION_ULPS));
  const linear = arithmetic.round(z < 0 ? arithmetic.round((1 - y) * z) - share * z : (1 - y) * z);
  if (p !== 1) {
    const rest = arithmetic.round(share * arithmetic.call(logistic(-z), FUNCTION_ULPS));
    return [arithmetic.round(linear + positive), arithmetic.round(1 - y - rest)];
  }
  return [arithmetic.round(linear + positive), arithmetic.round(arithmetic.call(logistic(z), FUNCTION_ULPS) - y)];
});

function positiveWeightOf({ type, positiveWeight = 1 }: Spec, column: number): number {
  const value: unknown = Array.isArray(positiveWeight) ? positiveWeight[column] : positiveWeight;
  if (typeof value !== 'number') throw new TypeError(`${type}: positiveWeight of output ${column} is no number.`);
  return value;
}

/** torch.nn.MSELoss: d², slope 2d, with d = output − target. */
const meanSquaredError = elementLoss((arithmetic, a, y) => {
  const d = arithmetic.round(a - y);
  return [arithmetic.round(d * d), 2 * d];
});

/** torch.nn.L1Loss: |d|, slope sign d. */
const meanAbsoluteError: LossRule = (arithmetic, outputs, given, spec) => {
  const difference = outputs.values.map((value, i) => arithmetic.round(value - given.targets[i]!));
  const rule = elementLoss((_, a, y) => [Math.abs(arithmetic.round(a - y)), Math.sign(a - y)]);
  return { ...rule(arithmetic, outputs, given, spec), distances: difference };
};

/** torch.nn.HuberLoss(delta): ½d² for |d| < δ, else δ·(|d| − ½δ); slope d, clamped to ±δ. */
const huber = elementLoss((arithmetic, a, y, spec) => {
  const delta = numberOf(spec, 'delta', 1);
  const d = arithmetic.round(a - y);
  const size = Math.abs(d);
  const loss = size < delta ? 0.5 * arithmetic.round(d * d) : delta * arithmetic.round(size - 0.5 * delta);
  return [arithmetic.round(loss), Math.max(-delta, Math.min(delta, d))];
});

/** Keras' LogCosh, ln cosh d; slope tanh d. */
const logCosh = elementLoss((arithmetic, a, y) => {
  const d = arithmetic.round(a - y);
  const size = Math.abs(d);
  const loss =
    size < 1 ? Math.log1p(Math.expm1(size) ** 2 / (2 * Math.exp(size))) : size + softplus(-2 * size) - Math.LN2;
  return [arithmetic.call(loss, FUNCTION_ULPS), arithmetic.call(Math.tanh(d), FUNCTION_ULPS)];
});

const rules: Readonly<Record<string, LossRule>> = {
  softmaxCrossEntropy,
  binaryCrossEntropy,
  meanSquaredError,
  meanAbsoluteError,
  huber,
  logCosh,
};
