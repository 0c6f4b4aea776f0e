import { assertOption } from '../../base/check.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import { layerNormParameters, layerNormRows, layerNormRowsBackward } from '../../kernels/layer-norm.js';
import type { Layer } from './layer.js';
import { normParameters } from './norm.js';
import { type TrainableOptions, trainableOf } from './trainable.js';

/** Options of `layerNorm`. */
export interface LayerNormOptions extends TrainableOptions {
  /** ε, which is added to the variance. Default: 1e-5. Example: `epsilon: 1e-5`. */
  readonly epsilon?: number | undefined;
  /** True to learn a weight and a bias for each feature. Default: true. Example: `affine: false`. */
  readonly affine?: boolean | undefined;
}

const NAMES: OptionNames<LayerNormOptions> = { epsilon: 1, affine: 1, trainable: 1 };

/**
 * Layer normalization: Y = (X − μ)/√(v + ε)·weight + bias, with the mean μ and the biased variance v of each row over
 * its features. X and Y are (batch, features), weight and bias are (features).
 *
 * PyTorch's `LayerNorm`, whose parameter names it uses. Source: Ba, Kiros and Hinton 2016.
 *
 * `Mlp.create` throws `bad-option` if epsilon is not a positive float32 number.
 * @example const layers = [dense(64), layerNorm(), dense(10, 'softmax')];
 */
export function layerNorm(options: LayerNormOptions = {}): Layer {
  const { epsilon = 1e-5, affine = true } = checkOptions('layerNorm', options, NAMES, 'bad-layer');
  const trainable = trainableOf(options);
  return {
    spec: { type: 'layerNorm', epsilon, affine, ...trainable },
    ...trainable,
    outputs: (inputs) => inputs,
    parameters(inputs, where) {
      assertOption(`${where} (layerNorm) has`, { epsilon }, 'a positive float32 number');
      assertOption(`${where} (layerNorm) has`, { affine }, 'true or false');
      return normParameters(inputs, affine);
    },
    record(plan, X, { values, gradients }) {
      const Y = plan.tensor('Y', X.shape);
      const statistics = plan.tensor('statistics', [2, X.shape[0] ?? 1]);
      const parameters = affine ? values : undefined;
      plan.add(layerNormRows(X, Y, statistics, { epsilon, parameters }));
      return {
        output: Y,
        backward(dY, below) {
          if (affine && gradients !== undefined) plan.add(layerNormParameters(X, dY, gradients, statistics));
          const dX = plan.tensor('dX', X.shape);
          plan.add(layerNormRowsBackward(X, dY, dX, statistics, { parameters, activationGradient: below }));
          return dX;
        },
      };
    },
  };
}
