import shader from '../../../shaders/software/weight-update.wgsl';
import { ShapeError } from '../../base/errors.js';
import { type Dispatch, dispatch, type PER_STEP, program, type StepValues } from '../../plan/dispatch.js';
import type { Tensor } from '../../plan/tensor.js';
import type { MatmulDispatch } from '../matmul/matmul.js';
import { operandsOf } from '../matmul/variants.js';
import { type SgdHyperparameters, velocityOf } from '../sgd.js';
import { layerOfBlockOf } from '../update.js';
import { quadPrograms } from './quad.js';

/** Storage buffers that the kernel binds, one more than WebGPU's default limit. */
const STORAGE_BUFFERS = 9;

/**
 * Describes one dispatch that computes a gradient by a matmul and updates parameters with it by stochastic gradient
 * descent: p ← sgd(p, op(A)·op(B)). It has the same bits as `matmul` and then `sgdUpdate`, but does not store the
 * gradient. It is for software adapters; an adapter without subgroups cannot run it.
 * Kernel: `shaders/software/weight-update.wgsl`.
 * @param gradient op(A)·op(B), (M, N), without bias, activation and activation gradient; its C is not written
 * @param parameters (M, N), read and written; not in a buffer of the matmul's operands
 * @param velocity (M, N), read and written; `undefined` without momentum
 * @param hyper as for `sgdUpdate`, without `adjustment`
 * @param step learning rate and number of the step, and the first row of the batch if the matmul gathers it; `PER_STEP`
 * in a recorded plan, which sets them at each replay
 * @param start index in `hyper.watch.layerOfBlock` of the parameters' first block of 64 elements. Default: 0.
 * @throws {ShapeError} if the numbers of elements differ, momentum has no velocity, `hyper` has an adjustment, or the
 * matmul has a bias, an activation or an activation gradient
 * @example
 * gpu.run([weightUpdate(matmul(X, dY, dW, { transposeA: true }), W, undefined, {}, step)]);
 */
export function weightUpdate(
  gradient: MatmulDispatch,
  parameters: Tensor,
  velocity: Tensor | undefined,
  hyper: Omit<SgdHyperparameters, 'decayOn'>,
  step: StepValues | typeof PER_STEP,
  start = 0,
): Dispatch {
  const { computes, buffers, flops } = gradient;
  const { problem } = computes;
  const { M, N, K } = problem;
  const { momentum = 0, dampening = 0, weightDecay = 0, nesterov = false, watch, adjustment } = hyper;
  const label = gradient.label.replace('matmul', 'weight-update');
  const count = M * N;
  const keptVelocity = velocityOf(label, velocity, momentum);
  for (const tensor of [parameters, ...(keptVelocity === undefined ? [] : [keptVelocity])]) {
    if (tensor.length === count) continue;
    throw new ShapeError(`${label}: the gradient has ${count} elements, but "${tensor.label}" has ${tensor.length}.`);
  }
  const { A, bias, activation = 'linear', activationGradient, keepPreActivation = false } = computes;
  if (bias !== undefined || activation !== 'linear' || activationGradient !== undefined || keepPreActivation) {
    throw new ShapeError(`${label}: the gradient is a matmul without bias, activation and activation gradient.`);
  }
  if (adjustment !== undefined) throw new ShapeError(`${label}: the gradient cannot be clipped or penalised.`);
  const [scale, shift] = 'source' in A ? A.source.common : [1, 0];
  const options = {
    ...operandsOf(problem),
    CHECKED: watch !== undefined,
    MOMENTUM: keptVelocity !== undefined,
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
      dims: { M, N, K, bias_offset: 0, kept_offset: 0, pre_activation_offset: 0, scale, shift },
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
      velocity: keptVelocity,
      status: watch?.status,
      layerOfBlock: layerOfBlockOf(watch),
    },
    flops: flops + 6 * count,
  });
}
