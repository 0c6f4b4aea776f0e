import type { Activation } from '../../src/kernels/activations.js';
import type { Bounded } from './bounded.js';
import { matmul } from './matmul.js';
import { type SoftmaxCrossEntropy, softmaxCrossEntropy } from './softmax-cross-entropy.js';

export interface DenseHead extends SoftmaxCrossEntropy {
  /** (gradient·Wᵀ) ⊙ f′(kept), (batch, inputs). */
  readonly dX: Bounded;
}

/**
 * The last layer, softmax-cross-entropy and the gradient that goes below, in float64 with the float32 bound: each reference
 * takes over the bounds of the one before.
 * @param parameters W (inputs, classes), or with one row more, the bias
 * @param labels of the batch's rows, in their order
 * @param rows how many rows are valid
 */
export function denseHead(
  Y: Bounded,
  parameters: Bounded,
  labels: Uint32Array | Float32Array,
  rows: number,
  activationGradient?: { readonly activation: Activation; readonly at: Bounded },
): DenseHead {
  const inputs = Y.shape[1];
  const [stored, classes] = parameters.shape;
  const rowsOf = (first: number, count: number): Bounded => ({
    shape: [count, classes],
    values: parameters.values.slice(first * classes, (first + count) * classes),
    bound: parameters.bound.slice(first * classes, (first + count) * classes),
  });
  const W = rowsOf(0, inputs);
  const logits = matmul(Y, W, { bias: stored > inputs ? rowsOf(inputs, 1) : undefined });
  const loss = softmaxCrossEntropy(logits, labels, rows);
  const dX = matmul(loss.gradient, W, {
    transposeB: true,
    activation: activationGradient?.activation,
    kept: activationGradient?.at,
  });
  return { ...loss, dX };
}
