import { type Activation, type ResolvedActivation, resolveActivation } from '../activations.js';
import { demand } from '../check.js';
import { MlpError } from '../errors.js';
import { matmul } from '../kernels/matmul.js';
import { defaultInitializer, type Initializer, initializers } from '../random.js';
import type { Layer } from './layer.js';

export interface DenseOptions {
  /** How the weights start; by default He for the relu family, LeCun for selu, Xavier (Glorot) else. */
  readonly initializer?: Initializer;
  /** Whether there is a bias, which starts at zero. */
  readonly bias?: boolean;
}

/**
 * Y = f(X·W + b), with X (batch, inputs), W (inputs, units), b (units) and Y (batch, units).
 * What is wrong with it is said by `Mlp.create`, which knows where the layer stands.
 */
export function dense(units: number, activation: Activation = 'linear', options: DenseOptions = {}): Layer {
  const { bias = true } = options;
  const resolved = tryResolve(activation);
  const initializer = options.initializer ?? defaultInitializer(resolved?.name ?? 'linear');
  return {
    spec: { type: 'dense', units, activation: resolved?.spec ?? activation, initializer, bias },
    outputs: () => units,
    parameters(inputs, where) {
      demand(`${where} (dense) has`, { units }, 'a positive integer', 'shape');
      resolveActivation(activation);
      if (!initializers.includes(initializer)) {
        throw new MlpError(
          'unknown-initializer',
          `${where} (dense) has initializer "${initializer}", which is not known. Known: ${initializers.join(', ')}.`,
        );
      }
      const weight = { name: 'weight', shape: [inputs, units], initializer };
      return bias ? [weight, { name: 'bias', shape: [units], initializer: 'zeros' }] : [weight];
    },
    record(plan, X, { values, gradients }) {
      const [batch = 1, inputs = 1] = X.shape;
      const { from } = resolveActivation(activation);
      const W = values.view(0, [inputs, units], 'W');
      const b = bias ? { bias: values.view(inputs * units, [units], 'b') } : {};
      // The derivative may need the pre-activation: then Y is followed by Z in one tensor.
      const keep = gradients !== undefined && from === 'z';
      const written = plan.tensor('Y', keep ? [2, batch, units] : [batch, units]);
      plan.add(matmul(X, W, written, { ...b, activation, keepPreActivation: keep }));
      const Y = keep ? written.view(0, [batch, units], 'Y') : written;
      const at = keep ? written.view(batch * units, [batch, units], 'Z') : Y;
      const gate = resolved?.name === 'linear' ? undefined : { activation, at };
      return {
        output: Y,
        gate,
        backward(dZ, below) {
          if (gradients === undefined)
            throw new MlpError('no-gradients', 'dense: this plan was not recorded for training.');
          // [dW; db] = [X 1]ᵀ·dZ: the bias' gradient is the product of a row of ones.
          const dW = gradients.view(0, [inputs + (bias ? 1 : 0), units], 'dW');
          plan.add(matmul(X, dZ, dW, { transposeA: true, onesRow: bias }));
          const dX = plan.tensor('dX', [batch, inputs]);
          plan.add(matmul(dZ, W, dX, { transposeB: true, ...(below === undefined ? {} : { gate: below }) }));
          return dX;
        },
      };
    },
  };
}

/** A spec is plain data even for an activation that does not exist; `parameters` then says so. */
export function tryResolve(activation: Activation): ResolvedActivation | undefined {
  try {
    return resolveActivation(activation);
  } catch {
    return undefined;
  }
}
