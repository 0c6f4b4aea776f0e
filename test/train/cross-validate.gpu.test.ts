import { expect, test } from 'vitest';
import { accuracy, crossValidate, Dataset, dense, Mlp, sgd, softmaxCrossEntropy } from '../../src/index.js';
import { foldsOf } from '../../src/train/folds.js';
import { settledBytes, sharedGpu } from '../support/gpu.js';
import { clusters } from '../support/problems.js';

test('a fold is what a training on its rows and an evaluation of the others give, bit for bit', async () => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(40, 6, 3);
  using data = Dataset.create(gpu, { inputs, features: 6, classes: labels });
  const options = {
    model: { inputs: 6, layers: [dense(8, 'relu'), dense(3)], seed: 1 },
    trainer: {
      loss: softmaxCrossEntropy(),
      optimizer: sgd({ learningRate: 0.1 }),
      batchSize: 8,
      metrics: [accuracy()],
    },
    fit: { epochs: 3 },
  };
  const folding = { folds: 3, stratify: true, seed: 2 };
  const byHand: { loss: number; accuracy: number }[] = [];
  for (const rows of foldsOf(data, folding)) {
    const gathered = (of: Uint32Array): Dataset =>
      Dataset.create(gpu, {
        inputs: Float32Array.from([...of].flatMap((row) => [...inputs.subarray(6 * row, 6 * row + 6)])),
        features: 6,
        classes: [...of].map((row) => labels[row] ?? 0),
      });
    using train = gathered(rows.train);
    using held = gathered(rows.test);
    using model = await Mlp.create(gpu, options.model);
    using trainer = await model.trainer(options.trainer);
    await trainer.fit(train, options.fit);
    byHand.push(await trainer.evaluate(held));
  }
  const before = await settledBytes(gpu);
  const { folds, mean } = await crossValidate(gpu, options, data, folding);
  expect(folds.map(({ loss, accuracy: share }) => ({ loss, accuracy: share }))).toEqual(byHand);
  expect(folds[0]?.history.at(-1)?.loss).toBeLessThan(folds[0]?.history[0]?.loss ?? 0);
  expect(mean.accuracy).toBeCloseTo(byHand.reduce((sum, { accuracy: share }) => sum + share, 0) / 3, 12);
  expect(await settledBytes(gpu)).toBe(before);
});
