import { expect, test } from 'vitest';
import { type Gpu, Mlp, sgd, softmaxCrossEntropy, type Trainer } from '../../src/index.js';
import type { AdapterTraits } from '../../src/plan/dispatch.js';
import { exact } from '../reference/bounded.js';
import * as reference from '../reference/mlp.js';
import { ownGpu } from '../support/gpu.js';
import { clusters, layersOf, type Network, referenceLayers } from '../support/problems.js';

/** This device, taken for another: it gets the plans of that one, and runs them. */
async function pretended(traits: Partial<AdapterTraits>): Promise<Gpu> {
  const gpu = await ownGpu();
  return Object.assign(gpu, { info: { ...gpu.info, software: false, vendor: 'nvidia', ...traits } });
}

const trainerOf = (model: Mlp, batchSize: number): Promise<Trainer> =>
  model.trainer({ loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 0.05 }), batchSize });

// test/fusion/split-k.test.ts has the plans. Here they run: a pre-activation that is kept, a dX multiplied by the
// derivative at it, and every dW with its row of ones.
test.for<Network & { readonly batch: number }>([
  { inputs: 532, units: [40, 520, 10], activations: ['gelu', 'tanh'], batch: 20 },
  { inputs: 100, units: [24, 7], activations: ['sigmoid'], batch: 515 },
])('a step of $inputs-$units at batch $batch has the weights of the float64 reference', async (network) => {
  const { inputs, units, batch } = network;
  const { inputs: X, labels } = clusters(batch, inputs, units.at(-1) ?? 1, 2);
  using gpu = await pretended({ parallelWidth: 64 });
  using model = await Mlp.create(gpu, { inputs, layers: layersOf(network), seed: 3 });
  using trainer = await trainerOf(model, batch);
  const start = referenceLayers(await model.weights(), network);
  await trainer.step(X, labels);
  const expected = reference.train(start, [{ X: exact([batch, inputs], X), labels }], { learningRate: 0.05 });
  const weights = await model.weights();
  for (const [layer, { W, b }] of expected.layers.entries()) {
    expect(weights[2 * layer]?.data).toBeWithin(W, `W of layer ${layer}`);
    expect(weights[2 * layer + 1]?.data).toBeWithin(b, `b of layer ${layer}`);
  }
  expect(trainer.plan.toString()).toContain('\nsplit: K of 2 matmuls');
});
