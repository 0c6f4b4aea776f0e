import type { Dispatch } from '../../plan/dispatch.js';
import type { Tensor } from '../../plan/tensor.js';
import type { GatheredRows } from '../gather-rows.js';
import { softwarePrograms } from '../software/quad.js';
import { describeMatmul, type MatmulDispatch, type MatmulOptions } from './matmul.js';
import { inParts } from './parts.js';

/**
 * Describes a dispatch that computes C = f(op(A)·op(B) + bias), or C = (op(A)·op(B)) ⊙ f′ with `activationGradient`. op
 * transposes A or B if the options say so; f is the activation, f′ its derivative.
 *
 * The dispatch has programs for every adapter. A layer records `context.kernels.matmul` instead, which has only the
 * programs that the model's device may choose from.
 * @param A (M, K), or (K, M) with `transposeA`; or a batch of a data set, which the kernel gathers
 * @param B (K, N), or (N, K) with `transposeB`
 * @param C (M, N), overwritten; (M + 1, N) with `onesRow`, (2, M, N) with `keepPreActivation`; not in the buffer of A
 * or B
 * @param options default: no transposition, bias or activation
 * @throws {ShapeError} if the shapes do not fit together, options exclude each other, or `variant` cannot compute the
 * matmul
 * @throws {MlpError} `unknown-activation` or `bad-activation` if the activation or its parameter is not valid
 * @example
 * gpu.run([matmul(X, W, Y, { bias: b, activation: 'relu' })]);
 */
export function matmul(A: Tensor | GatheredRows, B: Tensor, C: Tensor, options: MatmulOptions = {}): MatmulDispatch {
  return describeMatmul(softwarePrograms, A, B, C, options);
}

/**
 * Describes two dispatches that compute the same as `matmul`, for a C too small to keep a GPU busy. The first cuts K
 * into parts and computes the partial sums of each part with workgroups of its own. The second adds the partial sums,
 * in the order of the parts, and applies bias, activation and activation gradient.
 * @param A as for `matmul`
 * @param B as for `matmul`
 * @param C as for `matmul`
 * @param partials (parts, M, N), overwritten; M includes the row of `onesRow`; at most ⌈K/32⌉ parts; in a buffer of its
 * own
 * @param options as for `matmul`, without `variant`
 * @returns both dispatches, in the order in which they run
 * @throws {ShapeError} if the shapes do not fit together, or `partials` has too many parts
 * @example
 * gpu.run(splitMatmul(A, B, C, Tensor.empty(gpu, [8, M, N])));
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
