import { at, type Bounded, elementwise, U, zeros } from './bounded.js';
import { backward, forward, type LayerGradient, type ReferenceBatch, type ReferenceLayer, update } from './mlp.js';
import type { SgdOptions } from './sgd.js';
import { softmaxCrossEntropy } from './softmax-cross-entropy.js';

export interface TinyRun {
  readonly layers: readonly ReferenceLayer[];
  readonly velocities: readonly LayerGradient[];
  /** (3, batch): the sums of each row's losses, those of its hits, and its last loss. */
  readonly results: Bounded;
}

/**
 * A step for each batch, from the first on, in float64 with the float32 bounds.
 * @param options `undefined` for an evaluation
 */
export function trainTiny(
  start: readonly ReferenceLayer[],
  batches: readonly ReferenceBatch[],
  options: SgdOptions | undefined,
): TinyRun {
  let layers = start;
  let velocities: readonly LayerGradient[] = [];
  let sums = zeros([2, batches[0]?.X.shape[0] ?? 0]);
  let last = zeros([1, sums.shape[1]]);
  for (const { X, labels, rows } of batches) {
    const traces = forward(layers, X);
    const { losses, correct, gradient } = softmaxCrossEntropy(traces.at(-1)?.Y ?? X, labels, rows);
    last = losses;
    sums = plus(sums, stacked(losses, correct));
    if (options !== undefined) {
      ({ layers, velocities } = update(layers, backward(layers, traces, gradient), velocities, options));
    }
  }
  return { layers, velocities, results: stacked(sums, last) };
}

/** Concatenates matrices as rows of the width of the last one. */
function stacked(A: Bounded, B: Bounded): Bounded {
  const columns = B.values.length;
  return {
    shape: [A.values.length / columns + 1, columns],
    values: Float64Array.of(...A.values, ...B.values),
    bound: Float64Array.of(...A.bound, ...B.bound),
  };
}

function plus(A: Bounded, B: Bounded): Bounded {
  return elementwise(A.shape, (i) => {
    const sum = at(A.values, i) + at(B.values, i);
    const error = at(A.bound, i) + at(B.bound, i);
    return [sum, error + U * (Math.abs(sum) + error)];
  });
}
