import type { Dispatch } from '../../plan/dispatch.js';
import type { Tensor } from '../../plan/tensor.js';
import type { GatheredRows } from '../gather-rows.js';
import { softwarePrograms } from '../software/quad.js';
import { inParts } from './parts.js';
import { type MatmulDispatch, type MatmulOptions, product } from './product.js';
import { allPrograms } from './variants.js';

export type { Gate, MatmulDispatch, MatmulOptions } from './product.js';

const everyProgram = allPrograms(softwarePrograms);

/**
 * Describes C = f(op(A)·op(B) + bias), or C = (op(A)·op(B)) ⊙ f′(gate), for every adapter; `product` says more. Layers record
 * `product` itself, which has what their model's adapter wants.
 * @throws {ShapeError} if sizes do not fit together
 */
export function matmul(A: Tensor | GatheredRows, B: Tensor, C: Tensor, options: MatmulOptions = {}): MatmulDispatch {
  return product(A, B, C, options, everyProgram);
}

/**
 * Describes the same as `matmul`, in two dispatches for GPUs that a small C leaves mostly idle: K is cut into parts, of which
 * each has workgroups of its own, and then the parts are added, in their order, and bias, activation and gate applied.
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
