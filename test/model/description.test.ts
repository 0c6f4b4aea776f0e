import { describe, expect, test } from 'vitest';
import { readSafetensors, writeSafetensors } from '../../src/base/safetensors.js';
import {
  adam,
  DataError,
  Dataset,
  dense,
  FormatError,
  Mlp,
  MlpError,
  type ModelOptions,
  meanSquaredError,
  sgd,
  softmaxCrossEntropy,
  type TableOptions,
  type Trainer,
} from '../../src/index.js';
import { FakeDevice } from '../support/fake-device.js';

const fruits = [
  { size: 3, color: 'red', kind: 'plum' },
  { size: 9, color: 'green', kind: 'melon' },
  { size: 6, color: 'red', kind: 'apple' },
];
const options: TableOptions = { target: 'kind', categories: ['color'], missing: 'mean' };
const layers = [dense(3)];
const loss = softmaxCrossEntropy();
const optimizer = sgd({ learningRate: 0.1 });

const fruitsOn = (device: FakeDevice, rows: readonly object[] = fruits): Promise<Dataset> =>
  Dataset.fromRows(device, rows, options);

/** A model of a number of inputs with three classes, and its trainer. */
async function classifier(
  device: FakeDevice,
  more: Partial<ModelOptions> = {},
): Promise<{ model: Mlp; trainer: Trainer }> {
  const model = await Mlp.create(device, { inputs: 3, layers, ...more });
  return { model, trainer: await model.trainer({ loss, optimizer, batchSize: 2 }) };
}

/** A data set of three samples of the given names. */
const named = (device: FakeDevice, classNames: readonly string[] | undefined, features = 3): Dataset =>
  Dataset.create(device, {
    inputs: new Float32Array(3 * features),
    features,
    classes: [0, 1, 0],
    ...(classNames && { classNames }),
  });

describe('a model learns class names and encoder from the training set', () => {
  test('and predicts names of rows of objects, also after save and load', async () => {
    const device = new FakeDevice();
    const { model, trainer } = await classifier(device);
    const data = await fruitsOn(device);
    await expect(model.predict(fruits)).rejects.toThrow('inputs are objects, but the model does not know the columns');
    await expect(model.predict([1, 2, 3], { output: 'names' })).rejects.toThrow('the model has no class names');
    expect(model.spec).not.toHaveProperty('classNames');
    await trainer.fit(data, { epochs: 1 });
    expect(model.spec).toMatchObject({ classNames: ['apple', 'melon', 'plum'], encoder: data.encoder });
    const again = await Mlp.load(device, await model.save());
    expect(again.spec).toEqual(model.spec);
    for (const each of [model, again]) {
      device.log.length = 0;
      // A fake device computes class 0 of everything.
      expect(await each.predict([{ color: 'red' }, { size: 1, color: 'green' }], { output: 'names' })).toEqual([
        'apple',
        'apple',
      ]);
      expect(device.log).toContain('write inputs');
    }
    await expect(again.predict([{ size: 1, color: 'blue' }])).rejects.toThrow(
      'predict: row 0, column "color" is "blue" (a string), which is not one of the 2 categories of the training set: "red", "green".',
    );
    // The spec of a loaded model encodes a further table.
    const more = await Dataset.fromRows(device, [{ size: 1, color: 'green', kind: 'plum' }], { like: again.spec });
    expect([more.classNames, more.encoder]).toEqual([data.classNames, data.encoder]);
  });

  test('given to Mlp.create, they are those of the model from the beginning', async () => {
    const device = new FakeDevice();
    const { encoder } = await fruitsOn(device);
    if (encoder === undefined) throw new Error('no encoder');
    const { model } = await classifier(device, { encoder, classNames: ['a', 'b'] });
    expect(model.spec).toMatchObject({ encoder, classNames: ['a', 'b'] });
    expect(await model.predict(fruits, { output: 'names' })).toEqual(['a', 'a', 'a']);
  });

  test('what it has learned stays, and a longer list with the same beginning is learned', async () => {
    const device = new FakeDevice();
    const { model, trainer } = await classifier(device);
    for (const [names, learned] of [
      [
        ['cat', 'dog'],
        ['cat', 'dog'],
      ],
      [undefined, ['cat', 'dog']],
      [
        ['cat', 'dog', 'cow'],
        ['cat', 'dog', 'cow'],
      ],
      [
        ['cat', 'dog'],
        ['cat', 'dog', 'cow'],
      ],
    ] as const) {
      await trainer.fit(named(device, names), { epochs: 1 });
      expect(model.spec.classNames).toEqual(learned);
    }
  });

  test('a checkpoint has them too, and restores them', async () => {
    const device = new FakeDevice();
    const { trainer } = await classifier(device);
    await trainer.fit(await fruitsOn(device), { epochs: 1 });
    const bytes = await trainer.checkpoint();
    const fresh = await classifier(device);
    await fresh.trainer.restore(bytes);
    expect(fresh.model.spec.classNames).toEqual(['apple', 'melon', 'plum']);
    expect(await fresh.model.predict(fruits, { output: 'names' })).toHaveLength(3);
    // A trainer that has learned restores a checkpoint of the time before.
    const before = await classifier(device);
    const early = await before.trainer.checkpoint();
    await trainer.restore(early);
  });
});

