import type { Case } from '../case.js';
import { watchCompilations } from '../compilations.js';
import { createModel, SETTLING_STEPS } from './model.js';
import { type Network, nameOf, samples } from './network.js';

const networks: readonly Network[] = [1, 1024].map((batch) => ({ layers: [784, 400, 200, 10], batch }));

function forwardFlops({ layers, batch }: Network): number {
  let flops = 0;
  for (let i = 1; i < layers.length; i++) flops += 2 * batch * (layers[i - 1] ?? 0) * (layers[i] ?? 0);
  return flops;
}

/** Predictions from inputs on the host to probabilities on the host, one call after the other. */
export const prediction: readonly Case[] = networks.map((network) => ({
  name: `predict ${nameOf(network)}`,
  group: 'prediction',
  workload: { kind: 'predict', ...network },
  flops: forwardFlops(network),
  ownDevice: true,
  async prepare({ gpu }) {
    const compilations = watchCompilations(gpu);
    const model = await createModel(gpu, network);
    const { inputs } = samples(network, network.batch);
    const start = performance.now();
    await model.predict(inputs);
    const compileMs = performance.now() - start;
    for (let i = 1; i < SETTLING_STEPS; i++) await model.predict(inputs);
    await compilations.settled();
    return [
      {
        name: 'webgpu-mlp',
        compileMs,
        async run(count) {
          for (let i = 0; i < count; i++) await model.predict(inputs);
        },
        dispose: () => model.dispose(),
      },
    ];
  },
}));
