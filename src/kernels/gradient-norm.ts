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
  return described(gradients, parameters, sums, scale, maximum, options, false);
}

/**
 * Describes two dispatches that compute the Euclidean norm of gradients, small and large ones alike: a norm of 0 is 0.
 * Kernel: `shaders/optimizer/gradient-norm.wgsl`.
 * @param gradients `count` elements
 * @param sums (2, 64·min(256, ⌈count/1024⌉), 2), overwritten
 * @param norm (2), overwritten: two numbers whose product is the norm, which may exceed float32
 * @param options `parameterMask`, which leaves out elements that are no parameters. Default: all elements count.
 * @returns both dispatches, in the order in which they run
 * @throws {ShapeError} if the numbers of elements do not fit together
 * @example
 * gpu.run(euclideanNorm(gradients, sums, norm));
 */
export function euclideanNorm(
  gradients: Tensor,
  sums: Tensor,
  norm: Tensor,
  { parameterMask }: Pick<MaskedPenalties, 'parameterMask'> = {},
): readonly [Dispatch, Dispatch] {
  const wanted = 4 * normSums(gradients.length);
  if (sums.length !== wanted || norm.length !== 2) {
    throw new ShapeError(
      `euclideanNorm: for ${gradients.length} gradients there must be ${wanted} elements of sums and 2 of norm; there are ${sums.length} and ${norm.length}.`,
    );
  }
  return described(gradients, gradients, sums, norm, 0, { parameterMask }, true);
}

/** Describes the sums and their end. @param NORM true for the norm itself, false for the factor of clipping */
function described(
  gradients: Tensor,
  parameters: Tensor,
  sums: Tensor,
  scale: Tensor,
  maximum: number,
  options: MaskedPenalties,
  NORM: boolean,
): readonly [Dispatch, Dispatch] {
  const count = gradients.length;
  const invocations = normSums(count);
  const name = NORM ? 'euclideanNorm' : 'gradientNorm';
  checkVec4s(name, [gradients, parameters]);
  const { PENALTIES, l1, l2, parameterMask } = penaltiesOf(name, options);
  const uniforms = { hyper: { count, clip: maximum, l1, l2, invocations } };
  const none = { gradients: undefined, parameters: undefined, parameterMask: undefined, scale: undefined };
  const overrides = { PENALTIES, MASKED: parameterMask !== undefined, NORM };
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
      programs: [program(shader, { FINISH: true, NORM }, [1])],
      uniforms,
      buffers: { ...none, sums, scale },
      flops: 2 * invocations,
    }),
  ];
}
