import shader from '../../shaders/layer/bias-activation.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, program } from '../plan/dispatch.js';
import { type Tensor, unaligned } from '../plan/tensor.js';
import { type Activation, resolveActivation } from './activations.js';

/**
 * Describes Y ← f(Y + b), in place; `shaders/layer/bias-activation.wgsl` tells how.
 * @param Y (rows, columns)
 * @param bias (columns) elements, or `undefined` for none
 * @throws {ShapeError} if bias has another number of elements than Y has columns
 */
export function biasActivation(Y: Tensor, bias: Tensor | undefined, activation: Activation): Dispatch {
  const [rows, columns] = matrix(Y);
  if (bias !== undefined && bias.length !== columns) {
    throw new ShapeError(`biasActivation: bias has ${bias.length} elements, but Y has ${columns} columns.`);
  }
  const { index, alpha, name } = resolveActivation(activation);
  const start = bias && unaligned(bias);
  return dispatch(shader, {
    label: `bias-activation ${rows}×${columns} ${name}`,
    programs: [program(shader, { BIAS: bias !== undefined, ACTIVATION: index, ALPHA: alpha }, linearGrid(Y.length))],
    uniforms: { dims: { rows, columns, bias_offset: start?.offset ?? 0, at_offset: 0 } },
    buffers: { bias: start?.base, at: undefined, Y },
    flops: 2 * Y.length,
  });
}

/**
 * Describes dY ← dY ⊙ f′, in place, which makes it ∂loss/∂Z.
 * @param dY (rows, columns)
 * @param at the same shape: the activation's output, or its pre-activation, as the table in `activations.ts` says
 * @throws {ShapeError} if the shapes differ
 */
export function biasActivationBackward(dY: Tensor, at: Tensor, activation: Activation): Dispatch {
  const [rows, columns] = matrix(dY);
  if (at.length !== dY.length) {
    throw new ShapeError(`biasActivationBackward: dY is ${formatShape(dY.shape)}, but at is ${formatShape(at.shape)}.`);
  }
  const { index, alpha, name } = resolveActivation(activation);
  const start = unaligned(at);
  return dispatch(shader, {
    label: `bias-activation ${rows}×${columns} ⊙ ${name}′`,
    programs: [program(shader, { BACKWARD: true, ACTIVATION: index, ALPHA: alpha }, linearGrid(dY.length))],
    uniforms: { dims: { rows, columns, bias_offset: 0, at_offset: start.offset } },
    buffers: { bias: undefined, at: start.base, Y: dY },
    flops: 2 * dY.length,
  });
}

function matrix({ shape, label }: Tensor): readonly [number, number] {
  const [rows, columns] = shape;
  if (rows === undefined || columns === undefined || shape.length !== 2) {
    throw new ShapeError(`biasActivation: "${label}" is ${formatShape(shape)}; a matrix has two sizes.`);
  }
  return [rows, columns];
}
