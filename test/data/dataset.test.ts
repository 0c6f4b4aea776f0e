import { expect, test } from 'vitest';
import {
  binaryCrossEntropy,
  Dataset,
  type DatasetOptions,
  dense,
  Mlp,
  MlpError,
  meanSquaredError,
  type Numbers,
  type StreamOptions,
  sgd,
  softmaxCrossEntropy,
  type Targets,
  Tensor,
  type Trainer,
} from '../../src/index.js';
import { FakeDevice } from '../support/fake-device.js';

const device = new FakeDevice();
const optimizer = sgd({ learningRate: 0.1 });

/** Bits of all labels of a data set, class indices or float32. */
const labelsOf = ({ resident }: Dataset): readonly number[] => [...device.floats(resident?.labels as Tensor)];

test('nested inputs state the features, and nested targets their width', () => {
  const inputs = [
    [1, 2, 3],
    [4, 5, 6],
  ];
  const targets = [
    [0.5, 1],
    [2, 3],
  ];
  using data = Dataset.create(device, { inputs, targets });
  expect([data.length, data.features, data.classCount]).toEqual([2, 3, 2]);
  expect([...device.floats(data.resident?.inputs as Tensor)]).toEqual([1, 2, 3, 4, 5, 6]);
  expect(labelsOf(data)).toEqual([0.5, 1, 2, 3]);
});

test('weights of any type follow their labels', () => {
  const targets = new Float32Array([9, 9, 7, 8]).subarray(2);
  using data = Dataset.create(device, { inputs: [[1], [2]], targets, weights: Float64Array.of(0.5, 2) });
  expect(labelsOf(data)).toEqual([7, 0.5, 8, 2]);
});

test('names of classes are kept, numbered as in every set with the same names', () => {
  using train = Dataset.create(device, { inputs: [[1], [2], [3]], classes: ['cat', 'dog', 'cat'] });
  using other = Dataset.create(device, { inputs: [[1], [2]], classes: ['dog', 'cat'] });
  expect([train.classNames, train.classCount]).toEqual([['cat', 'dog'], 2]);
  expect(other.classNames).toEqual(['cat', 'dog']);
  const [part] = train.split(2 / 3, { stratify: true });
  expect(part.classNames).toEqual(['cat', 'dog']);
  using yes = Dataset.create(device, { inputs: [[1]], classes: [true] });
  expect([yes.classNames, yes.classCount]).toEqual([['false', 'true'], 2]);
});

const bad: readonly [string, object, string][] = [
  [
    'a string in inputs',
    { inputs: [1, '2'], features: 1, classes: [0, 1] },
    'inputs at row 1, column 0 is "2" (a string)',
  ],
  ['null in targets', { inputs: [1, 2], features: 1, targets: [1, 2, null, 4] }, 'targets at row 1, column 0 is null'],
  [
    'a boolean weight',
    { inputs: [1, 2], features: 1, targets: [1, 2], weights: [1, true] },
    'weights at row 1, column 0 is true',
  ],
  [
    'an empty weight',
    { inputs: [[1], [2]], classes: [0, 1], weights: ['', 1] },
    'weights at row 0, column 0 is "" (a string)',
  ],
  [
    'a negative weight',
    { inputs: [[1], [2]], classes: [0, 1], weights: [1, -1] },
    'weights[1] is -1; a weight is a number ≥ 0.',
  ],
  [
    'an ArrayBuffer',
    { inputs: new ArrayBuffer(8), features: 1, classes: [0] },
    'Dataset.create: inputs is an ArrayBuffer;',
  ],
  ['no inputs', { features: 1, classes: [0] }, 'Dataset.create: inputs is undefined; it must be an array of numbers.'],
  ['no features', { inputs: [1, 2], classes: [0] }, 'features = undefined; features must be a positive integer.'],
  [
    'rows of another width',
    { inputs: [[1, 2]], features: 3, classes: [0] },
    'inputs has rows of 2 numbers, but a sample has 3.',
  ],
  ['empty rows', { inputs: [[], []], classes: [0, 1] }, 'inputs has rows of 0 numbers, but a sample has at least 1.'],
  ['ragged rows', { inputs: [[1, 2], [3]], classes: [0, 1] }, 'inputs at row 1 has 1 numbers, but row 0 has 2.'],
  [
    'ragged targets',
    { inputs: [[1], [2]], targets: [[1], [2, 3]] },
    'targets at row 1 has 2 numbers, but row 0 has 1.',
  ],
  [
    'too many rows of targets',
    { inputs: [[1], [2]], targets: [[1], [2], [3]] },
    'targets has 3 rows, but there are 2 samples.',
  ],
  ['too few one-hot rows', { inputs: [[1], [2]], classes: [[0, 1]] }, 'there are 2 samples but 1 classes.'],
  [
    'names without names',
    { inputs: [[1]], targets: [[1, 0]], classNames: ['a'] },
    'classNames has 1 names, but the largest class is 1.',
  ],
  [
    'targets that are no list',
    { inputs: [[1]], targets: 1 },
    'Dataset.create: targets is 1; it must be an array of numbers.',
  ],
];
test.for(bad)('Dataset.create refuses %s', ([, options, message]) => {
  const before = device.memory;
  expect(() => Dataset.create(device, options as DatasetOptions)).toThrow(message);
  expect(() => Dataset.create(device, options as DatasetOptions)).toThrow(MlpError);
  expect(device.memory).toEqual(before);
});

