import shader from '../../shaders/optimizer/gradient-norm.wgsl';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, program } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { checkVec4s, type MaskedPenalties, penaltiesOf } from './update.js';

/** Invocations of a workgroup. */
const WORKGROUP = 64;
/** The most workgroups: enough to fill a GPU, and few enough that one workgroup can add their sums. */
const MOST_WORKGROUPS = 256;
/** The least vec4s of an invocation, if there are enough. */
const LEAST_VEC4S = 4;

/** Rows of the `sums` that `gradientNorm` needs for `count` gradients. */
export function normSums(count: number): number {
  return WORKGROUP * Math.min(MOST_WORKGROUPS, Math.ceil(count / (4 * WORKGROUP * LEAST_VEC4S)));
}

/**
 * Describes two dispatches that compute the factor min(1, maximum/(‖g‖₂ + 1e-6)), by which an update multiplies all
 * gradients g so that their Euclidean norm is at most `maximum`.
 * Kernel: `shaders/optimizer/gradient-norm.wgsl`.
 * @param gradients `count` elements; g is a gradient plus the gradient of the penalties
 * @param parameters `count` elements, read only for penalties
 * @param sums (64·min(256, ⌈count/1024⌉), 2), overwritten
 * @param scale (2), overwritten: two numbers whose product is the factor, for `clip` of an update
 * @param options penalties, and `parameterMask`, which leaves out elements that are no parameters. Default: neither.
 * @returns both dispatches, in the order in which they run
 * @throws {ShapeError} if the numbers of elements do not fit together, or penalties have no mask
 * @example
 * gpu.run(gradientNorm(gradients, parameters, sums, scale, 1));
 */
export function gradientNorm(
  gradients: Tensor,
  parameters: Tensor,
  sums: Tensor,
  scale: Tensor,
  maximum: number,
  options: MaskedPenalties = {},
): readonly [Dispatch, Dispatch] {
  const count = gradients.length;
  const invocations = normSums(count);
  if (parameters.length !== count || sums.length !== 2 * invocations || scale.length !== 2) {
    throw new ShapeError(
      `gradientNorm: for ${count} gradients there must be as many parameters, ${2 * invocations} elements of sums and 2 of scale; there are ${parameters.length}, ${sums.length} and ${scale.length}.`,
    );
  }
  checkVec4s('gradientNorm', [gradients, parameters]);
  const { PENALTIES, l1, l2, parameterMask } = penaltiesOf('gradientNorm', options);
  const uniforms = { hyper: { count, clip: maximum, l1, l2, invocations } };
  const none = { gradients: undefined, parameters: undefined, parameterMask: undefined, scale: undefined };
  const overrides = { PENALTIES, MASKED: parameterMask !== undefined };
  return [
    dispatch(shader, {
      label: `gradient-norm ${count}`,
      programs: [program(shader, overrides, [invocations / WORKGROUP])],
      uniforms,
      buffers: { ...none, gradients, parameters: PENALTIES ? parameters : undefined, parameterMask, sums },
      flops: 4 * count,
    }),
    dispatch(shader, {
      label: `gradient-norm of ${invocations} sums`,
      programs: [program(shader, { FINISH: true }, [1])],
      uniforms,
      buffers: { ...none, sums, scale },
      flops: 2 * invocations,
    }),
  ];
}
