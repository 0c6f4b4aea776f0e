import { type Arithmetic, exactArithmetic, type Matrix, matrix } from './arithmetic.js';
import { type Context, type Kink, runLayers } from './layers.js';
import { lossOf, type Targets } from './losses.js';
import {
  type Clip,
  clipped,
  type OptimizerState,
  optimizerStep,
  penalized,
  type Regularization,
} from './optimizers.js';
import { isWeightMatrix, type Parameter, type Spec, specOf } from './specs.js';

/** Samples, what is expected of them, and which elements dropout keeps. */
export interface Batch extends Targets {
  /** (rows, inputs) numbers, as the first layer takes them. */
  readonly inputs: ArrayLike<number>;
  /** Rows of the batch; rows beyond them are not there. */
  readonly rows: number;
  /** For each dropout layer, by its number: (rows, units), 1 for what stays. */
  readonly masks?: Readonly<Record<string, ArrayLike<number>>>;
}

/** A parameter as `weights()` gives it. */
export interface GivenParameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** What is trained, and by which rules. */
export interface Problem {
  readonly layers: readonly Spec[];
  readonly parameters: readonly GivenParameter[];
  readonly loss: Spec;
  readonly optimizer: Spec;
  /** One for each step. */
  readonly batches: readonly Batch[];
  readonly clip?: Clip;
  readonly penalties?: Regularization;
}

export interface LossAndGradients {
  /** Of the data, and of the penalties. */
  readonly loss: number;
  readonly penalty: number;
  /** Of both together, in the order of the parameters. */
  readonly gradients: readonly Parameter[];
  /** Statistics with their new values. */
  readonly statistics: readonly Parameter[];
  readonly kinks: readonly Kink[];
}

/** A step of training: what was computed with the parameters before it, and the parameters after it. */
export interface TrainedStep extends Omit<LossAndGradients, 'statistics'> {
  /** What prediction makes of the batch, (rows, outputs); logits, where the loss takes them. */
  readonly outputs: Float64Array;
  readonly parameters: readonly Parameter[];
}

/** The same parameters in float64. */
export function inFloat64(parameters: readonly GivenParameter[]): Parameter[] {
  return parameters.map(({ name, shape, data }) => ({ name, shape, data: Float64Array.from(data) }));
}

/** A last layer's softmax or sigmoid belongs to the loss that takes logits. */
function withLogits(layers: readonly Spec[], loss: Spec): readonly Spec[] {
  const last = layers.at(-1);
  const folded: Readonly<Record<string, string>> = { softmaxCrossEntropy: 'softmax', binaryCrossEntropy: 'sigmoid' };
  if (last?.activation === undefined || specOf(last.activation).type !== folded[loss.type]) return layers;
  return [...layers.slice(0, -1), { ...last, activation: 'linear' }];
}

/** The last layer's outputs, (rows, outputs): without dropout, with running statistics. */
export function predict(
  layers: readonly Spec[],
  parameters: readonly Parameter[],
  { inputs, rows }: Pick<Batch, 'inputs' | 'rows'>,
  arithmetic: Arithmetic = exactArithmetic,
): Float64Array {
  const context: Context = { arithmetic, training: false, masks: {}, kinks: [], statistics: [] };
  return runLayers(context, layers, parameters, samplesOf(inputs, rows)).output.values;
}

/** Mean loss of a batch and its gradients, by reverse-mode differentiation. */
export function lossAndGradients(
  layers: readonly Spec[],
  parameters: readonly Parameter[],
  batch: Batch,
  loss: Spec,
  penalties: Regularization = {},
  arithmetic: Arithmetic = exactArithmetic,
): LossAndGradients {
  const { inputs, rows, masks = {} } = batch;
  const context: Context = { arithmetic, training: true, masks, kinks: [], statistics: [] };
  const { output, backward } = runLayers(context, withLogits(layers, loss), parameters, samplesOf(inputs, rows));
  const result = lossOf(arithmetic, output, batch, loss);
  if (result.distances !== undefined) context.kinks.push({ name: loss.type, distances: result.distances });
  if (penalties.l1 !== undefined) {
    for (const { name, data } of parameters.filter(isWeightMatrix)) context.kinks.push({ name, distances: data });
  }
  const { gradients } = backward(result.gradient, false);
  const { kinks, statistics } = context;
  return { loss: result.loss, ...penalized(arithmetic, parameters, gradients, penalties), statistics, kinks };
}

/** A step for each batch: outputs, loss and gradients, then penalties, clipping and the update, as a PyTorch loop does. */
export function trainReference(problem: Problem, arithmetic: Arithmetic = exactArithmetic): TrainedStep[] {
  const { loss, optimizer, penalties, clip } = problem;
  const layers = withLogits(problem.layers, loss);
  let parameters = inFloat64(problem.parameters);
  let states: Record<string, OptimizerState> = {};
  return problem.batches.map((batch, index) => {
    const outputs = predict(layers, parameters, batch, arithmetic);
    const result = lossAndGradients(layers, parameters, batch, loss, penalties, arithmetic);
    const gradients = clip === undefined ? result.gradients : clipped(arithmetic, result.gradients, clip);
    const updated = optimizerStep(arithmetic, optimizer, parameters, gradients, states, index + 1);
    states = updated.states;
    parameters = updated.parameters.map(
      (parameter) => result.statistics.find(({ name }) => name === parameter.name) ?? parameter,
    );
    return { ...result, outputs, parameters };
  });
}

const samplesOf = (inputs: ArrayLike<number>, rows: number): Matrix => matrix(rows, inputs.length / rows, inputs);
