import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.js';
import {
  accuracy,
  adagrad,
  adam,
  adamw,
  batchNorm,
  binaryCrossEntropy,
  confusionMatrix,
  cosine,
  Dataset,
  type DatasetOptions,
  dense,
  dropout,
  type FitOptions,
  type Gpu,
  huber,
  type Layer,
  layerNorm,
  Mlp,
  type ModelOptions,
  mae,
  meanAbsoluteError,
  meanSquaredError,
  r2,
  residual,
  rmsprop,
  sgd,
  softmaxCrossEntropy,
  type TrainerOptions,
  topK,
} from '../../src/index.js';
import recorded from '../support/bits.json';
import { sharedGpu } from '../support/gpu.js';
import { clusters } from '../support/problems.js';

// Refactoring changes no bit. Each training takes 50 steps; together they use every layer, optimizer, loss and fusion. What is
// hashed: all parameters and buffers, the history of losses and metrics, an evaluation and a prediction.

const STEPS = 50;

/** Samples and labels as flat arrays. */
interface Data extends Pick<DatasetOptions, 'chunk'> {
  readonly inputs: ArrayLike<number>;
  readonly features: number;
  readonly classes?: ArrayLike<number>;
  readonly targets?: ArrayLike<number>;
  readonly weights?: ArrayLike<number>;
}

interface Training {
  readonly model: ModelOptions;
  readonly trainer: TrainerOptions<never>;
  readonly data: Data;
  readonly fit?: Omit<FitOptions, 'epochs'>;
}

const random = new Random(7);
const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => random.bits() & 255);
const floats = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.normal());
const classes = (count: number, most: number): Uint32Array =>
  Uint32Array.from({ length: count }, () => random.bits() % most);
const shares = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.uniform(0, 1));

const clustered = (count: number, features: number, classCount: number): Data => {
  const { inputs, labels } = clusters(count, features, classCount);
  return { inputs, features, classes: labels };
};

const classifier = (inputs: number, layers: readonly Layer[], rest: Partial<ModelOptions> = {}): ModelOptions => ({
  inputs,
  layers,
  seed: 3,
  ...rest,
});

const trainings: Readonly<Record<string, Training>> = {
  '784-400-200-10, bytes, sgd with momentum': {
    model: classifier(784, [dense(400, 'relu'), dense(200, 'relu'), dense(10)], { normalize: 'unit' }),
    trainer: { loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 0.05, momentum: 0.9 }), batchSize: 128 },
    // The last batch of an epoch has 40 rows.
    data: { inputs: bytes(1192 * 784), features: 784, classes: classes(1192, 10) },
  },
  'a tiny network, nesterov': {
    model: classifier(2, [dense(16, 'tanh'), dense(16, 'tanh'), dense(2)]),
    trainer: {
      loss: softmaxCrossEntropy(),
      optimizer: sgd({ learningRate: 0.1, momentum: 0.8, nesterov: true, weightDecay: 1e-3 }),
      batchSize: 16,
    },
    data: clustered(155, 2, 2),
  },
  'a tiny network on probabilities, without momentum': {
    model: classifier(4, [dense(9, 'leakyRelu'), dense(3)]),
    trainer: { loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 0.1 }), batchSize: 8 },
    data: {
      inputs: floats(80 * 4),
      features: 4,
      targets: Array.from(
        { length: 80 },
        (_, i) =>
          [
            [0.5, 0.25, 0.25],
            [0, 1, 0],
            [0.125, 0, 0.875],
          ][i % 3] ?? [],
      ).flat(),
    },
  },
  'batchNorm, adam, clip by norm, penalties': {
    model: classifier(30, [dense(64, 'relu'), batchNorm(), dense(33), batchNorm(), dense(5)]),
    trainer: {
      loss: softmaxCrossEntropy({ labelSmoothing: 0.1 }),
      optimizer: adam({ learningRate: 0.01 }),
      clip: { norm: 0.25 },
      penalties: { l1: 1e-4, l2: 1e-3 },
      batchSize: 32,
    },
    data: clustered(300, 30, 5),
  },
  'layerNorm, residual, gelu, adamw': {
    model: classifier(12, [
      dense(24, 'gelu'),
      residual([dense(17, { type: 'gelu', approximate: 'tanh' }), layerNorm(), dense(24)], { activation: 'abs' }),
      dense(4),
    ]),
    trainer: {
      loss: softmaxCrossEntropy({ classWeights: [1, 2, 0.5, 1] }),
      optimizer: adamw({ learningRate: 0.005 }),
      batchSize: 20,
    },
    data: clustered(190, 12, 4),
  },
  'dropout, learned activations, centred rmsprop': {
    model: classifier(10, [
      dense(40, 'prelu'),
      dropout(0.25),
      dense(20, { type: 'swish', learned: true, per: 'unit' }),
      dense(3, 'softmax'),
    ]),
    trainer: {
      loss: softmaxCrossEntropy(),
      optimizer: rmsprop({ learningRate: 0.003, momentum: 0.5, centered: true }),
      batchSize: 25,
    },
    data: clustered(250, 10, 3),
  },
  'maxout, no bias, huber, adagrad, targets': {
    model: classifier(7, [dense(11, { type: 'maxout', pieces: 3 }), dense(6, 'sine', { bias: false }), dense(2)], {
      normalize: { mean: [0, 1, -1, 0.5, 0, 0, 2], std: [1, 2, 1, 1, 3, 1, 1] },
    }),
    trainer: { loss: huber({ delta: 0.7 }), optimizer: adagrad({ learningRate: 0.05 }), batchSize: 10 },
    data: { inputs: floats(100 * 7), features: 7, targets: floats(200) },
  },
  'streamed bytes, signed, sgd': {
    model: classifier(28, [dense(48, 'elu'), dense(24, 'selu'), dense(6)], { normalize: 'signed' }),
    trainer: {
      loss: softmaxCrossEntropy(),
      optimizer: sgd({ learningRate: 0.05, dampening: 0.1, momentum: 0.7 }),
      batchSize: 16,
    },
    data: { inputs: bytes(160 * 28), features: 28, classes: classes(160, 6), chunk: 48 },
  },
  'regression, sample weights, clip by value, cosine': {
    model: classifier(5, [dense(32, 'softplus'), dense(16, 'swish'), dense(1)]),
    trainer: {
      loss: meanSquaredError(),
      optimizer: sgd({ learningRate: 0.02, momentum: 0.9 }),
      clip: { value: 0.05 },
      batchSize: 64,
    },
    data: { inputs: floats(310 * 5), features: 5, targets: floats(310), weights: shares(310) },
    fit: { schedule: cosine({ epochs: 10 }) },
  },
  'several logistic outputs, minibatches of floats': {
    model: classifier(9, [dense(20, { type: 'elu', alpha: 0.5 }), dense(4, 'sigmoid')]),
    trainer: {
      loss: binaryCrossEntropy({ positiveWeight: [1, 3, 0.5, 2] }),
      optimizer: adam({ learningRate: 0.02, weightDecay: 1e-3 }),
      batchSize: 15,
    },
    data: { inputs: floats(150 * 9), features: 9, targets: Float32Array.from(classes(600, 2)) },
  },
  'mean absolute error': {
    model: classifier(6, [dense(70, 'relu'), dense(3)]),
    trainer: { loss: meanAbsoluteError(), optimizer: rmsprop({ learningRate: 0.01 }), batchSize: 30 },
    data: { inputs: floats(300 * 6), features: 6, targets: floats(900) },
  },
};

