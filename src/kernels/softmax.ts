import shader from '../../shaders/loss/softmax.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, program } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { LONG_SUM } from './long-sum.js';

/** Options of `softmax`: the form of the predictions. */
export interface SoftmaxForm {
  /**
   * True for the index of the largest logit, or with `logistic` for 1 if the only logit is ≥ 0, else 0. Default: false.
   */
  readonly classes?: boolean | undefined;
  /** True for the logistic function of each logit, 1/(1 + e⁻ᶻ), instead of the softmax of each row. Default: false. */
  readonly logistic?: boolean | undefined;
}

/**
 * Describes a dispatch that computes the softmax of each row, exp(zₖ) / Σⱼ exp(zⱼ), or what the options ask for.
 * Kernel: `shaders/loss/softmax.wgsl`.
 * @param logits (rows, classes)
 * @param output (rows, classes), or (rows, 1) with `classes`; overwritten; not in the buffer of the logits
 * @param options default: probabilities by softmax
 * @throws {ShapeError} if the output has another shape
 * @example
 * gpu.run([softmax(logits, probabilities)]);
 */
export function softmax(logits: Tensor, output: Tensor, options: SoftmaxForm = {}): Dispatch {
  const [rows = 1, classes = 1] = logits.shape;
  const { classes: CLASSES = false, logistic: LOGISTIC = false } = options;
  const expected = [rows, CLASSES ? 1 : classes];
  if (logits.shape.length !== 2 || output.shape.join() !== expected.join()) {
    throw new ShapeError(
      `softmax: logits are ${formatShape(logits.shape)} and the output is ${formatShape(output.shape)}, but it must be ${formatShape(expected)}.`,
    );
  }
  return dispatch(shader, {
    label: `softmax ${rows}×${classes}${LOGISTIC ? ' logistic' : ''}${CLASSES ? ' classes' : ''}`,
    programs: [program(shader, { CLASSES, LOGISTIC, LONG: classes > LONG_SUM }, linearGrid(rows))],
    uniforms: { dims: { rows, classes } },
    buffers: { logits, output },
    flops: 4 * rows * classes,
  });
}
