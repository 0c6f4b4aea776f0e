import shader from '../../shaders/inspect/shift-parameters.wgsl';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/** A plane in the space of parameters, and points on it. */
export interface Plane {
  readonly base: Tensor;
  /** Directions, as many elements as the base. */
  readonly U: Tensor;
  readonly V: Tensor;
  /** (points, 2): how far along U and V. */
  readonly points: Tensor;
}

/**
 * Describes parameters = base + x·U + y·V; `shaders/inspect/shift-parameters.wgsl` tells how.
 * @param parameters as many elements as the base, overwritten
 * @param step `index` is the number of the point; a plan fills it in at each replay
 * @throws {ShapeError} if the numbers of elements differ
 */
export function shiftParameters(
  parameters: Tensor,
  { base, U, V, points }: Plane,
  step: StepValues | typeof PER_STEP,
): Dispatch {
  const count = parameters.length;
  if (base.length !== count || U.length !== count || V.length !== count || points.shape[1] !== 2) {
    throw new ShapeError(
      `shiftParameters: there are ${count} parameters, but base, U and V have ${base.length}, ${U.length} and ${V.length} elements, and points ${points.shape[1]} columns, not 2.`,
    );
  }
  return dispatch(shader, {
    label: `shift-parameters ${count}`,
    programs: [program(shader, {}, linearGrid(count))],
    uniforms: { dims: { count }, step },
    buffers: { base, U, V, points, parameters },
    flops: 4 * count,
  });
}
