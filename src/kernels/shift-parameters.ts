import shader from '../../shaders/inspect/shift-parameters.wgsl';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, linearGrid, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/** A plane in the space of parameters, and points on it: base + x·U + y·V. */
export interface Plane {
  /** The point of the plane with x = y = 0. */
  readonly base: Tensor;
  /** The direction of x, as many elements as `base`. */
  readonly U: Tensor;
  /** The direction of y, as many elements as `base`. */
  readonly V: Tensor;
  /** (points, 2): x and y of each point. */
  readonly points: Tensor;
}

/**
 * Describes a dispatch that computes parameters = base + x·U + y·V, where (x, y) = points[step.index], such as for a
 * slice of the loss surface.
 * Kernel: `shaders/inspect/shift-parameters.wgsl`.
 * @param parameters as many elements as `base`, overwritten
 * @param step `index` is the number of the point; `PER_STEP` in a recorded plan, which sets it at each replay
 * @throws {ShapeError} if the numbers of elements differ, or `points` does not have two columns
 * @example
 * gpu.run([shiftParameters(parameters, { base, U, V, points }, { first: 0, rows: 0, index: 3, learning_rate: 0 })]);
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
