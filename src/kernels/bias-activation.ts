import shader from '../../shaders/layer/bias-activation.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, program } from '../plan/dispatch.js';
import { type Tensor, unaligned } from '../plan/tensor.js';
import { type Activation, resolveActivation } from './activations.js';

/**
 * Describes a dispatch that computes Y ← f(Y + bias) in place.
 * Kernel: `shaders/layer/bias-activation.wgsl`.
 * @param Y (rows, columns), read and written
 * @param bias (columns) elements, added to each row; `undefined` for none
 * @param activation f
 * @throws {ShapeError} if Y is not a matrix, or bias does not have one element for each column
 * @throws {MlpError} `unknown-activation` or `bad-activation` if the activation or its parameter is not valid
 * @example
 * gpu.run([biasActivation(Y, b, 'relu')]);
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
 * Describes a dispatch that computes dY ← dY ⊙ f′ in place: ∂loss/∂Y becomes ∂loss/∂Z, where Y = f(Z).
 * @param dY (rows, columns), read and written
 * @param at (rows, columns), the argument of f′: Y or Z, as `ActivationGradient.at` lists for each activation
 * @param activation f
 * @throws {ShapeError} if dY is not a matrix, or `at` does not have as many elements
 * @throws {MlpError} `unknown-activation` or `bad-activation` if the activation or its parameter is not valid
 * @example
 * gpu.run([biasActivationBackward(dY, Y, 'relu')]);
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

/** The rows and columns of a matrix. @throws {ShapeError} if the tensor is not a matrix */
function matrix({ shape, label }: Tensor): readonly [number, number] {
  const [rows, columns] = shape;
  if (rows === undefined || columns === undefined || shape.length !== 2) {
    throw new ShapeError(`biasActivation: "${label}" is ${formatShape(shape)}; a matrix has two sizes.`);
  }
  return [rows, columns];
}
