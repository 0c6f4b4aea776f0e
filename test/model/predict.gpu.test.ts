import { expect, test } from 'vitest';
import { dense, dropout, Mlp, residual, Tensor } from '../../src/index.js';
import { add } from '../reference/add.js';
import { type Bounded, exact } from '../reference/bounded.js';
import { matmul } from '../reference/matmul.js';
import { softmax } from '../reference/softmax.js';
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

test('outputs of hidden layers: after the activation, of a dropout, within a residual block, and of the last layer', async () => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, {
    inputs: 6,
    layers: [
      dense(8, 'relu'),
      dropout(0.5),
      residual([dense(5, 'relu'), dense(8)], { activation: 'relu' }),
      dense(3, 'softmax'),
    ],
    seed: 1,
  });
  const { inputs } = clusters(37, 6, 3, 4);
  const matrices = (await model.weights()).map(({ shape: [rows = 1, columns], data }) =>
    exact(columns === undefined ? [1, rows] : [rows, columns], data),
  ) as [Bounded, Bounded, Bounded, Bounded, Bounded, Bounded, Bounded, Bounded];
  const [W0, b0, W1, b1, W2, b2, W3, b3] = matrices;
  const hidden = matmul(exact([37, 6], inputs), W0, { bias: b0, activation: 'relu' });
  const inner = matmul(hidden, W1, { bias: b1, activation: 'relu' });
  const end = matmul(inner, W2, { bias: b2 });
  const block = add(hidden, end, 'relu');
  const probabilities = softmax(matmul(block, W3, { bias: b3 }));
  const expected = [
    [0, hidden],
    ['0', hidden],
    [1, hidden],
    ['2.0', inner],
    ['2.1', end],
    [2, block],
    [3, probabilities],
  ] as const;
  for (const [layer, values] of expected) {
    const found = await model.predict(inputs, { layer, batchSize: 16 });
    expect(found.length, `layer ${layer}`).toBe(values.values.length);
    expect(found).toBeWithin(values, `layer ${layer}`);
  }
  using first = await Mlp.create(gpu, { inputs: 6, layers: [dropout(0.5), dense(3)] });
  expect(await first.predict(inputs, { layer: 0 })).toEqual(Float32Array.from(inputs));
  using tensor = Tensor.from(gpu, inputs, [37, 6]);
  expect(await model.predict(tensor, { layer: '2.0' })).toEqual(await model.predict(inputs, { layer: '2.0' }));
});
