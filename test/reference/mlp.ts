import { type Activation, resolveActivation } from '../../src/kernels/activations.js';
import { activate } from './activations.js';
import { biasActivationBackward } from './bias-activation.js';
import { at, type Bounded, elementwise, gamma, U } from './bounded.js';
import { columnSum } from './column-sum.js';
import { type LearnedName, learnedActivation, learnedActivationBackward } from './learned-activation.js';
import { matmul } from './matmul.js';
import { maxout, maxoutBackward } from './maxout.js';
import { type SgdOptions, sgd } from './sgd.js';
import { softmaxCrossEntropy } from './softmax-cross-entropy.js';

/** Y = f(X·W + b), with W (inputs, units) and b (1, units), or pieces·units columns. */
export interface ReferenceLayer {
  readonly W: Bounded;
  readonly b: Bounded;
  /** Pieces of a maxout layer. */
  readonly activation: Activation | { readonly type: 'maxout'; readonly pieces: number };
  /** The learned parameter of the activation, (1, units) or (1, 1). */
  readonly p?: Bounded | undefined;
}

/** The results of a layer's forward pass that its backward pass needs. */
export interface LayerTrace {
  readonly X: Bounded;
  readonly Z: Bounded;
  readonly Y: Bounded;
}

export interface LayerGradient {
  readonly W: Bounded;
  readonly b: Bounded;
  readonly p?: Bounded | undefined;
}

/** Examples (batch, inputs) and class indices, or rows of probabilities; rows from `rows` on do not count. */
export interface ReferenceBatch {
  readonly X: Bounded;
  readonly labels: Uint32Array | Float32Array;
  readonly rows?: number | undefined;
}

/** Every layer's input, pre-activation and output, first to last. */
export function forward(layers: readonly ReferenceLayer[], X: Bounded): readonly LayerTrace[] {
  const traces: LayerTrace[] = [];
  let input = X;
  for (const layer of layers) {
    const Z = matmul(input, layer.W, { bias: layer.b });
    const Y = end(layer, Z);
    traces.push({ X: input, Z, Y });
    input = Y;
  }
  return traces;
}

/** The output of a layer, from its pre-activations. */
function end({ activation, p }: ReferenceLayer, Z: Bounded): Bounded {
  if (isMaxout(activation)) return maxout(Z, activation.pieces);
  return p === undefined ? activate(Z, activation) : learnedActivation(Z, p, learnedName(activation));
}

/** ∂loss/∂Z, and the gradient of the activation's parameter. */
function endBackward(layer: ReferenceLayer, { Y, Z }: LayerTrace, dY: Bounded): { dZ: Bounded; dp?: Bounded } {
  const { activation, p } = layer;
  if (isMaxout(activation)) return { dZ: maxoutBackward(dY, Z, activation.pieces) };
  if (p !== undefined) return learnedActivationBackward(dY, Z, p, learnedName(activation));
  const { from } = resolveActivation(activation);
  return { dZ: biasActivationBackward(dY, from === 'y' ? Y : Z, activation) };
}

function isMaxout(
  activation: ReferenceLayer['activation'],
): activation is Exclude<ReferenceLayer['activation'], Activation> {
  return typeof activation === 'object' && activation.type === 'maxout';
}

const learnedName = (activation: Activation): LearnedName =>
  resolveActivation(activation).name === 'prelu' ? 'prelu' : 'swish';

/** The output of the last layer, (batch, units). */
export function predict(layers: readonly ReferenceLayer[], X: Bounded): Bounded {
  return forward(layers, X).at(-1)?.Y ?? X;
}

/**
 * Back-propagation: dZ = dY ⊙ f′, dW = Xᵀ·dZ, db = column sums of dZ, and dX = dZ·Wᵀ for the layer below.
 * @param dOutput the gradient of the loss with respect to the last layer's output
 */
export function backward(
  layers: readonly ReferenceLayer[],
  traces: readonly LayerTrace[],
  dOutput: Bounded,
): readonly LayerGradient[] {
  const gradients: LayerGradient[] = [];
  let dY = dOutput;
  for (let l = layers.length - 1; l >= 0; l--) {
    const layer = layers[l];
    const trace = traces[l];
    if (layer === undefined || trace === undefined) throw new RangeError(`Layer ${l} has no trace.`);
    const { dZ, dp } = endBackward(layer, trace, dY);
    gradients.unshift({ W: matmul(trace.X, dZ, { transposeA: true }), b: columnSum(dZ), p: dp });
    if (l > 0) dY = matmul(dZ, layer.W, { transposeB: true });
  }
  return gradients;
}

export interface LossAndGradients {
  /** The mean loss over the valid rows, (1, 1). */
  readonly loss: Bounded;
  /** 1 for each row whose class is found, with bound 1 where rounding decides. */
  readonly correct: Bounded;
  readonly gradients: readonly LayerGradient[];
}

/** Mean softmax-cross-entropy of a batch, and its gradients. */
export function lossAndGradients(layers: readonly ReferenceLayer[], batch: ReferenceBatch): LossAndGradients {
  const { X, labels, rows = X.shape[0] } = batch;
  const traces = forward(layers, X);
  const { losses, gradient, correct } = softmaxCrossEntropy(traces.at(-1)?.Y ?? X, labels, rows);
  const sum = columnSum(losses);
  const loss = elementwise([1, 1], () => {
    const mean = at(sum.values, 0) / rows;
    return [mean, at(sum.bound, 0) / rows + gamma(4) * (Math.abs(mean) + U)];
  });
  return { loss, correct, gradients: backward(layers, traces, gradient) };
}

export interface Training {
  readonly layers: readonly ReferenceLayer[];
  /** The mean loss of each step, before its update. */
  readonly losses: readonly Bounded[];
}

/** The layers after a step of sgd, and its velocities. @param velocities those of the step before, none on the first */
export function update(
  layers: readonly ReferenceLayer[],
  gradients: readonly LayerGradient[],
  velocities: readonly LayerGradient[],
  options: SgdOptions,
): { readonly layers: readonly ReferenceLayer[]; readonly velocities: readonly LayerGradient[] } {
  const next = layers.map((layer, l) => {
    const gradient = gradients[l];
    if (gradient === undefined) throw new RangeError(`Layer ${l} has no gradient.`);
    const W = sgd(layer.W, gradient.W, velocities[l]?.W, options);
    const b = sgd(layer.b, gradient.b, velocities[l]?.b, options);
    const p = layer.p && gradient.p && sgd(layer.p, gradient.p, velocities[l]?.p, options);
    return {
      layer: { W: W.parameters, b: b.parameters, p: p?.parameters, activation: layer.activation },
      velocity: { W: W.velocity, b: b.velocity, p: p?.velocity },
    };
  });
  return { layers: next.map(({ layer }) => layer), velocities: next.map(({ velocity }) => velocity) };
}

/** A step of sgd for each batch. The bounds of the weights grow from step to step: they hold for every legal GPU. */
export function train(
  start: readonly ReferenceLayer[],
  batches: readonly ReferenceBatch[],
  options: SgdOptions,
): Training {
  let layers = start;
  let velocities: readonly LayerGradient[] = [];
  const losses: Bounded[] = [];
  for (const batch of batches) {
    const { loss, gradients } = lossAndGradients(layers, batch);
    losses.push(loss);
    ({ layers, velocities } = update(layers, gradients, velocities, options));
  }
  return { layers, losses };
}
