import { describe, expect, test } from 'vitest';
import { DataError, Dataset, type DatasetOptions } from '../../src/index.js';
import { FakeDevice } from '../support/fake-device.js';
import { smallTraining } from '../support/small-training.js';

const make = (device: FakeDevice, options: Partial<DatasetOptions>): Dataset =>
  Dataset.create(device, { inputs: [10, 11, 12, 13], features: 1, ...options });

describe('ignoreClass', () => {
  test.for<[what: string, classes: DatasetOptions['classes'], ignoreClass: number | string, classCount: number]>([
    ['255', [0, 255, 1, 255], 255, 2],
    ['−100, as in PyTorch', [0, -100, 1, -100], -100, 2],
    ['bigints', BigInt64Array.of(0n, -1n, 1n, -1n), -1, 2],
    ['names', ['a', '?', 'b', '?'], '?', 2],
  ])('leaves samples out: %s', ([, classes, ignoreClass, classCount]) => {
    const device = new FakeDevice();
    const data = make(device, { ...(classes && { classes }), ignoreClass });
    expect([data.length, data.classCount, [...data.rows]]).toEqual([2, classCount, [0, 2]]);
    expect(data.split(0.5).map(({ length }) => length)).toEqual([1, 1]);
  });

  test('does nothing if no sample has it, and refuses a set of such samples alone', () => {
    const device = new FakeDevice();
    expect(make(device, { classes: [0, 1, 2, 0], ignoreClass: 255 }).length).toBe(4);
    expect(() => make(device, { classes: [7, 7, 7, 7], ignoreClass: 7 })).toThrow(DataError);
    expect(() => make(device, { classes: [7, 7, 7, 7], ignoreClass: 7 })).toThrow('every sample has ignoreClass, 7.');
    expect(() => make(device, { classes: [0, -1, -2, 0], ignoreClass: -1 })).toThrow('classes[2] is -2; a class is');
  });

  test('steps take only the other samples, streamed or not', async () => {
    const on = await smallTraining();
    const classes = Array.from({ length: 22 }, (_, row) => (row % 2 === 0 ? 255 : row % 3));
    for (const more of [{}, { chunk: 4 }]) {
      const data = Dataset.create(on.device, {
        inputs: new Float32Array(110),
        features: 5,
        classes,
        ignoreClass: 255,
        ...more,
      });
      on.device.replays.length = 0;
      await on.trainer.fit(data, { epochs: 1 });
      const steps = on.device.replays.filter(({ what }) => what === 'fit').map(({ step }) => step?.rows);
      // 11 of 22 samples, in batches of 4.
      expect(steps).toEqual([4, 4, 3]);
    }
  });

  test('of a table drops the rows', async () => {
    const device = new FakeDevice();
    const data = await Dataset.fromCsv(device, 'x,y\n1,0\n2,-1\n3,1', { target: 'y', ignoreClass: -1 });
    expect([data.length, data.classCount, data.classNames]).toEqual([2, 2, undefined]);
  });
});

describe('firstClass', () => {
  test('numbers classes from it, and names them', () => {
    const device = new FakeDevice();
    const data = make(device, { classes: [1, 3, 2, 1], firstClass: 1 });
    expect([data.classCount, data.classNames, [...(data.rowClasses ?? [])]]).toEqual([
      3,
      ['1', '2', '3'],
      [0, 2, 1, 0],
    ]);
    const named = make(device, { classes: [-1, 0, 1, 0], firstClass: -1, classNames: ['lose', 'draw', 'win'] });
    expect([named.classCount, named.classNames]).toEqual([3, ['lose', 'draw', 'win']]);
    const both = make(device, { classes: [0, 1, 2, 0], firstClass: 1, ignoreClass: 0 });
    expect([both.length, both.classCount]).toEqual([2, 2]);
  });

  test('of a table', async () => {
    const device = new FakeDevice();
    const data = await Dataset.fromCsv(device, 'x,y\n1,2\n2,1\n3,3', { target: 'y', firstClass: 1 });
    expect([[...(data.rowClasses ?? [])], data.classNames]).toEqual([
      [1, 0, 2],
      ['1', '2', '3'],
    ]);
    await expect(Dataset.fromCsv(device, 'x,y\n1,2\n2,0', { target: 'y', firstClass: 1 })).rejects.toThrow(
      'line 3, column "y" is "0"; with firstClass = 1, a class is an integer ≥ 1.',
    );
  });

  test('refuses labels below it, and texts', () => {
    const device = new FakeDevice();
    const message = 'classes[2] is 0; with firstClass = 1, a class is an integer ≥ 1.';
    expect(() => make(device, { classes: [1, 2, 0, 1], firstClass: 1 })).toThrow(message);
    expect(() => make(device, { classes: ['a', 'b', 'a', 'b'], firstClass: 1 })).toThrow(
      'classes[0] is "a" (a string)',
    );
    expect(() => make(device, { classes: [1, 2, 3, 1], firstClass: 0.5 })).toThrow(
      'classes[0] is 1; with firstClass = 0.5',
    );
  });

  test('labels from 1 that are one too many for the outputs: the message has the remedy', async () => {
    const on = await smallTraining();
    const classes = Array.from({ length: 22 }, (_, row) => 1 + (row % 3));
    const options = { inputs: new Float32Array(110), features: 5, classes };
    const fitting = on.trainer.fit(Dataset.create(on.device, options), { epochs: 1 });
    await expect(fitting).rejects.toThrow(
      'the largest class is 3, but the model has 3 outputs, for classes 0 to 2. If the labels begin at 1, make the data set with { firstClass: 1 }.',
    );
    await on.trainer.fit(Dataset.create(on.device, { ...options, firstClass: 1 }), { epochs: 1 });
    const zero = Dataset.create(on.device, { ...options, classes: classes.with(0, 0) });
    await expect(on.trainer.fit(zero, { epochs: 1 })).rejects.toThrow(/for classes 0 to 2\.$/);
  });
});