/** Trainer of a model with two inputs. */
async function trainerOf(loss: ReturnType<typeof meanSquaredError>, outputs: number): Promise<[Mlp, Trainer]> {
  const model = await Mlp.create(device, { inputs: 2, layers: [dense(outputs)] });
  return [model, await model.trainer({ loss, optimizer, batchSize: 4 })];
}

/** The labels of the latest minibatch as the bits that were uploaded. */
function uploaded(trainer: Trainer): { readonly inputs: readonly number[]; readonly labels: readonly number[] } {
  const tensors = device.replays.at(-1)?.tensors ?? [];
  const find = (label: string): Tensor => tensors.find((tensor) => tensor.label === label) as Tensor;
  expect(trainer.batchSize).toBe(4);
  return { inputs: [...device.floats(find('batch inputs'))], labels: [...device.floats(find('batch labels'))] };
}

/** Float32 numbers with the bits of integers. */
const bitsOf = (...integers: number[]): readonly number[] => [...new Float32Array(Uint32Array.from(integers).buffer)];

test.for<[string, Numbers, Targets]>([
  ['flat', [1, 2, 3, 4], [1, 0]],
  [
    'nested',
    [
      [1, 2],
      [3, 4],
    ],
    [1, 0],
  ],
  ['typed', Float64Array.of(1, 2, 3, 4), BigInt64Array.of(1n, 0n)],
  [
    'a column of classes',
    [
      [1, 2],
      [3, 4],
    ],
    [[1], [0]],
  ],
  [
    'booleans',
    [
      [1, 2],
      [3, 4],
    ],
    [true, false],
  ],
])('step takes classes with softmax: %s', async ([, inputs, targets]) => {
  const [, trainer] = await trainerOf(softmaxCrossEntropy(), 3);
  await trainer.step(inputs, targets);
  const { inputs: X, labels } = uploaded(trainer);
  expect(X.slice(0, 4)).toEqual([1, 2, 3, 4]);
  expect(labels.slice(0, 2)).toEqual(bitsOf(1, 0));
});

test.for<[string, Targets]>([
  ['flat', [1, 0]],
  ['nested', [[1], [0]]],
  ['typed', Int8Array.of(1, 0)],
])('step takes targets of one output: %s', async ([, targets]) => {
  for (const loss of [meanSquaredError(), binaryCrossEntropy()]) {
    const [, trainer] = await trainerOf(loss, 1);
    await trainer.step([1, 2, 3, 4], targets);
    expect(uploaded(trainer).labels.slice(0, 2)).toEqual([1, 0]);
  }
});

test('step takes one-hot rows with softmax as probabilities, and booleans with a logistic output as classes', async () => {
  const [, softmaxTrainer] = await trainerOf(softmaxCrossEntropy(), 2);
  await softmaxTrainer.step(
    [1, 2, 3, 4],
    [
      [0, 1],
      [1, 0],
    ],
  );
  expect(uploaded(softmaxTrainer).labels.slice(0, 4)).toEqual([0, 1, 1, 0]);
  const [, logisticTrainer] = await trainerOf(binaryCrossEntropy(), 1);
  await logisticTrainer.step([1, 2, 3, 4], [true, false]);
  expect(uploaded(logisticTrainer).labels.slice(0, 2)).toEqual(bitsOf(1, 0));
});

const badSteps: readonly [string, unknown[], string][] = [
  [
    'a string in inputs',
    [
      [1, 2, 3, '4'],
      [0, 1],
    ],
    'inputs at row 1, column 1 is "4" (a string)',
  ],
  ['null as a class', [[1, 2], [null]], 'classes[0] is null; a class is an integer ≥ 0.'],
  ['a name', [[1, 2], ['cat']], 'targets has names of classes, which only a data set can number.'],
  ['inputs that are no list', [7, [0]], 'inputs is 7; it must be an array of numbers.'],
  ['targets that are no list', [[1, 2], 0], 'targets is 0; it must be an array of numbers.'],
  ['no targets', [[1, 2]], 'targets is undefined; it must be an array of numbers.'],
  ['a weight in quotes', [[1, 2], [0], ['1']], 'weights at row 0, column 0 is "1" (a string)'],
  ['rows of another width', [[[1, 2, 3]], [0]], 'inputs has rows of 3 numbers, but a sample has 2.'],
];
test.for(badSteps)('step, gradients and checkGradients refuse %s', async ([, args, message]) => {
  const [, trainer] = await trainerOf(softmaxCrossEntropy(), 3);
  const { length } = device.log;
  const [inputs, targets, weights] = args as [Numbers, Targets, Numbers?];
  await expect(trainer.step(inputs, targets, weights)).rejects.toThrow(`step: ${message}`);
  await expect(trainer.gradients(inputs, targets, weights)).rejects.toThrow(`gradients: ${message}`);
  await expect(trainer.checkGradients(inputs, targets, weights && { weights })).rejects.toThrow(
    `gradients: ${message}`,
  );
  expect(device.log.slice(length)).toEqual([]);
});

