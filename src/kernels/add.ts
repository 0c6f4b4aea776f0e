import shader from '../../shaders/layer/add.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, program } from '../plan/dispatch.js';
import { type Tensor, unaligned } from '../plan/tensor.js';
import { type Activation, resolveActivation } from './activations.js';
import type { Gate } from './matmul/matmul.js';

export interface AddOptions {
  /** Applied to the sum. */
  readonly activation?: Activation;
  /** Also stores the sum: Y is then (2, rows, columns), the activation first. */
  readonly keepPreActivation?: boolean;
  /** Multiplies the sum by f′; excludes an activation. */
  readonly gate?: Gate | undefined;
}

/**
 * Describes Y = f(A + B), or Y = (A + B) ⊙ f′(gate); `shaders/layer/add.wgsl` tells how.
 * @param A (rows, columns)
 * @param B as many elements, or `undefined` for none
 * @param Y as many, overwritten; twice as many with `keepPreActivation`; not in A's or B's buffer
 * @throws {ShapeError} if the numbers of elements do not fit together
 */
export function add(A: Tensor, B: Tensor | undefined, Y: Tensor, options: AddOptions = {}): Dispatch {
  const { keepPreActivation = false, gate } = options;
  const count = A.length;
  const operands = [B?.length ?? count, gate?.at.length ?? count];
  if (operands.some((length) => length !== count) || Y.length !== count * (keepPreActivation ? 2 : 1)) {
    throw new ShapeError(
      `add: A is ${formatShape(A.shape)}, B is ${formatShape(B?.shape ?? A.shape)}, Y is ${formatShape(Y.shape)}${gate === undefined ? '' : `, the gate is ${formatShape(gate.at.shape)}`}; they must have as many elements${keepPreActivation ? ', Y twice as many' : ''}.`,
    );
  }
  if (gate !== undefined && options.activation !== undefined) {
    throw new ShapeError('add: a gate goes without an activation.');
  }
  const { index, alpha, name } = resolveActivation(gate?.activation ?? options.activation ?? 'linear');
  const start = gate && unaligned(gate.at);
  const form = gate === undefined ? (name === 'linear' ? '' : ` ${name}`) : ` ⊙ ${name}′`;
  return dispatch(shader, {
    label: `add ${A.shape.join('×')}${form}`,
    programs: [
      program(
        shader,
        {
          ADD: B !== undefined,
          KEEP: keepPreActivation,
          GATE: gate !== undefined,
          ACTIVATION: index,
          ALPHA: alpha,
        },
        linearGrid(Math.ceil(count / 4)),
      ),
    ],
    uniforms: { dims: { count, gate_offset: start?.offset ?? 0 } },
    buffers: { A, B, gate: start?.base, Y },
    flops: 2 * count,
  });
}
