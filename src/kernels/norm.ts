import { formatShape, sizeOf } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import type { Tensor } from '../plan/tensor.js';

/**
 * Checks that X is a matrix, that the tensors `likeX` have as many elements as X, and that the tensors `pairs` have as
 * many elements as the shape `pair`.
 * @throws {ShapeError} if not
 */
export function checkNorm(
  kernel: string,
  X: Tensor,
  likeX: Readonly<Record<string, Tensor | undefined>>,
  pairs: Readonly<Record<string, Tensor | undefined>>,
  pair: readonly number[],
): void {
  if (X.shape.length !== 2) throw new ShapeError(`${kernel}: X is ${formatShape(X.shape)}; a matrix has two sizes.`);
  for (const [tensors, shape] of [[likeX, X.shape] as const, [pairs, pair] as const]) {
    for (const [name, tensor] of Object.entries(tensors)) {
      if (tensor === undefined || tensor.length === sizeOf(shape)) continue;
      throw new ShapeError(
        `${kernel}: X is ${formatShape(X.shape)} and ${name} is ${formatShape(tensor.shape)}; ${name} must be ${formatShape(shape)}.`,
      );
    }
  }
}
