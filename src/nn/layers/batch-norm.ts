import { assertOption } from '../../base/check.js';
import { MlpError, ShapeError } from '../../base/errors.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import { batchNormRows, batchNormRowsBackward, batchNormRunningBackward } from '../../kernels/batch-norm.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Layer } from './layer.js';
import { normParameters } from './norm.js';
import { type TrainableOptions, trainableOf } from './trainable.js';

/** Options of `batchNorm`. */
export interface BatchNormLayerOptions extends TrainableOptions {
  /**
   * Weight of a batch in the running statistics, in [0, 1]: running ← (1 − momentum)·running + momentum·batch.
   * Default: 0.1.
   * Example: `momentum: 0.1`.
   */
  readonly momentum?: number | undefined;
  /** ε, which is added to the variance. Default: 1e-5. Example: `epsilon: 1e-5`. */
  readonly epsilon?: number | undefined;
  /** True to learn a weight and a bias for each feature. Default: true. Example: `affine: false`. */
  readonly affine?: boolean | undefined;
}

const NAMES: OptionNames<BatchNormLayerOptions> = { momentum: 1, epsilon: 1, affine: 1, trainable: 1 };

/**
 * Batch normalization: Y = (X − μ)/√(v + ε)·weight + bias for each feature. X and Y are (batch, features), weight and
 * bias are (features). In training μ and v are the mean and the biased variance of the batch. In evaluation and
 * prediction they are the running mean and the running variance, which averages unbiased variances. If the last batch
 * of an epoch has a single row, which PyTorch refuses, Y is the bias, the gradients of the weight and of X are 0, and
 * the running statistics do not change.
 *
 * With `trainable: false` nothing of the layer changes: also in training it normalizes by the running statistics and leaves
 * them as they are, as a frozen `BatchNormalization` of Keras does, and a module of PyTorch in `eval()` mode.
 *
 * PyTorch's `BatchNorm1d`, whose parameter names it uses. Source: Ioffe and Szegedy 2015.
 *
 * `Mlp.create` throws `bad-option` if an option is out of range; training with batchSize = 1 throws a `ShapeError`.
 * @example const layers = [dense(64), batchNorm(), dense(10, 'softmax')];
 */
export function batchNorm(options: BatchNormLayerOptions = {}): Layer {
  const { momentum = 0.1, epsilon = 1e-5, affine = true } = checkOptions('batchNorm', options, NAMES, 'bad-layer');
  const trainable = trainableOf(options);
  return {
    spec: { type: 'batchNorm', momentum, epsilon, affine, ...trainable },
    ...trainable,
    modules: [
      {
        ...(affine && { weight: 'weight', bias: 'bias' }),
        running_mean: 'running_mean',
        running_var: 'running_var',
        // PyTorch uses this count only if momentum is None.
        num_batches_tracked: 0n,
      },
    ],
    outputs: (inputs) => inputs,
    parameters(inputs, where) {
      assertOption(`${where} (batchNorm) has`, { momentum }, 'a number in [0, 1]');
      assertOption(`${where} (batchNorm) has`, { epsilon }, 'a positive float32 number');
      assertOption(`${where} (batchNorm) has`, { affine }, 'true or false');
      const shape = [inputs];
      return [
        ...normParameters(inputs, affine),
        { name: 'running_mean', shape, initializer: 0, trained: false },
        { name: 'running_var', shape, initializer: 1, trained: false },
      ];
    },
    record(plan, X, { values, gradients, states: running }, { purpose, trainable: learning }) {
      const [batch = 1, columns = 1] = X.shape;
      const learns = purpose !== 'evaluate' && learning;
      if (learns && batch === 1) {
        throw new ShapeError('batchNorm: batchSize = 1, but a single row has no variance. Train with at least 2.');
      }
      const Y = plan.tensor('Y', X.shape);
      const statistics = learns ? plan.tensor('statistics', [2, columns]) : undefined;
      const parameters = affine ? values : undefined;
      const kept = purpose === 'gradients' && learns ? {} : { running, momentum };
      plan.add(batchNormRows(X, Y, statistics, { epsilon, parameters, ...kept }, PER_STEP));
      return {
        output: Y,
        backward(dY, below) {
          if (purpose === 'evaluate')
            throw new MlpError('no-gradients', 'batchNorm: this plan was not recorded for training.');
          const dX = plan.tensor('dX', X.shape);
          const options = { parameters, activationGradient: below };
          plan.add(
            statistics === undefined
              ? batchNormRunningBackward(dY, dX, running, { epsilon, ...options }, PER_STEP)
              : batchNormRowsBackward(
                  X,
                  dY,
                  dX,
                  statistics,
                  { gradients: affine ? gradients : undefined, ...options },
                  PER_STEP,
                ),
          );
          return dX;
        },
      };
    },
  };
}
