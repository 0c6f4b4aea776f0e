import { MlpError, ShapeError } from '../../base/errors.js';
import { type Activation, resolveActivation } from '../../kernels/activations.js';
import { add } from '../../kernels/add.js';
import { recordChain } from './chain.js';
import { isMaxout, tryResolve, untrainableBy } from './dense.js';
import type { Layer } from './layer.js';

export interface ResidualOptions {
  /** f, of the sum; linear by default. None that is learned: that takes a dense layer, and so does maxout. */
  readonly activation?: Activation;
}

/**
 * Y = f(X + F(X)), with F the layers, one after the other; they may be residual themselves.
 * Source: He et al. 2016, Deep residual learning for image recognition.
 */
export function residual(layers: readonly Layer[], options: ResidualOptions = {}): Layer {
  const { activation = 'linear' } = options;
  const resolved = tryResolve(activation);
  return {
    spec: {
      type: 'residual',
      activation: resolved?.spec ?? activation,
      layers: layers.map(({ spec }) => spec),
    },
    layers,
    ...untrainableBy(resolved),
    outputs: (inputs) => inputs,
    parameters(inputs, where) {
      if (isMaxout(activation) || resolveActivation(activation).learned !== undefined) {
        throw new MlpError(
          'bad-activation',
          `${where} (residual) has activation ${JSON.stringify(activation)}, which only dense layers have. Use another, such as "leakyRelu" or "swish".`,
        );
      }
      const outputs = layers.reduce((width, layer) => layer.outputs(width), inputs);
      if (layers.length === 0 || outputs !== inputs) {
        throw new ShapeError(
          layers.length === 0
            ? `${where} (residual) has no layers; it adds their output to its input.`
            : `${where} (residual) has ${inputs} inputs, but its layers give ${outputs} outputs; they are added, so end with a layer of ${inputs} units.`,
        );
      }
      return [];
    },
    record(plan, X, { gradients }, { layers: placed }) {
      const inner = recordChain(plan, X, placed);
      const { name, from } = resolveActivation(activation);
      const [batch = 1, width = 1] = X.shape;
      // The derivative may need the pre-activation: then Y is followed by Z in one tensor.
      const keep = gradients !== undefined && from === 'z';
      const written = plan.tensor('Y', keep ? [2, batch, width] : [batch, width]);
      plan.add(add(X, inner?.output ?? X, written, { activation, keepPreActivation: keep }));
      const Y = keep ? written.view(0, [batch, width], 'Y') : written;
      const at = keep ? written.view(batch * width, [batch, width], 'Z') : Y;
      const activationGradient = name === 'linear' ? undefined : { activation, at };
      return {
        output: Y,
        activationGradient,
        gate: activationGradient,
        backward(dZ, below) {
          let dF = dZ;
          if (inner?.activationGradient !== undefined) {
            // dZ goes past the layers too, so the last one's derivative makes a tensor of its own.
            dF = plan.tensor('dF', [batch, width]);
            plan.add(add(dZ, undefined, dF, { activationGradient: inner.activationGradient }));
          }
          dF = inner?.backward(dF, undefined) ?? dF;
          const dX = plan.tensor('dX', [batch, width]);
          plan.add(add(dZ, dF, dX, { activationGradient: below }));
          return dX;
        },
      };
    },
  };
}
