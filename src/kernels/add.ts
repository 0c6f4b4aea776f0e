import shader from '../../shaders/layer/add.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, program } from '../plan/dispatch.js';
import { type Tensor, unaligned } from '../plan/tensor.js';
import { type ActivationGradient, activationGradientOf, type WithActivationGradient } from './activation-gradient.js';
import { type Activation, resolveActivation } from './activations.js';

export interface AddOptions extends WithActivationGradient {
  /** Applied to the sum. */
  readonly activation?: Activation;
  /** Also stores the sum: Y is then (2, rows, columns), the activation first. */
  readonly keepPreActivation?: boolean;
  /** Multiplies the sum by f′; excludes an activation. */
  readonly activationGradient?: ActivationGradient | undefined;
}

/**
 * Describes Y = f(A + B), or Y = (A + B) ⊙ f′; `shaders/layer/add.wgsl` tells how.
 * @param A (rows, columns)
 * @param B as many elements, or `undefined` for none
 * @param Y as many, overwritten; twice as many with `keepPreActivation`; not in A's or B's buffer
 * @throws {ShapeError} if the numbers of elements do not fit together
 */
export function add(A: Tensor, B: Tensor | undefined, Y: Tensor, options: AddOptions = {}): Dispatch {
  const { keepPreActivation = false } = options;
  const activationGradient = activationGradientOf(options);
  const count = A.length;
  const operands = [B?.length ?? count, activationGradient?.at.length ?? count];
  if (operands.some((length) => length !== count) || Y.length !== count * (keepPreActivation ? 2 : 1)) {
    throw new ShapeError(
      `add: A is ${formatShape(A.shape)}, B is ${formatShape(B?.shape ?? A.shape)}, Y is ${formatShape(Y.shape)}${activationGradient === undefined ? '' : `, the activation gradient is ${formatShape(activationGradient.at.shape)}`}; they must have as many elements${keepPreActivation ? ', Y twice as many' : ''}.`,
    );
  }
  if (activationGradient !== undefined && options.activation !== undefined) {
    throw new ShapeError('add: an activation gradient goes without an activation.');
  }
  const { index, alpha, name } = resolveActivation(activationGradient?.activation ?? options.activation ?? 'linear');
  const start = activationGradient && unaligned(activationGradient.at);
  const form = activationGradient === undefined ? (name === 'linear' ? '' : ` ${name}`) : ` ⊙ ${name}′`;
  return dispatch(shader, {
    label: `add ${A.shape.join('×')}${form}`,
    programs: [
      program(
        shader,
        {
          ADD: B !== undefined,
          KEEP: keepPreActivation,
          ACTIVATION_GRADIENT: activationGradient !== undefined,
          ACTIVATION: index,
          ALPHA: alpha,
        },
        linearGrid(Math.ceil(count / 4)),
      ),
    ],
    uniforms: { dims: { count, kept_offset: start?.offset ?? 0 } },
    buffers: { A, B, kept: start?.base, Y },
    flops: 2 * count,
  });
}
