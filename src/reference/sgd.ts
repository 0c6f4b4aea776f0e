import { at, type Bounded, sameShape, TINY, U, zeros } from './bounded.js';

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
    const p = { value: at(parameters.values, i), bound: at(parameters.bound, i) };
    const g = plus({ value: at(gradient.values, i), bound: at(gradient.bound, i) }, times(weightDecay, p));
    let v = g;
    if (velocity !== undefined && momentum !== 0) {
      const before = { value: at(velocity.values, i), bound: at(velocity.bound, i) };
      // 1 − dampening is off by U·dampening for its rounding and U·(1 − dampening) for the difference.
      const damped = times(1 - dampening, g);
      const rounding = dampening === 0 ? 0 : 2 * U * Math.abs(g.value);
      v = plus(times(momentum, before), { value: damped.value, bound: damped.bound + rounding });
    }
    const step = nesterov ? plus(g, times(momentum, v)) : v;
    const next = plus(p, times(-learningRate, step));
    updated.values[i] = next.value;
    updated.bound[i] = next.bound;
    moved.values[i] = v.value;
    moved.bound[i] = v.bound;
  }
  return { parameters: updated, velocity: moved };
}

interface Scalar {
  readonly value: number;
  readonly bound: number;
}

function plus(a: Scalar, b: Scalar): Scalar {
  const value = a.value + b.value;
  if (b.value === 0 && b.bound === 0) return a;
  const inherited = a.bound + b.bound;
  return { value, bound: inherited + U * (Math.abs(value) + inherited) + TINY };
}

/** An option, exact in float64 and rounded to f32 on the GPU, times a number. */
function times(option: number, a: Scalar): Scalar {
  if (option === 0) return { value: 0, bound: 0 };
  const value = option * a.value;
  const inherited = Math.abs(option) * a.bound;
  return { value, bound: inherited + 2.001 * U * (Math.abs(value) + inherited) + TINY };
}