describe('sets that number their classes in another way are refused, with both lists', () => {
  const lists: readonly [what: string, names: readonly string[], message: string][] = [
    ['another order', ['dog', 'cat'], 'has the classes "dog", "cat", but WHAT has "cat", "dog", in another order.'],
    ['another name', ['cat', 'cow'], 'has the classes "cat", "cow", but WHAT has "cat", "dog".'],
  ];
  test.for(lists)('%s', async ([, names, message]) => {
    const device = new FakeDevice();
    const [train, other] = [named(device, ['cat', 'dog']), named(device, names)];
    const { trainer } = await classifier(device);
    const asValidation = trainer.fit(train, { epochs: 1, validation: other });
    await expect(asValidation).rejects.toThrow(
      `fit: the validation set ${message.replace('WHAT', 'the training set')}`,
    );
    await expect(asValidation).rejects.toBeInstanceOf(DataError);
    expect(device.replays).toEqual([]);
    await trainer.fit(train, { epochs: 1 });
    const ofModel = message.replace('WHAT', 'the model');
    await expect(trainer.evaluate(other)).rejects.toThrow(`evaluate: the data set ${ofModel}`);
    await expect(trainer.fit(other, { epochs: 1 })).rejects.toThrow(`fit: the data set ${ofModel}`);
    await expect(trainer.diagnose(other)).rejects.toThrow(ofModel);
    await expect(trainer.lossSurface(other)).rejects.toThrow(ofModel);
    await trainer.evaluate(named(device, undefined));
  });

  test('CSV of train `cat, dog` and test `dog, cat`; with like they agree', async () => {
    const device = new FakeDevice();
    const train = await Dataset.fromCsv(device, 'x,kind\n1,cat\n2,dog', { target: 'kind' });
    const text = 'x,kind\n2,dog\n1,cat';
    const { trainer } = await classifier(device, { inputs: 1 });
    const test = await Dataset.fromCsv(device, text, { target: 'kind' });
    await expect(trainer.fit(train, { epochs: 1, validation: test })).rejects.toThrow('in another order');
    const again = await Dataset.fromCsv(device, text, { like: train });
    await trainer.fit(train, { epochs: 1, validation: again });
  });

  test.for<[what: string, rows: readonly object[], message: string]>([
    [
      'categories',
      [{ size: 1, color: 'green', kind: 'plum' }, ...fruits],
      'column "color" of the data set has the categories "green", "red", but that of the model has "red", "green".',
    ],
    [
      'columns',
      fruits.map(({ size, color, kind }) => ({ kind, color, size })),
      'has the columns "color", "size", but the model has "size", "color", in another order.',
    ],
  ])('so are %s', async ([, rows, message]) => {
    const device = new FakeDevice();
    const { trainer } = await classifier(device);
    const train = await fruitsOn(device);
    await trainer.fit(train, { epochs: 1 });
    await expect(trainer.evaluate(await fruitsOn(device, rows))).rejects.toThrow(message);
    await trainer.evaluate(await Dataset.fromRows(device, rows, { like: train }));
  });

  test('an encoder that is not that of the samples', async () => {
    const device = new FakeDevice();
    const { encoder } = await fruitsOn(device);
    if (encoder === undefined) throw new Error('no encoder');
    const data = Dataset.create(device, { inputs: [1, 2, 3, 4], features: 2, classes: [0, 1], encoder });
    const { trainer } = await classifier(device, { inputs: 2 });
    await expect(trainer.fit(data, { epochs: 1 })).rejects.toThrow('makes 3 inputs of a row, but a sample has 2.');
  });
});

const encoder = {
  columns: [{ name: 'a', categories: ['x', 'y'] }, { name: 'b' }],
  targets: ['c'],
  type: 'class' as const,
};
const bad: readonly [what: string, options: object, message: string][] = [
  ['names that are none', { classNames: 'cat' }, 'classNames is "cat" (a string); it must be an array of strings'],
  ['a name twice', { classNames: ['a', 'a'] }, 'all different and not empty'],
  [
    'more names than classes',
    { classNames: ['a', 'b', 'c', 'd'] },
    'classNames has 4 names, but the model tells only 3 classes apart.',
  ],
  ['an encoder that is none', { encoder: {} }, 'encoder is not that of a data set.'],
  ['an encoder of another type', { encoder: { ...encoder, type: 'x' } }, 'encoder is not that of a data set.'],
  ['a column without a name', { encoder: { ...encoder, columns: [{}] } }, 'encoder.columns[0] is not a column'],
  [
    'means that do not fit',
    { encoder: { ...encoder, columns: [{ name: 'a', means: [1, 2] }] } },
    'encoder.columns[0] is not a column',
  ],
  [
    'another number of inputs',
    { encoder: { ...encoder, columns: encoder.columns.slice(1) } },
    'the encoder makes 1 inputs of a row, but the model has 3.',
  ],
  [
    'an unknown word',
    { targets: 'normalize' },
    'targets is "normalize" (a string); it must be "standardize", or { mean, std }',
  ],
  ['a number', { targets: 1 }, 'targets is 1; it must be'],
  ['too few means', { targets: { mean: [1], std: 1 } }, 'with a finite number for each of the 3 outputs, and std > 0.'],
  ['a deviation of 0', { targets: { mean: 0, std: 0 } }, 'and std > 0.'],
  ['a mean that is no number', { targets: { mean: '1', std: 1 } }, 'with a finite number'],
];

