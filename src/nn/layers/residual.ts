import { assertList, assertMethod } from '../../base/check.js';
import { MlpError, ShapeError } from '../../base/errors.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import { type Activation, resolveActivation } from '../../kernels/activations.js';
import { add } from '../../kernels/add.js';
import { recordChain } from './chain.js';
import { isMaxout, tryResolve, untrainableBy } from './dense.js';
import type { Layer } from './layer.js';
import { type TrainableOptions, trainableOf } from './trainable.js';

/** Options of `residual`. */
export interface ResidualOptions extends TrainableOptions {
  /**
   * Activation f of the sum; not a learned one and not maxout, which need a dense layer. Default: `linear`.
   * Example: `activation: 'relu'`.
   */
  readonly activation?: Activation | undefined;
}

const NAMES: OptionNames<ResidualOptions> = { activation: 1, trainable: 1 };

/**
 * Residual block: Y = f(X + F(X)), where F is the sequence of layers, which may contain residual blocks. X, F(X) and Y
 * are (batch, features).
 *
 * Source: He et al. 2016, Deep residual learning for image recognition.
 *
 * `Mlp.create` throws a `ShapeError` if there are no layers or if they change the number of features, and
 * `bad-activation` for a learned activation or maxout.
 * @example const layers = [dense(64, 'relu'), residual([dense(64, 'relu'), dense(64)]), dense(10, 'softmax')];
 */
export function residual(layers: readonly Layer[], options: ResidualOptions = {}): Layer {
  assertList('residual:', 'layers', layers, '[dense(64), dense(64)]', 'bad-layer');
  for (const layer of layers) assertMethod('residual: a layer', layer, 'record', 'dense(64)', 'bad-layer');
  const { activation = 'linear' } = checkOptions('residual', options, NAMES, 'bad-layer');
  const trainable = trainableOf(options);
  const resolved = tryResolve(activation);
  return {
    spec: {
      type: 'residual',
      activation: resolved?.spec ?? activation,
      layers: layers.map(({ spec }) => spec),
      ...trainable,
    },
    ...trainable,
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
            ? `${where} (residual) has no layers. Give it at least one.`
            : `${where} (residual) has ${inputs} inputs, but its layers give ${outputs} outputs; they are added, so end with a layer of ${inputs} units.`,
        );
      }
      return [];
    },
    record(plan, X, _block, { layers: placed, purpose }) {
      const inner = recordChain(plan, X, placed);
      const { name, from } = resolveActivation(activation);
      const [batch = 1, width = 1] = X.shape;
      // If the derivative needs the pre-activation, one tensor holds Y and then Z.
      const keep = purpose !== 'evaluate' && from === 'z';
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
            // The skip connection needs dZ unchanged, so its product with the last layer's derivative is a new tensor.
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
