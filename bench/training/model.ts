export { Gpu } from '../../src/index.js';

import {
  Dataset,
  dense,
  type Gpu,
  Mlp,
  type Optimizer,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
} from '../../src/index.js';
import { type Network, samples } from './network.js';

/** Steps or predictions after which a plan has begun to compile its faster programs. */
export const SETTLING_STEPS = 33;

const optimizer = (): Optimizer => sgd({ learningRate: 0.01, momentum: 0.5 });

export const createModel = (gpu: Gpu, { layers: [inputs = 1, ...units] }: Network): Promise<Mlp> =>
  Mlp.create(gpu, {
    inputs,
    // Images are bytes, which the model normalizes.
    ...(inputs === 784 ? { normalize: 'unit' as const } : {}),
    layers: units.map((width, number) => dense(width, number === units.length - 1 ? 'linear' : 'relu')),
    seed: 1,
  });

export const createTrainer = (
  model: Mlp,
  { batch }: Network,
  stepsPerSubmit: number | 'auto' = 'auto',
): Promise<Trainer> =>
  model.trainer({ loss: softmaxCrossEntropy(), optimizer: optimizer(), batchSize: batch, stepsPerSubmit });

/** A data set of `steps` whole batches. */
export function createDataset(gpu: Gpu, network: Network, steps: number): Dataset {
  const { inputs, classes } = samples(network, steps * network.batch);
  return Dataset.create(gpu, { inputs, features: network.layers[0] ?? 1, classes });
}