test.for<[unknown, string]>([
  [[1, '2'], 'predict: inputs at row 0, column 1 is "2" (a string)'],
  [[[1, 2], [3]], 'predict: inputs at row 1 has 1 numbers, but row 0 has 2.'],
  [[[1, 2, 3]], 'predict: inputs has rows of 3 numbers, but a sample has 2.'],
  [[1, 2, 3], 'predict: inputs has 3 numbers, not a multiple of the 2 features of a sample.'],
  [new ArrayBuffer(8), 'predict: inputs is an ArrayBuffer;'],
  [null, 'predict: inputs is null; it must be an array of numbers.'],
])('%#: predict refuses inputs', async ([inputs, message]) => {
  const [model] = await trainerOf(softmaxCrossEntropy(), 3);
  await expect(model.predict(inputs as Numbers)).rejects.toThrow(message);
  await expect(model.predict(inputs as Numbers)).rejects.toThrow(MlpError);
});

test('predict takes nested arrays', async () => {
  const [model] = await trainerOf(softmaxCrossEntropy(), 3);
  expect(
    await model.predict([
      [1, 2],
      [3, 4],
    ]),
  ).toHaveLength(6);
  expect(await model.predict(BigInt64Array.of(1n, 2n))).toHaveLength(3);
  expect(await model.predict([])).toHaveLength(0);
});

test('setWeights takes nested and other arrays, and refuses what is no finite float32 number', async () => {
  const [model] = await trainerOf(softmaxCrossEntropy(), 3);
  const bias = { name: '0.bias', data: Float64Array.of(1, 2, 3) };
  const set = (data: unknown): void => model.setWeights([{ name: '0.weight', data: data as Numbers }, bias]);
  set([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  const [weight] = await model.weights();
  expect([...(weight?.data ?? [])]).toEqual([1, 2, 3, 4, 5, 6]);
  for (const [data, message] of [
    [[1, 2, 3, 1e39, 5, 6], '0.weight at row 1, column 0 is 1e+39; it must be a finite float32 number.'],
    [[1, 2, 3, '4', 5, 6], '0.weight at row 1, column 0 is "4" (a string)'],
    [[1, 2, 3, null, 5, 6], '0.weight at row 1, column 0 is null'],
    [Float64Array.of(1, 2, 3, 4, 5, -1e39), '0.weight at row 1, column 2 is -1e+39'],
    [
      [
        [1, 2, 3],
        [4, 5],
      ],
      '0.weight at row 1 has 2 numbers, but row 0 has 3.',
    ],
    [undefined, 'setWeights: 0.weight is undefined; it must be an array of numbers.'],
    [[1, 2, 3], '0.weight is (2, 3), 6 values, but got 3.'],
  ] as const) {
    expect(() => set(data)).toThrow(message);
  }
  expect([...((await model.weights())[0]?.data ?? [])]).toEqual([1, 2, 3, 4, 5, 6]);
});

test('Tensor.from takes nested arrays, NaN and infinities, and no other types', () => {
  const nested = [
    [1, Number.NaN],
    [Number.POSITIVE_INFINITY, 4],
  ];
  expect([...device.floats(Tensor.from(device, nested, [2, 2]))]).toEqual(nested.flat());
  expect(() => Tensor.from(device, [1, '2'] as never, [2], 'A')).toThrow(
    'Tensor.from: "A" at row 0, column 1 is "2" (a string)',
  );
  expect(() => Tensor.from(device, new ArrayBuffer(8) as never, [2])).toThrow(
    'Tensor.from: "tensor" is an ArrayBuffer;',
  );
});

test('a stream takes names if it has their order, and refuses them otherwise', async () => {
  const options: StreamOptions = {
    length: 4,
    features: 2,
    read: (first, count) => ({
      inputs: Array.from({ length: count }, () => [1, 2]),
      classes: ['dog', 'cat', 'dog', 'cat'].slice(first, first + count),
    }),
  };
  const [, trainer] = await trainerOf(softmaxCrossEntropy(), 2);
  using unnamed = Dataset.stream(device, options);
  await expect(trainer.evaluate(unnamed)).rejects.toThrow('read(0, 1) gave names as classes. Pass { classNames } to');
  using named = Dataset.stream(device, { ...options, classNames: ['dog', 'cat'] });
  await trainer.evaluate(named);
  expect([named.classNames, named.classCount]).toEqual([['dog', 'cat'], 2]);
});
