import { describe, expect, test } from 'vitest';
import { TrainingHistory, thinned } from '../../demo/history.ts';
import { checkSettings, DEFAULT_FIELDS, type Fields, readAddress } from '../../demo/settings.ts';
import { Speedometer } from '../../demo/speedometer.ts';

describe('settings as they are typed', () => {
  test('the defaults are the recipe of the README', () => {
    expect(checkSettings(DEFAULT_FIELDS)).toEqual({
      ok: true,
      settings: { layers: [400, 200], activation: 'relu', rate: 0.2, momentum: 0.5, batch: 128, epochs: 3, seed: 1 },
    });
  });

  test('no hidden layer is a model too', () => {
    expect(checkSettings({ ...DEFAULT_FIELDS, layers: ' ' })).toMatchObject({ ok: true, settings: { layers: [] } });
  });

  const faults: Partial<Fields>[] = [
    { layers: '400,' },
    { layers: '0' },
    { layers: '1.5' },
    { layers: '400;200' },
    { layers: '1,1,1,1,1,1,1,1,1' },
    { activation: 'rleu' },
    { rate: '0' },
    { rate: '' },
    { rate: 'fast' },
    { momentum: '1' },
    { momentum: '-0.1' },
    { batch: '0' },
    { batch: '12.5' },
    { epochs: '101' },
    { seed: '-1' },
    { seed: '4294967296' },
  ];
  test.each(faults)('%o is refused, and only that field is named', (fault) => {
    const checked = checkSettings({ ...DEFAULT_FIELDS, ...fault });
    if (checked.ok) throw new Error('It was accepted.');
    expect(Object.keys(checked.problems)).toEqual(Object.keys(fault));
  });
});

describe("the page's address", () => {
  test('says nothing', () => {
    const options = { fields: DEFAULT_FIELDS, autostart: false, headless: false, limit: Number.POSITIVE_INFINITY };
    expect(readAddress('')).toEqual(options);
  });

  test('asks for a headless run', () => {
    const options = readAddress('?headless=1&epochs=1&layers=128&seed=7&batch=64&rate=0.1&momentum=0.9&limit=2000');
    expect(options).toMatchObject({ headless: true, autostart: true, limit: 2000 });
    expect(checkSettings(options.fields)).toMatchObject({
      settings: { layers: [128], rate: 0.1, momentum: 0.9, batch: 64, epochs: 1, seed: 7 },
    });
  });
});

describe('points of a curve', () => {
  test('the first means are true means, later ones forget', () => {
    const history = new TrainingHistory();
    for (let step = 1; step <= 400; step++) history.add({ step, loss: step <= 200 ? 2 : 1, accuracy: 0.5 });
    const means = history.points.map(({ meanLoss }) => meanLoss);
    expect(means.slice(0, 200).every((mean) => Math.abs(mean - 2) < 1e-12)).toBe(true);
    expect(means[220]).toBeGreaterThan(1.2);
    expect(means[399]).toBeCloseTo(1, 3);
  });

  test('test values join the last report', () => {
    const history = new TrainingHistory();
    history.add({ step: 3, loss: 2, accuracy: 0.2 });
    history.add({ step: 6, loss: 1, accuracy: 0.6 });
    history.addTest(0.9, 0.7);
    expect(history.points.map(({ step, testLoss }) => [step, testLoss])).toEqual([
      [3, undefined],
      [6, 0.9],
    ]);
  });

  test('a table keeps every test value and the last point', () => {
    const history = new TrainingHistory();
    for (let step = 1; step <= 1000; step++) {
      history.add({ step, loss: 1, accuracy: 0.5 });
      if (step === 333) history.addTest(1, 0.5);
    }
    const kept = thinned(history.points, 20).map(({ step }) => step);
    expect(kept.length).toBeLessThan(25);
    expect(kept).toContain(333);
    expect(kept.at(-1)).toBe(1000);
  });
});

describe('samples per second', () => {
  test('come from the last two seconds, in bunches or not', () => {
    const speedometer = new Speedometer();
    expect(speedometer.read(0, 128)).toBe(0);
    expect(speedometer.read(0, 256)).toBe(0);
    expect(speedometer.read(500, 628)).toBe(1000);
    for (let time = 1000; time <= 10_000; time += 500) speedometer.read(time, 2 * time);
    expect(speedometer.read(10_500, 21_000)).toBe(2000);
  });
});
