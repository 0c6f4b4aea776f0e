import shader from '../../shaders/optimizer/gradient-norm.wgsl';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, program } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { checkVec4s, type MaskedPenalties, penaltiesOf } from './update.js';

/** Invocations of a workgroup. */
const WORKGROUP = 64;
/** Enough to fill a GPU, few enough for one workgroup to add up. */
const MOST_WORKGROUPS = 256;
/** Vec4s that an invocation takes at least, if there are so many. */
const LEAST_VEC4S = 4;

/** Rows of the sums that `gradientNorm` needs for so many gradients. */
export function normSums(count: number): number {
  return WORKGROUP * Math.min(MOST_WORKGROUPS, Math.ceil(count / (4 * WORKGROUP * LEAST_VEC4S)));
}

/**
 * Describes how gradients must be scaled for their norm to be at most `maximum`: two dispatches, one after the other;
 * `shaders/optimizer/gradient-norm.wgsl` tells how.
 * @param gradients with what penalties add to them
 * @param parameters as many elements; penalties need them
 * @param sums (64·min(256, ⌈count/1024⌉), 2), overwritten
 * @param scale (2), overwritten: two factors, for an update's `clip`
 * @param options its `parameterMask` leaves out what is no parameter's
 * @throws {ShapeError} if the numbers of elements do not fit
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
