import shader from '../../shaders/loss/softmax.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, program } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/** The form of the predictions that logits become. */
export interface SoftmaxForm {
  /** The index of the largest; of a single logistic one, whether it is ≥ 0. */
  readonly classes?: boolean;
  /** Each logit is of a decision of its own: the logistic function instead of softmax. */
  readonly logistic?: boolean;
}

/**
 * Describes the softmax of each row, or what the options say; `shaders/loss/softmax.wgsl` tells how.
 * @param logits (rows, classes)
 * @param output (rows, classes), or (rows, 1) with `classes`; overwritten, and not in the buffer of the logits
 * @throws {ShapeError} if the output has another shape
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
    programs: [program(shader, { CLASSES, LOGISTIC }, linearGrid(rows))],
    uniforms: { dims: { rows, classes } },
    buffers: { logits, output },
    flops: 4 * rows * classes,
  });
}
