import type { Gpu } from '../../src/index.js';
import type { Case, Contender } from '../case.js';
import { type Network, nameOf, samples } from './network.js';

const networks: readonly Network[] = [
  { layers: [784, 400, 200, 10], batch: 128 },
  { layers: [784, 128, 10], batch: 32 },
];

/** A contender that loads the library, requests a device, creates a model and trains one step until its loss is read. */
function fromNothing(network: Network): Contender {
  let gpu: Gpu | undefined;
  return {
    name: 'webgpu-mlp',
    async run() {
      const { Gpu: Device, createModel, createTrainer } = await import('./model.js');
      gpu = await Device.request();
      const model = await createModel(gpu, network);
      const trainer = await createTrainer(model, network);
      const { inputs, classes } = samples(network, network.batch);
      await trainer.step(inputs, classes);
      const loss = await trainer.loss();
      if (!Number.isFinite(loss)) throw new Error(`The loss of the first step is ${loss}.`);
    },
    dispose: () => gpu?.destroy(),
  };
}

/** First steps, including loading and setup. */
export const firstSteps: readonly (Case & { own(): Contender })[] = networks.map((network) => ({
  name: `first step ${nameOf(network)}`,
  group: 'start',
  workload: { kind: 'first-step', ...network },
  own: () => fromNothing(network),
  prepare: async () => [fromNothing(network)],
}));
