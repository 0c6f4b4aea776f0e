import type { Dispatch } from '../../plan/dispatch.js';
import type { Tensor } from '../../plan/tensor.js';
import type { GatheredRows } from '../gather-rows.js';
import { softwarePrograms } from '../software/quad.js';
import { describeMatmul, type MatmulDispatch, type MatmulOptions } from './matmul.js';
import { inParts } from './parts.js';

/**
 * Describes C = f(op(A)·op(B) + bias), or C = (op(A)·op(B)) ⊙ f′, with programs for every adapter; `describeMatmul`
 * says more. Layers record `context.kernels.matmul`, which has the programs that their model's device may choose from.
 * @throws {ShapeError} if sizes do not fit together
 */
export function matmul(A: Tensor | GatheredRows, B: Tensor, C: Tensor, options: MatmulOptions = {}): MatmulDispatch {
  return describeMatmul(softwarePrograms, A, B, C, options);
}

/**
 * Describes the same as `matmul`, in two dispatches for GPUs that a small C leaves mostly idle: K is cut into parts, of which
 * each has workgroups of its own, and then the parts are added, in their order, and bias, activation and activation gradient
 * applied.
 * @param partials (parts, M, N), overwritten, M counting a row of ones; no more parts than K has steps of 32; in a buffer of
 * its own
 * @throws {ShapeError} if sizes do not fit together
 */
export function splitMatmul(
  A: Tensor | GatheredRows,
  B: Tensor,
  C: Tensor,
  partials: Tensor,
  options: Omit<MatmulOptions, 'variant'> = {},
): readonly [Dispatch, Dispatch] {
  return inParts(matmul(A, B, C, options), partials);
}
