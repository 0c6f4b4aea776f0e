import shader from '../../../shaders/software/weight-update.wgsl';
import { ShapeError } from '../../base/errors.js';
import { type Dispatch, dispatch, type PER_STEP, program, type StepValues } from '../../plan/dispatch.js';
import type { Tensor } from '../../plan/tensor.js';
import type { MatmulDispatch } from '../matmul/matmul.js';
import { operandsOf } from '../matmul/variants.js';
import { type SgdHyperparameters, velocityOf } from '../sgd.js';
import { layerOfBlockOf } from '../update.js';
import { quadPrograms } from './quad.js';

/** Storage buffers that it binds, one more than WebGPU's default. */
const STORAGE_BUFFERS = 9;

/**
 * Describes a matmul and the update by stochastic gradient descent whose gradient it is, in one dispatch that stores no
 * gradient; `shaders/software/weight-update.wgsl` tells how. It is what `matmul` and `sgdUpdate` do, with the same bits, for
 * CPU adapters with subgroups.
 * @param gradient op(A)·op(B), (M, N), with nothing else; its C is not written
 * @param parameters (M, N), read and written; not in a buffer of the matmul's operands
 * @param velocity as many elements, read and written; without momentum there is none
 * @param start the block of 64 elements of `hyper.watch.layerOfBlock` that is the parameters' first
 * @param step the learning rate, and the number of the step; where the batch begins, if the matmul gathers it
 * @throws {ShapeError} if the numbers of elements differ, momentum has no velocity, the gradient is adjusted, or the matmul has
 * an epilogue
 */
export function weightUpdate(
  gradient: MatmulDispatch,
  parameters: Tensor,
  velocity: Tensor | undefined,
  hyper: SgdHyperparameters,
  step: StepValues | typeof PER_STEP,
  start = 0,
): Dispatch {
  const { computes, buffers, flops } = gradient;
  const { problem } = computes;
  const { M, N, K } = problem;
  const { momentum = 0, dampening = 0, weightDecay = 0, nesterov = false, watch, adjustment } = hyper;
  const label = gradient.label.replace('matmul', 'weight-update');
  const count = M * N;
  const moving = velocityOf(label, velocity, momentum);
  for (const tensor of [parameters, ...(moving === undefined ? [] : [moving])]) {
    if (tensor.length === count) continue;
    throw new ShapeError(`${label}: the gradient has ${count} elements, but "${tensor.label}" has ${tensor.length}.`);
  }
  const { A, bias, activation = 'linear', activationGradient, keepPreActivation = false } = computes;
  if (bias !== undefined || activation !== 'linear' || activationGradient !== undefined || keepPreActivation) {
    throw new ShapeError(`${label}: the gradient is a matmul without bias, activation and activation gradient.`);
  }
  if (adjustment !== undefined) throw new ShapeError(`${label}: the gradient is neither clipped nor penalised.`);
  const [scale, shift] = 'source' in A ? A.source.common : [1, 0];
  const options = {
    ...operandsOf(problem),
    CHECKED: watch !== undefined,
    MOMENTUM: moving !== undefined,
    NESTEROV: nesterov,
  };
  return dispatch(shader, {
    label,
    programs: quadPrograms(problem, (tiles, { variant, suits, ...rest }, workgroups) =>
      program(shader, { ...options, ...tiles }, workgroups, {
        ...rest,
        variant: `weight-update-${variant}`,
        suits: (adapter) => suits(adapter) && adapter.limits.maxStorageBuffersPerShaderStage >= STORAGE_BUFFERS,
      }),
    ),
    uniforms: {
      dims: { M, N, K, bias_offset: 0, kept_offset: 0, keep_offset: 0, scale, shift },
      hyper: { start, momentum, dampening, weight_decay: weightDecay },
      step,
    },
    buffers: {
      A: buffers.A,
      A4: buffers.A4,
      B: buffers.B,
      B4: buffers.B4,
      kept: buffers.kept,
      parameters,
      velocity: moving,
      status: watch?.status,
      layerOfBlock: layerOfBlockOf(watch),
    },
    flops: flops + 6 * count,
  });
}
