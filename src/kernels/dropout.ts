import shader from '../../shaders/layer/dropout.wgsl';
import { assertOption, formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import { type Tensor, unaligned } from '../plan/tensor.js';
import { type ActivationGradient, activationGradientOf, type WithActivationGradient } from './activation-gradient.js';
import { resolveActivation } from './activations.js';

/** Options of `dropElements`: the random stream of its masks, and what else the kernel computes. */
export interface DropoutStream extends WithActivationGradient {
  /** Probability that an element is dropped, 0 ≤ rate < 1. */
  readonly rate: number;
  /** Seed of the masks, an integer ≥ 0. */
  readonly seed: number;
  /** An integer ≥ 0: streams of one seed have independent masks. Default: 0. */
  readonly stream?: number | undefined;
  /** Multiplies Y by f′. Default: none. */
  readonly activationGradient?: ActivationGradient | undefined;
}

/**
 * Describes a dispatch for inverted dropout: Y[i] is 0 with probability `rate`, else X[i]/(1 − rate). The mask depends
 * only on rate, seed, stream and the number of the step, so that a layer's output and its gradient have the same mask.
 * Kernel: `shaders/layer/dropout.wgsl`.
 * @param X any shape
 * @param Y as many elements as X, overwritten; not in the buffer of X
 * @param step `index` is the number of the step; `PER_STEP` in a recorded plan, which sets it at each replay
 * @throws {ShapeError} if the numbers of elements differ
 * @throws {MlpError} `bad-option` if rate, seed or stream is out of its range, `unknown-activation` or `bad-activation`
 * if the activation of `activationGradient` is not valid
 * @example
 * gpu.run([dropElements(X, Y, { rate: 0.5, seed: 1 }, { first: 0, rows: 32, index: 0, learning_rate: 0 })]);
 */
export function dropElements(
  X: Tensor,
  Y: Tensor,
  { rate, seed, stream = 0, ...options }: DropoutStream,
  step: StepValues | typeof PER_STEP,
): Dispatch {
  assertOption('dropElements:', { rate }, 'a number in [0, 1)');
  assertOption('dropElements:', { seed, stream }, 'an integer >= 0');
  const activationGradient = activationGradientOf(options);
  const count = X.length;
  if (Y.length !== count || (activationGradient !== undefined && activationGradient.at.length !== count)) {
    throw new ShapeError(
      `dropElements: X is ${formatShape(X.shape)}, Y is ${formatShape(Y.shape)}${activationGradient === undefined ? '' : `, the activation gradient is ${formatShape(activationGradient.at.shape)}`}; they must be equally large.`,
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
