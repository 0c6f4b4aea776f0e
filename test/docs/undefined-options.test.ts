import { expect, test } from 'vitest';
import * as api from '../../src/index.js';
import { smallTraining } from '../support/small-training.js';

// An option that is undefined counts as left out, as in `{ signal: props.signal }`.

/** A function's result with every option undefined, and without options. */
const pairs: Readonly<Record<string, readonly [{ readonly spec?: unknown }, { readonly spec?: unknown }]>> = {
  adam: [api.adam({ learningRate: undefined, beta1: undefined, beta2: undefined, epsilon: undefined }), api.adam()],
  adamw: [api.adamw({ weightDecay: undefined }), api.adamw()],
  adagrad: [api.adagrad({ learningRateDecay: undefined, initialAccumulator: undefined }), api.adagrad()],
  rmsprop: [api.rmsprop({ decay: undefined, momentum: undefined, centered: undefined }), api.rmsprop()],
  sgd: [
    api.sgd({ learningRate: 1, momentum: undefined, dampening: undefined, nesterov: undefined }),
    api.sgd({ learningRate: 1 }),
  ],
  dense: [
    api.dense(3, { type: 'elu', alpha: undefined }, { bias: undefined, initializer: undefined }),
    api.dense(3, 'elu'),
  ],
  maxout: [api.dense(3, { type: 'maxout', pieces: undefined }), api.dense(3, 'maxout')],
  gelu: [api.dense(3, { type: 'gelu', approximate: undefined }), api.dense(3, 'gelu')],
  prelu: [api.dense(3, { type: 'prelu', per: undefined, alpha: undefined }), api.dense(3, 'prelu')],
  initializer: [
    api.dense(3, 'relu', { initializer: { type: 'normal', deviation: 0.1, mean: undefined } }),
    api.dense(3, 'relu', { initializer: { type: 'normal', deviation: 0.1 } }),
  ],
  batchNorm: [api.batchNorm({ momentum: undefined, epsilon: undefined, affine: undefined }), api.batchNorm()],
  layerNorm: [api.layerNorm({ epsilon: undefined, affine: undefined }), api.layerNorm()],
  residual: [api.residual([api.dense(3)], { activation: undefined }), api.residual([api.dense(3)])],
  softmaxCrossEntropy: [
    api.softmaxCrossEntropy({ labelSmoothing: undefined, classWeights: undefined }),
    api.softmaxCrossEntropy(),
  ],
  binaryCrossEntropy: [api.binaryCrossEntropy({ positiveWeight: undefined }), api.binaryCrossEntropy()],
  huber: [api.huber({ delta: undefined }), api.huber()],
  cosine: [api.cosine({ epochs: 5, minimum: undefined, per: undefined }), api.cosine({ epochs: 5 })],
};

test.each(Object.entries(pairs))('%s: the spec is the same', (_name, [given, leftOut]) => {
  expect(given.spec).toBeDefined();
  expect(given.spec).toEqual(leftOut.spec);
});

test('a training runs with every other option undefined', async () => {
  const { device, data, x } = await smallTraining();
  const layers = [api.dense(4, 'relu'), api.dense(3)];
  const model = await api.Mlp.create(device, { inputs: 5, layers, normalize: undefined, seed: undefined });
  const norm: api.Clip = { norm: 1, value: undefined } as api.Clip;
  const trainer = await model.trainer({
    loss: api.softmaxCrossEntropy(),
    optimizer: api.adam(),
    batchSize: 4,
    metrics: undefined,
    clip: norm,
    penalties: { l1: undefined, l2: 0.1 },
    stepsPerSubmit: undefined,
    accumulate: undefined,
    ema: { decay: undefined },
  });
  const [train, rest] = data.split(0.5, { seed: undefined, stratify: undefined });
  const earlyStopping = { monitor: 'loss', mode: undefined, patience: undefined, restoreBest: undefined };
  const fit = { validation: undefined, shuffle: undefined, schedule: undefined, signal: undefined, onEpoch: undefined };
  const history = await trainer.fit(train, { epochs: 2, earlyStopping, ...fit });
  expect(history.length).toBe(2);
  await trainer.restore(await trainer.checkpoint());
  await model.predict(x, { output: undefined, batchSize: undefined });
  await api.Mlp.load(device, await model.save({ format: undefined }), { layers: undefined });
  rest.dispose();
});
