import shader from '../../shaders/layer/dropout.wgsl';
import { assertOption, formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import { type Tensor, unaligned } from '../plan/tensor.js';
import { type ActivationGradient, activationGradientOf, type WithActivationGradient } from './activation-gradient.js';
import { resolveActivation } from './activations.js';

export interface DropoutStream extends WithActivationGradient {
  /** Probability that an element is dropped, 0 ≤ rate < 1. */
  readonly rate: number;
  /** An integer ≥ 0. */
  readonly seed: number;
  /** For independent masks of one seed. */
  readonly stream?: number;
  /** Multiplies Y by f′. */
  readonly activationGradient?: ActivationGradient | undefined;
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
  { rate, seed, stream = 0, ...options }: DropoutStream,
  step: StepValues | typeof PER_STEP,
): Dispatch {
  assertOption('dropElements:', { rate }, 'a number in [0, 1)');
  assertOption('dropElements:', { seed, stream }, 'an integer ≥ 0');
  const activationGradient = activationGradientOf(options);
  const count = X.length;
  if (Y.length !== count || (activationGradient !== undefined && activationGradient.at.length !== count)) {
    throw new ShapeError(
      `dropElements: X is ${formatShape(X.shape)}, Y is ${formatShape(Y.shape)}${activationGradient === undefined ? '' : `, the activation gradient is ${formatShape(activationGradient.at.shape)}`}; they must have as many elements.`,
    );
  }
  const { index, alpha } = resolveActivation(activationGradient?.activation ?? 'linear');
  const start = activationGradient && unaligned(activationGradient.at);
  return dispatch(shader, {
    label: `dropout ${X.shape.join('×')}`,
    programs: [
      program(
        shader,
        { ACTIVATION_GRADIENT: activationGradient !== undefined, ACTIVATION: index, ALPHA: alpha },
        linearGrid(Math.ceil(count / 4)),
      ),
    ],
    uniforms: {
      dims: {
        count,
        kept_offset: start?.offset ?? 0,
        threshold: Math.floor(rate * 2 ** 32),
        scale: 1 / (1 - rate),
        key_low: seed % 2 ** 32,
        key_high: Math.floor(seed / 2 ** 32),
        stream,
      },
      step,
    },
    buffers: { X, kept: start?.base, Y },
    flops: count,
  });
}