const metricsOf = ({ spec: { type } }: TrainerOptions<never>['loss']): TrainerOptions['metrics'] => {
  if (type === 'softmaxCrossEntropy') return [accuracy(), confusionMatrix(), topK(2)] as never;
  return (type === 'binaryCrossEntropy' ? [accuracy()] : [mae(), r2()]) as never;
};

async function hash(parts: readonly (ArrayBufferView<ArrayBuffer> | unknown)[]): Promise<string> {
  const encoder = new TextEncoder();
  const chunks = parts.map((part) =>
    ArrayBuffer.isView(part)
      ? new Uint8Array(part.buffer as ArrayBuffer, part.byteOffset, part.byteLength)
      : encoder.encode(JSON.stringify(part)),
  );
  const digest = await crypto.subtle.digest('SHA-256', await new Blob(chunks).arrayBuffer());
  return [...new Uint8Array(digest).subarray(0, 12)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Trains, and hashes what came of it. @param withMetrics a metric with an accumulator keeps a step from being one dispatch */
async function train(
  gpu: Gpu,
  { model: options, trainer: how, data, fit }: Training,
  withMetrics: boolean,
): Promise<string> {
  using model = await Mlp.create(gpu, options);
  using dataset = Dataset.create(gpu, data);
  const metrics = withMetrics ? metricsOf(how.loss) : undefined;
  using trainer = await model.trainer({ ...how, ...(metrics && { metrics }) } as TrainerOptions<never>);
  const steps = Math.ceil(dataset.length / how.batchSize);
  const history = await trainer.fit(dataset, { ...fit, epochs: STEPS / steps });
  expect(history.length * steps).toBe(STEPS);
  const { features } = data;
  const rows = how.batchSize - 3;
  const words = (data.classes ?? data.targets ?? []).length / dataset.length;
  const some = (from: ArrayLike<number>, count: number): Float32Array => Float32Array.from(from).slice(0, count);
  // A minibatch from the host behind them, and the gradients of another.
  await trainer.step(some(data.inputs, rows * features), some(data.classes ?? data.targets ?? [], rows * words));
  const { loss, gradients } = await trainer.gradients(
    some(data.inputs, 5 * features),
    some(data.classes ?? data.targets ?? [], 5 * words),
  );
  const evaluation = await trainer.evaluate(dataset);
  const prediction = await model.predict(some(data.inputs, 21 * features));
  const weights = await model.weights();
  return await hash([
    ...weights.map((weight) => weight.data),
    history.map(({ seconds: _, ...entry }) => entry),
    evaluation,
    [loss, await trainer.loss()],
    ...gradients.map((gradient) => gradient.data),
    prediction,
  ]);
}

const known: Readonly<Record<string, Readonly<Record<string, string>>>> = recorded;

test.for(Object.keys(trainings).flatMap((name) => [`${name}`, `${name}, with metrics`]))(
  '%s: its bits are those recorded',
  async (name) => {
    const gpu = await sharedGpu();
    const training = trainings[name.replace(', with metrics', '')];
    if (training === undefined) throw new RangeError(name);
    const withMetrics = name.endsWith(', with metrics');
    const found = await train(gpu, training, withMetrics);
    const adapter = [gpu.info.vendor, gpu.info.architecture].join(' ');
    // Of an adapter of which nothing is recorded, a training has the same bits twice.
    expect(found).toBe(known[adapter]?.[name] ?? (await train(gpu, training, withMetrics)));
  },
);
