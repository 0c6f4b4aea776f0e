import { type Bounded, sameShape, U, zeros } from './bounded.js';
import { element, plus, put, times } from './scalar.js';

export interface SgdOptions {
  readonly learningRate: number;
  /** μ, 0 by default. */
  readonly momentum?: number | undefined;
  /** 0 by default; not used on the first step, and not without momentum. */
  readonly dampening?: number | undefined;
  /** L2 penalty: weightDecay·p is added to the gradient. 0 by default. */
  readonly weightDecay?: number | undefined;
  readonly nesterov?: boolean | undefined;
}

export interface SgdState {
  readonly parameters: Bounded;
  readonly velocity: Bounded;
}

/**
 * One step of stochastic gradient descent, in PyTorch's order (documentation of torch.optim.SGD):
 *
 *   g ← g + weightDecay·p
 *   v ← g on the first step, then μ·v + (1 − dampening)·g; without momentum, g
 *   p ← p − learningRate·(v, or g + μ·v with nesterov)
 *
 * in float64 with the float32 bound: each of the options is rounded to f32, then one rounding for each product and sum.
 * @param velocity that of the step before, or undefined on the first
 */
export function sgd(
  parameters: Bounded,
  gradient: Bounded,
  velocity: Bounded | undefined,
  options: SgdOptions,
): SgdState {
  const { learningRate, momentum = 0, dampening = 0, weightDecay = 0, nesterov = false } = options;
  sameShape('sgd', parameters, gradient);
  const updated = zeros(parameters.shape);
  const moved = zeros(parameters.shape);
  for (let i = 0; i < updated.values.length; i++) {
    const p = element(parameters, i);
    const g = plus(element(gradient, i), times(weightDecay, p));
    let v = g;
    if (velocity !== undefined && momentum !== 0) {
      // 1 − dampening is off by U·dampening for its rounding and U·(1 − dampening) for the difference.
      const damped = times(1 - dampening, g);
      const rounding = dampening === 0 ? 0 : 2 * U * Math.abs(g.value);
      v = plus(times(momentum, element(velocity, i)), { value: damped.value, bound: damped.bound + rounding });
    }
    const step = nesterov ? plus(g, times(momentum, v)) : v;
    put(updated, i, plus(p, times(-learningRate, step)));
    put(moved, i, v);
  }
  return { parameters: updated, velocity: moved };
}
