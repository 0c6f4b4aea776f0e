import { assertOption } from '../../base/check.js';
import { layerNormParameters, layerNormRows, layerNormRowsBackward } from '../../kernels/layer-norm.js';
import type { Layer } from './layer.js';
import { normParameters } from './norm.js';

export interface LayerNormOptions {
  /** Added to the variance; 1e-5 by default. */
  readonly epsilon?: number;
  /** True, the default, if weight and bias are learned. */
  readonly affine?: boolean;
}

/**
 * Y = (X − μ)/√(v + ε)·weight + bias, with mean μ and biased variance v of each row over its features.
 * Source: Ba, Kiros and Hinton 2016; PyTorch's LayerNorm, with its names.
 */
export function layerNorm(options: LayerNormOptions = {}): Layer {
  const { epsilon = 1e-5, affine = true } = options;
  return {
    spec: { type: 'layerNorm', epsilon, affine },
    outputs: (inputs) => inputs,
    parameters(inputs, where) {
      assertOption(`${where} (layerNorm) has`, { epsilon }, 'a positive float32 number');
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
