import { expect, test } from 'vitest';
import { dense, Mlp } from '../../src/index.js';
import { settledBytes, sharedGpu } from '../support/gpu.js';
import { clusters } from '../support/problems.js';

const create = async (): Promise<Mlp> =>
  Mlp.create(await sharedGpu(), { inputs: 6, layers: [dense(8, 'relu'), dense(3)], seed: 1 });

test('calls of one batch size at once, which share a buffer for their inputs, each get their own results', async () => {
  using model = await create();
  const inputs = [1, 2, 3, 4, 5].map((seed) => clusters(37, 6, 3, seed).inputs);
  const alone: Float32Array[] = [];
  for (const values of inputs) alone.push(await model.predict(values, { batchSize: 8 }));
  // First with the plan that is there, then with one that they all wait for.
  for (const batchSize of [8, 16]) {
    expect(await Promise.all(inputs.map((values) => model.predict(values, { batchSize })))).toEqual(alone);
  }
});

test('a plan that is left while a call uses it finishes its work', async () => {
  using model = await create();
  const { inputs } = clusters(200, 6, 3, 7);
  const expected = await model.predict(inputs, { batchSize: 200 });
  const gpu = await sharedGpu();
  const before = await settledBytes(gpu);
  await model.predict(inputs, { batchSize: 1 });
  // The one that is there already is used, and left at once for those that come behind it.
  const sizes = [1, ...Array.from({ length: 20 }, (_, i) => i + 2)];
  const results = await Promise.all(sizes.map((batchSize) => model.predict(inputs, { batchSize })));
  for (const result of results) expect(result).toEqual(expected);
  expect(gpu.memory.usedBytes).toBeGreaterThan(before);
});

test('numbers do not depend on the batch: one sample, fewer than a batch, a batch more than the samples', async () => {
  using model = await create();
  const { inputs } = clusters(11, 6, 3, 9);
  const expected = await model.predict(inputs);
  for (const batchSize of [1, 4, 11, 12, 4096]) expect(await model.predict(inputs, { batchSize })).toEqual(expected);
  expect(await model.predict(inputs.subarray(0, 6))).toEqual(expected.subarray(0, 3));
  expect(await model.predict(new Float32Array(0), { batchSize: 4 })).toEqual(new Float32Array(0));
});
