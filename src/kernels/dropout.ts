import shader from '../../shaders/layer/dropout.wgsl';
import { assertOption, formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import { type Tensor, unaligned } from '../plan/tensor.js';
import { resolveActivation } from './activations.js';
import type { Gate } from './matmul/matmul.js';

export interface DropoutStream {
  /** Probability that an element is dropped, 0 ≤ rate < 1. */
  readonly rate: number;
  /** An integer ≥ 0. */
  readonly seed: number;
  /** For independent masks of one seed. */
  readonly stream?: number;
  /** Multiplies Y by f′. */
  readonly gate?: Gate | undefined;
}

/**
 * Describes Y = X with each element dropped, or divided by 1 − rate; `shaders/layer/dropout.wgsl` tells how. The same rate,
 * seed, stream and number of the step drop the same elements, of a layer's output and of its gradient.
 * @param X any shape
 * @param Y as many elements, overwritten; not in X's buffer
 * @param step the number of the step; a plan fills it in at each replay
 * @throws {ShapeError} if the numbers of elements differ
 * @throws {MlpError} `bad-option` if the rate or the seed is out of its range
 */
export function dropElements(
  X: Tensor,
  Y: Tensor,
  { rate, seed, stream = 0, gate }: DropoutStream,
  step: StepValues | typeof PER_STEP,
): Dispatch {
  assertOption('dropElements:', { rate }, 'a number in [0, 1)');
  assertOption('dropElements:', { seed, stream }, 'an integer ≥ 0');
  const count = X.length;
  if (Y.length !== count || (gate !== undefined && gate.at.length !== count)) {
    throw new ShapeError(
      `dropElements: X is ${formatShape(X.shape)}, Y is ${formatShape(Y.shape)}${gate === undefined ? '' : `, the gate is ${formatShape(gate.at.shape)}`}; they must have as many elements.`,
    );
  }
  const { index, alpha } = resolveActivation(gate?.activation ?? 'linear');
  const start = gate && unaligned(gate.at);
  return dispatch(shader, {
    label: `dropout ${X.shape.join('×')}`,
    programs: [
      program(shader, { GATE: gate !== undefined, ACTIVATION: index, ALPHA: alpha }, linearGrid(Math.ceil(count / 4))),
    ],
    uniforms: {
      dims: {
        count,
        gate_offset: start?.offset ?? 0,
        threshold: Math.floor(rate * 2 ** 32),
        scale: 1 / (1 - rate),
        key_low: seed % 2 ** 32,
        key_high: Math.floor(seed / 2 ** 32),
        stream,
      },
      step,
    },
    buffers: { X, gate: start?.base, Y },
    flops: count,
  });
}
