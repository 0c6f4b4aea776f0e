import type { Tensor } from '../gpu/tensor.js';
import type { GatheredRows } from './gather-rows.js';
import { softwarePrograms } from './matmul-software.js';
import { allPrograms } from './matmul-variants.js';
import { type MatmulDispatch, type MatmulOptions, product } from './product.js';

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
