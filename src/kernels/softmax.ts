import shader from '../../shaders/softmax.wgsl';
import { text } from '../check.js';
import { ShapeError } from '../errors.js';
import { type Dispatch, dispatch, linearGrid, program } from '../gpu/dispatch.js';
import type { Tensor } from '../gpu/tensor.js';

/**
 * Describes the softmax of each row, or with `classes` the index of its largest logit; `shaders/softmax.wgsl` tells how.
 * @param logits (rows, classes)
 * @param output (rows, classes), or (rows, 1) with `classes`; overwritten, and not in the buffer of the logits
 * @throws {ShapeError} if the output has another shape
 */
export function softmax(logits: Tensor, output: Tensor, options: { readonly classes?: boolean } = {}): Dispatch {
  const [rows = 1, classes = 1] = logits.shape;
  const expected = [rows, options.classes === true ? 1 : classes];
  if (logits.shape.length !== 2 || output.shape.join() !== expected.join()) {
    throw new ShapeError(
      `softmax: logits are ${text(logits.shape)} and the output is ${text(output.shape)}, but it must be ${text(expected)}.`,
    );
  }
  return dispatch(shader, {
    label: `softmax ${rows}×${classes}${options.classes === true ? ' classes' : ''}`,
    programs: [program(shader, { CLASSES: options.classes === true }, linearGrid(rows))],
    uniforms: { dims: { rows, classes } },
    buffers: { logits, output },
    flops: 4 * rows * classes,
  });
}
