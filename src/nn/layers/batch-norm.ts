import { assertOption } from '../../base/check.js';
import { MlpError, ShapeError } from '../../base/errors.js';
import { batchNormRows, batchNormRowsBackward } from '../../kernels/batch-norm.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Layer } from './layer.js';
import { normParameters } from './norm.js';

export interface BatchNormLayerOptions {
  /** The share of the running statistics that a step's batch replaces; 0.1 by default. */
  readonly momentum?: number;
  /** Added to the variance; 1e-5 by default. */
  readonly epsilon?: number;
  /** True, the default, if weight and bias are learned. */
  readonly affine?: boolean;
}

/**
 * Y = (X − μ)/√(v + ε)·weight + bias for each feature: with mean μ and biased variance v of the batch in training, and running
 * ones, of unbiased variances, in evaluation and prediction. A last partial batch of a single row, which PyTorch refuses,
 * gives the bias, and changes neither the weight nor the running statistics.
 * Source: Ioffe and Szegedy 2015; PyTorch's BatchNorm1d, with its names.
 */
export function batchNorm(options: BatchNormLayerOptions = {}): Layer {
  const { momentum = 0.1, epsilon = 1e-5, affine = true } = options;
  return {
    spec: { type: 'batchNorm', momentum, epsilon, affine },
    modules: [
      {
        ...(affine && { weight: 'weight', bias: 'bias' }),
        running_mean: 'running_mean',
        running_var: 'running_var',
        // A count that PyTorch uses only where momentum is null.
        num_batches_tracked: 0n,
      },
    ],
    outputs: (inputs) => inputs,
    parameters(inputs, where) {
      assertOption(`${where} (batchNorm) has`, { momentum }, 'a number in [0, 1]');
      assertOption(`${where} (batchNorm) has`, { epsilon }, 'a positive float32 number');
      const shape = [inputs];
      return [
        ...normParameters(inputs, affine),
        { name: 'running_mean', shape, initializer: 0, trained: false },
        { name: 'running_var', shape, initializer: 1, trained: false },
      ];
    },
    record(plan, X, { values, gradients, states: running }, { purpose }) {
      const [batch = 1, columns = 1] = X.shape;
      const learns = purpose !== 'evaluate';
      if (learns && batch === 1) {
        throw new ShapeError('batchNorm: batchSize = 1, but a single row has no variance. Train with at least 2.');
      }
      const Y = plan.tensor('Y', X.shape);
      const statistics = learns ? plan.tensor('statistics', [2, columns]) : undefined;
      const parameters = affine ? values : undefined;
      const kept = purpose === 'gradients' ? {} : { running, momentum };
      plan.add(batchNormRows(X, Y, statistics, { epsilon, parameters, ...kept }, PER_STEP));
      return {
        output: Y,
        backward(dY, below) {
          if (statistics === undefined)
            throw new MlpError('no-gradients', 'batchNorm: this plan was not recorded for training.');
          const dX = plan.tensor('dX', X.shape);
          const written = affine ? gradients : undefined;
          plan.add(
            batchNormRowsBackward(
              X,
              dY,
              dX,
              statistics,
              { parameters, gradients: written, activationGradient: below },
              PER_STEP,
            ),
          );
          return dX;
        },
      };
    },
  };
}
