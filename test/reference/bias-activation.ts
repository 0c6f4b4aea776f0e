import type { Activation } from '../../src/kernels/activations.js';
import { activate, activationDerivative } from './activations.js';
import { at, type Bounded, elementwise, sameShape, TINY, U } from './bounded.js';

/** f(Y + b), with Y (rows, columns) and b (1, columns) or none; in float64, with the float32 bound. */
export function biasActivation(Y: Bounded, b: Bounded | undefined, activation: Activation): Bounded {
  return activate(b === undefined ? Y : plusBias(Y, b), activation);
}

/** dZ = dY ⊙ f′, with f′ from `A`: the activation's output or pre-activation, as its row in the table says. */
export function biasActivationBackward(dY: Bounded, A: Bounded, activation: Activation): Bounded {
  sameShape('bias-activation', dY, A);
  const slope = activationDerivative(A, activation);
  return elementwise(dY.shape, (i) => {
    const d = at(dY.values, i);
    const s = at(slope.values, i);
    const dBound = at(dY.bound, i);
    const sBound = at(slope.bound, i);
    const error = Math.abs(d) * sBound + Math.abs(s) * dBound + dBound * sBound;
    return [d * s, error + U * (Math.abs(d * s) + error) + TINY];
  });
}

function plusBias(Y: Bounded, b: Bounded): Bounded {
  const columns = Y.shape[1];
  if (b.values.length !== columns) {
    throw new RangeError(`bias-activation: ${b.values.length} biases for ${columns} columns.`);
  }
  return elementwise(Y.shape, (i) => {
    const sum = at(Y.values, i) + at(b.values, i % columns);
    const error = at(Y.bound, i) + at(b.bound, i % columns);
    return [sum, error + U * (Math.abs(sum) + error)];
  });
}

/** dX ⊙ f′ if the layer below has an activation, else dX: the end of a backward kernel. */
export function belowActivation(
  dX: Bounded,
  below: { readonly activation: Activation; readonly at: Bounded } | undefined,
): Bounded {
  return below === undefined ? dX : biasActivationBackward(dX, below.at, below.activation);
}
