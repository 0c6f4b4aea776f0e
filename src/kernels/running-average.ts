import shader from '../../shaders/optimizer/running-average.wgsl';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/**
 * Describes a dispatch that computes average ← average + factor·(values − average). With a number as factor, the average
 * begins with the values of step 0; an exponential average with decay d has the factor 1 − d. With a tensor, it begins
 * where the factor is 1, as `batchShare` writes it.
 * Kernel: `shaders/optimizer/running-average.wgsl`.
 * @param values `count` elements
 * @param average `count` elements, read and written; not in the buffer of values
 * @param factor a number in [0, 1], or a tensor whose first element is the factor
 * @param step `index` is the number of the step; `PER_STEP` in a recorded plan, which sets it at each replay
 * @throws {ShapeError} if the numbers of elements differ
 * @example
 * gpu.run([runningAverage(p, average, 1 - 0.999, { first: 0, rows: 1, index: 0, learning_rate: 0 })]);
 */
export function runningAverage(
  values: Tensor,
  average: Tensor,
  factor: number | Tensor,
  step: StepValues | typeof PER_STEP,
  options: {
    /** True if the values are losses of `step.rows` rows: each is multiplied by count/step.rows. Default: false. */
    readonly rows?: boolean | undefined;
  } = {},
): Dispatch {
  const { rows = false } = options;
  const count = values.length;
  if (average.length !== count) {
    throw new ShapeError(
      `runningAverage: there are ${count} values and ${average.length} averages; there must be ${count}.`,
    );
  }
  const share = typeof factor === 'number' ? undefined : factor;
  return dispatch(shader, {
    label: `running-average ${count}`,
    programs: [program(shader, { SHARED: share !== undefined, ROWS: rows }, linearGrid(Math.ceil(count / 4)))],
    uniforms: { hyper: { count, factor: typeof factor === 'number' ? factor : 0 }, step },
    buffers: { values, share, average },
    flops: (rows ? 4 : 3) * count,
  });
}