test.for(bad)('Mlp.create refuses %s, and so does Mlp.load', async ([, given, message]) => {
  const device = new FakeDevice();
  const made = Mlp.create(device, { inputs: 3, layers, ...given });
  await expect(made).rejects.toThrow(/^Mlp\.create: /);
  await expect(made).rejects.toThrow(message);
  await expect(made).rejects.toMatchObject({ code: 'bad-option' });
  const model = await Mlp.create(device, { inputs: 3, layers });
  const { tensors } = readSafetensors(await model.save(), 'x');
  const json = JSON.stringify({ version: 1, spec: { ...model.spec, ...given } });
  const file = writeSafetensors({ tensors, metadata: new Map([['webgpu-mlp', json]]) });
  const loaded = Mlp.load(device, file);
  await expect(loaded).rejects.toBeInstanceOf(FormatError);
  await expect(loaded).rejects.toThrow(message);
});

test('targets are standardized only where values are learned', async () => {
  const device = new FakeDevice();
  await expect(
    Mlp.create(device, { inputs: 3, layers: [dense(3, 'softmax')], targets: 'standardize' }),
  ).rejects.toThrow('the last layer has activation softmax or sigmoid. Use a linear last layer.');
  const model = await Mlp.create(device, { inputs: 3, layers, targets: 'standardize' });
  expect(model.spec).toMatchObject({ targets: 'standardize', link: 'identity' });
  await expect(model.trainer({ loss, optimizer, batchSize: 2 })).rejects.toThrow(
    'trainer: the model standardizes its targets, but the loss is softmaxCrossEntropy. Use meanSquaredError(), or a model without targets.',
  );
});

test('a model without statistics of its targets says so, before GPU work', async () => {
  const device = new FakeDevice();
  const model = await Mlp.create(device, { inputs: 3, layers, targets: 'standardize' });
  const trainer = await model.trainer({ loss: meanSquaredError(), optimizer: adam(), batchSize: 2 });
  const [x, y] = [
    [1, 2, 3],
    [4, 5, 6],
  ];
  const data = Dataset.create(device, { inputs: x, features: 3, targets: y });
  const unknown = 'the model standardizes its targets, but has seen none yet.';
  await expect(model.predict(x)).rejects.toThrow(
    `predict: ${unknown} Train it with fit, or pass { targets: { mean, std } }`,
  );
  await expect(trainer.evaluate(data)).rejects.toThrow(`evaluate: ${unknown} Call fit first`);
  await expect(trainer.step(x, y)).rejects.toThrow(`step: ${unknown}`);
  await expect(trainer.gradients(x, y)).rejects.toThrow(`gradients: ${unknown}`);
  await expect(model.predict(x)).rejects.toBeInstanceOf(MlpError);
  expect(device.replays).toEqual([]);
  expect(await model.predict(x, { output: 'logits' })).toHaveLength(3);
});

test('a checkpoint has the statistics of targets; those of other data are refused', async () => {
  const device = new FakeDevice();
  const make = async (
    targets: 'standardize' | { mean: number; std: number },
  ): Promise<{ model: Mlp; trainer: Trainer }> => {
    const model = await Mlp.create(device, { inputs: 3, layers, targets });
    return { model, trainer: await model.trainer({ loss: meanSquaredError(), optimizer, batchSize: 2 }) };
  };
  const { trainer } = await make({ mean: 17_000, std: 101 });
  const bytes = await trainer.checkpoint();
  const fresh = await make('standardize');
  await fresh.trainer.restore(bytes);
  expect(fresh.model.spec.targets).toEqual({ mean: [17_000, 17_000, 17_000], std: [101, 101, 101] });
  // The mean of a fake device's zeros, in the units of the targets.
  expect(await fresh.model.predict([1, 2, 3])).toEqual(Float32Array.of(17_000, 17_000, 17_000));
  const other = await make({ mean: 17_000, std: 100 });
  await expect(other.trainer.restore(bytes)).rejects.toMatchObject({
    code: 'other-training',
    message: expect.stringContaining(
      'the checkpoint has targets = {"mean":[17000,17000,17000],"std":[101,101,101]}, but this model has',
    ),
  });
});
