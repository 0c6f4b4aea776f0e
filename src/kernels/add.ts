import shader from '../../shaders/layer/add.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, program } from '../plan/dispatch.js';
import { type Tensor, unaligned } from '../plan/tensor.js';
import { type ActivationGradient, activationGradientOf, type WithActivationGradient } from './activation-gradient.js';
import { type Activation, resolveActivation } from './activations.js';

/** Options of `add`. */
export interface AddOptions extends WithActivationGradient {
  /** f, applied to the sum. Default: `'linear'`. Example: `activation: 'relu'`. */
  readonly activation?: Activation | undefined;
  /**
   * Also stores the sum: Y is then (2, rows, columns), the activation's output first. Default: false.
   * Example: `keepPreActivation: true`.
   */
  readonly keepPreActivation?: boolean | undefined;
  /**
   * Multiplies the sum by f′; excludes `activation`. Default: none.
   * Example: `activationGradient: { at: Y, activation: 'relu' }`.
   */
  readonly activationGradient?: ActivationGradient | undefined;
}

/**
 * Describes a dispatch that computes Y = f(A + B), or Y = (A + B) ⊙ f′ with `activationGradient`.
 * Kernel: `shaders/layer/add.wgsl`.
 * @param A (rows, columns)
 * @param B (rows, columns), or `undefined` for zeros
 * @param Y (rows, columns), overwritten; (2, rows, columns) with `keepPreActivation`; not in the buffer of A or B
 * @param options default: no activation
 * @throws {ShapeError} if the numbers of elements do not fit together, or both activation and activation gradient are
 * given
 * @throws {MlpError} `unknown-activation` or `bad-activation` if the activation or its parameter is not valid
 * @example
 * gpu.run([add(A, B, Y, { activation: 'relu' })]);
 */
export function add(A: Tensor, B: Tensor | undefined, Y: Tensor, options: AddOptions = {}): Dispatch {
  const { keepPreActivation = false } = options;
  const activationGradient = activationGradientOf(options);
  const count = A.length;
  const operands = [B?.length ?? count, activationGradient?.at.length ?? count];
  if (operands.some((length) => length !== count) || Y.length !== count * (keepPreActivation ? 2 : 1)) {
    throw new ShapeError(
      `add: A is ${formatShape(A.shape)}, B is ${formatShape(B?.shape ?? A.shape)}, Y is ${formatShape(Y.shape)}${activationGradient === undefined ? '' : `, the activation gradient is ${formatShape(activationGradient.at.shape)}`}; they must be equally large${keepPreActivation ? ', Y twice as large' : ''}.`,
    );
  }
  if (activationGradient !== undefined && options.activation !== undefined) {
    throw new ShapeError('add: activation and activationGradient exclude each other.');
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
