import shader from '../../shaders/optimizer/batch-share.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/**
 * Describes a dispatch that computes the share of a batch in the weighted mean over the batches of a step so far. The
 * weight of a batch is its number of rows; with class weights, it is the sum of the weights of its rows' classes, by which
 * `softmaxCrossEntropyRows` divides.
 * Kernel: `shaders/optimizer/batch-share.wgsl`.
 * @param share (2): the share, overwritten; then the weight of the step's batches so far, read and written
 * @param batches batches of a step: those whose `step.index` is a multiple begin one
 * @param step `rows` is the number of valid rows; `PER_STEP` in a recorded plan, which sets it at each replay
 * @param classes the rows' classes and their weights. Default: none, rows count.
 * @throws {ShapeError} if `share` does not have two elements, or the labels are not a matrix
 * @example
 * gpu.run([batchShare(share, 4, { first: 0, rows: 32, index: 0, learning_rate: 0 })]);
 */
export function batchShare(
  share: Tensor,
  batches: number,
  step: StepValues | typeof PER_STEP,
  classes?: {
    /** (rows, 1 or more): class indices in the first column. */
    readonly labels: Tensor<'u32'>;
    /** One weight for each class. */
    readonly weights: Tensor;
  },
): Dispatch {
  const { labels, weights } = classes ?? {};
  const shape = labels?.shape ?? [1, 1];
  if (share.length !== 2 || shape.length !== 2) {
    throw new ShapeError(
      `batchShare: share is ${formatShape(share.shape)} and labels are ${formatShape(shape)}; they must be (2) and (rows, words).`,
    );
  }
  return dispatch(shader, {
    label: `batch-share of ${batches}`,
    programs: [program(shader, { CLASS_WEIGHTS: classes !== undefined }, [1])],
    uniforms: { dims: { words: shape[1] ?? 1, batches }, step },
    buffers: { labels, weights, share },
    flops: shape[0] ?? 1,
  });
}
