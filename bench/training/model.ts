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

const optimizer = (): Optimizer => sgd({ learningRate: 0.01, momentum: 0.5 });

export const createModel = (gpu: Gpu, { layers: [inputs = 1, ...units] }: Network): Promise<Mlp> =>
  Mlp.create(gpu, {
    inputs,
    layers: units.map((width, number) => dense(width, number === units.length - 1 ? 'linear' : 'relu')),
    seed: 1,
  });

export const createTrainer = (
  model: Mlp,
  { batch }: Network,
  stepsPerSubmit: number | 'auto' = 'auto',
): Promise<Trainer> =>
  model.trainer({ loss: softmaxCrossEntropy(), optimizer: optimizer(), batchSize: batch, stepsPerSubmit });

/** How long a plan has to run as it is to count as settled. */
const SETTLED_MS = 2000;

/** Trains until the plan has the programs that it keeps: larger tiles take over some time after the first steps. */
export async function settle(trainer: Trainer, data: Dataset): Promise<void> {
  const programs = (): string => trainer.plan.dispatches.map(({ variant }) => variant).join();
  let before: string;
  do {
    before = programs();
    const start = performance.now();
    while (performance.now() - start < SETTLED_MS) await trainer.fit(data, { epochs: 1 });
  } while (programs() !== before);
}

/** A data set of whole batches. */
export function createDataset(gpu: Gpu, network: Network, steps: number): Dataset {
  const { inputs, classes } = samples(network, steps * network.batch);
  return Dataset.create(gpu, { inputs, features: network.layers[0] ?? 1, classes });
}
