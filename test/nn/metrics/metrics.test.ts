import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/base/random.js';
import {
  type Average,
  accuracy,
  auc,
  f1,
  type Metric,
  precision,
  recall,
  reduceOnPlateau,
  sgd,
  softmaxCrossEntropy,
  type Task,
} from '../../../src/index.js';
import { exact } from '../../reference/bounded.js';
import { scoreCounts } from '../../reference/score-counts.js';
import { errorOf, smallTraining } from '../../support/small-training.js';

const options = { loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 0.1 }), batchSize: 4 };

/** The value of a metric for the contents of its accumulator. */
function resultOf<Value>(metric: Metric<string, Value>, counts: ArrayLike<number>, task: Task, rows: number): Value {
  const accumulators = new Map(metric.accumulator && [[metric.accumulator, Float64Array.from(counts)]]);
  return metric.value({ loss: 0, weight: rows, correct: 0, rows, accumulators, tallies: accumulators }, task);
}

describe('averages over classes', () => {
  const task: Task = { link: 'softmax', outputs: 3 };
  /** The confusion matrix, row by row. */
  const matrixOf = (actual: readonly number[], predicted: readonly number[], classes = 3): number[] => {
    const counts = new Array<number>(classes * classes).fill(0);
    for (const [i, k] of actual.entries()) {
      const place = k * classes + (predicted[i] ?? 0);
      counts[place] = (counts[place] ?? 0) + 1;
    }
    return counts;
  };
  const average = (make: typeof f1 | typeof precision | typeof recall, counts: readonly number[], of: Average) =>
    resultOf(
      make({ average: of }),
      counts,
      counts.length === 4 ? { link: 'logistic', outputs: 1 } : task,
      counts.reduce((a, b) => a + b),
    );

  test("are those of the examples in scikit-learn's documentation", () => {
    const counts = matrixOf([0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1]);
    // f1_score, precision_score, recall_score: None gives [0.8, 0, 0], [0.66, 0, 0], [1, 0, 0].
    expect(resultOf(f1(), counts, task, 6)).toEqual([0.8, 0, 0]);
    expect((['macro', 'micro', 'weighted'] as const).map((of) => average(f1, counts, of))).toEqual([
      0.8 / 3,
      1 / 3,
      expect.closeTo(0.8 / 3, 15),
    ]);
    expect((['macro', 'micro', 'weighted'] as const).map((of) => average(precision, counts, of))).toEqual([
      2 / 9,
      1 / 3,
      expect.closeTo(2 / 9, 15),
    ]);
    expect((['macro', 'micro', 'weighted'] as const).map((of) => average(recall, counts, of))).toEqual([
      1 / 3,
      1 / 3,
      1 / 3,
    ]);
  });

  test('weighted counts samples, and macro classes that occur or are predicted', () => {
    // 6 of class 0, 2 of class 1, none of class 2, which is never predicted: F1 is 10/11 and 2/3.
    const counts = matrixOf([0, 0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 1, 1, 1]);
    expect(average(f1, counts, 'macro')).toBeCloseTo((10 / 11 + 4 / 5) / 2, 15);
    expect(average(f1, counts, 'weighted')).toBeCloseTo((6 * (10 / 11) + 2 * (4 / 5)) / 8, 15);
    // A class that is only predicted counts, with 0.
    const predicted = matrixOf([0, 0], [0, 2]);
    expect(average(recall, predicted, 'macro')).toBe(0.25);
    expect(average(precision, predicted, 'macro')).toBe(0.5);
    expect(average(precision, predicted, 'weighted')).toBe(1);
  });

  test('binary is the value of class 1 of two', () => {
    const counts = matrixOf([0, 0, 0, 1, 1], [0, 0, 1, 1, 0], 2);
    expect(average(precision, counts, 'binary')).toBe(1 / 2);
    expect(average(recall, counts, 'binary')).toBe(1 / 2);
    expect(average(f1, matrixOf([0, 1, 1], [0, 1, 1], 2), 'binary')).toBe(1);
    expect(f1({ average: 'binary' }).unfit(task)).toBe('has average "binary", but there are 3 classes. Use "macro"');
    expect(f1({ average: 'binary' }).unfit({ link: 'softmax', outputs: 2 })).toBeUndefined();
    expect(f1({ average: 'macro' }).unfit({ link: 'identity', outputs: 2 })).toContain('measures classes');
  });

  test('of no samples are 0', () => {
    const none = new Array<number>(9).fill(0);
    for (const of of ['macro', 'micro', 'weighted'] as const) expect(average(f1, none, of)).toBe(0);
  });

  test('that are not known are refused', () => {
    for (const make of [f1, precision, recall]) {
      for (const wrong of ['mean', null, 1, 'toString']) {
        expect(() => make({ average: wrong as Average })).toThrow(
          expect.objectContaining({
            code: 'bad-option',
            message: expect.stringContaining('"macro", "weighted", "micro" or "binary"'),
          }),
        );
      }
    }
    expect(() => f1({ average: 'mean' as Average })).toThrow('f1: average = "mean"; average must be "macro"');
    expect(() => f1({ avrage: 'macro' } as never)).toThrow('f1 has no option "avrage". Did you mean average?');
    expect(() => auc({ multiClass: 'ovo' } as never)).toThrow('auc has no option "multiClass".');
    expect(() => auc({ average: 'micro' as 'macro' })).toThrow('auc: average = "micro"');
  });
});

describe('the area under the ROC curve', () => {
  const binary: Task = { link: 'logistic', outputs: 1 };

  /** Its value from the scores of a model, by histograms as the GPU counts them, and half of the share of pairs in a bin. */
  function measured(metric: Metric<'auc'>, outputs: readonly number[], labels: Uint32Array | Float32Array, task: Task) {
    const shape = metric.accumulator?.shape(1, task) ?? [];
    const rows = outputs.length / task.outputs;
    const logistic = task.link === 'logistic';
    const { counts } = scoreCounts(exact([rows, task.outputs], outputs), labels, shape[2] ?? 0, rows, { logistic });
    const bins = shape[2] ?? 0;
    let shared = 0;
    for (let bin = 0; bin < bins; bin++) shared += (counts[bin] ?? 0) * (counts[bins + bin] ?? 0);
    const sums = [0, bins].map((start) => counts.subarray(start, start + bins).reduce((a, b) => a + b, 0));
    return {
      value: resultOf(metric, counts, task, rows),
      bound: shared / (2 * (sums[0] ?? 0) * (sums[1] ?? 0)),
      elements: counts.length,
    };
  }

  /** The share of pairs in the right order, pair by pair. */
  function exactArea(scores: ArrayLike<number>, positive: (row: number) => boolean): number {
    let right = 0;
    let pairs = 0;
    for (let i = 0; i < scores.length; i++) {
      for (let j = 0; j < scores.length; j++) {
        if (!positive(i) || positive(j)) continue;
        const [one = 0, other = 0] = [scores[i], scores[j]];
        right += one > other ? 1 : one === other ? 0.5 : 0;
        pairs += 1;
      }
    }
    return right / pairs;
  }

  test("is 0.75 in the example of scikit-learn's documentation, and counts equal scores half", () => {
    const logits = [0.1, 0.4, 0.35, 0.8].map((p) => Math.log(p / (1 - p)));
    const labels = Uint32Array.of(0, 0, 1, 1);
    expect(measured(auc(), logits, labels, binary).value).toBe(0.75);
    expect(measured(auc(), [1, 1, 1, 1], labels, binary).value).toBe(0.5);
    expect(measured(auc(), [1, 2, 2, 3], labels, binary).value).toBe(0.875);
    expect(measured(auc(), [3, 4, 1, 2], labels, binary).value).toBe(0);
  });

  test.for([
    { what: 'logits around 0', center: 0, deviation: 2, most: 1e-4 },
    { what: 'logits of a rare class, close together', center: -6, deviation: 0.1, most: 2e-3 },
    { what: 'logits of an overconfident model', center: 3, deviation: 200, most: 2e-4 },
    { what: 'logits of an untrained model', center: 0, deviation: 1e-2, most: 1e-2 },
  ])('is within half of the share of pairs in a bin of the exact one: $what', ({ center, deviation, most }) => {
    const random = new Random(5);
    const labels = Uint32Array.from({ length: 1000 }, () => random.integer(2));
    const logits = Float32Array.from(labels, (k) => center + deviation * (random.normal() + k));
    const { value, bound } = measured(auc(), [...logits], labels, binary);
    const expected = exactArea(logits, (row) => labels[row] === 1);
    expect(expected).toBeGreaterThan(0.7);
    expect(Math.abs(value - expected)).toBeLessThanOrEqual(bound + 1e-12);
    expect(bound).toBeLessThan(most);
  });

  test('of a softmax is that of each class against the others, and of two classes that of the second', () => {
    const random = new Random(6);
    const labels = Uint32Array.from({ length: 300 }, () => Math.min(2, random.integer(6)));
    const logits = Float32Array.from(
      { length: 900 },
      (_, i) => random.normal() + (labels[Math.floor(i / 3)] === i % 3 ? 1 : 0),
    );
    const areas = [0, 1, 2].map((k) => {
      const odds = Array.from({ length: 300 }, (_, row) => {
        const others = [0, 1, 2].filter((j) => j !== k).map((j) => Math.exp(logits[3 * row + j] ?? 0));
        return (logits[3 * row + k] ?? 0) - Math.log((others[0] ?? 0) + (others[1] ?? 0));
      });
      return exactArea(odds, (row) => labels[row] === k);
    });
    const counts = [0, 1, 2].map((k) => labels.filter((label) => label === k).length);
    const task: Task = { link: 'softmax', outputs: 3 };
    // 2¹⁴ bins are 1/1024 wide: of the 2·10⁴ pairs of a class, few are in one, and each of those is half of 5·10⁻⁵ off.
    expect(measured(auc(), [...logits], labels, task).value).toBeCloseTo(areas.reduce((a, b) => a + b) / 3, 3);
    const weighted = areas.reduce((sum, area, k) => sum + area * (counts[k] ?? 0), 0) / 300;
    expect(measured(auc({ average: 'weighted' }), [...logits], labels, task).value).toBeCloseTo(weighted, 3);
    expect(weighted).not.toBeCloseTo(areas.reduce((a, b) => a + b) / 3, 2);
    const two = measured(auc(), [1, 0, 0, 1, 5, 3], Uint32Array.of(0, 1, 1), { link: 'softmax', outputs: 2 });
    expect(two.value).toBe(0.5);
  });

  test('of several logistic outputs is the mean over the outputs', () => {
    const outputs = [1, 5, 2, 6, 3, 4];
    const labels = Float32Array.of(0, 0, 0, 1, 1, 0);
    // The first output is in perfect order, and of the second both pairs are.
    expect(measured(auc(), outputs, labels, { link: 'logistic', outputs: 2 }).value).toBe(1);
    const worse = measured(auc(), [1, 5, 2, 4, 3, 6], labels, { link: 'logistic', outputs: 2 });
    expect(worse.value).toBe(0.5);
  });

  test('leaves out classes without samples, and is NaN if none is left or an output is not finite', () => {
    const task: Task = { link: 'softmax', outputs: 3 };
    const absent = measured(auc(), [2, 1, 0, 1, 2, 0], Uint32Array.of(0, 1), task);
    expect(absent.value).toBe(1);
    expect(measured(auc(), [1, 2], Uint32Array.of(1, 1), binary).value).toBeNaN();
    expect(measured(auc(), [1, NaN, 3], Uint32Array.of(0, 1, 1), binary).value).toBeNaN();
    expect(
      auc().value({ loss: 0, weight: 0, correct: 0, rows: 0, accumulators: new Map(), tallies: new Map() }, task),
    ).toBeNaN();
  });

  test('takes a bounded memory, and is refused for values', () => {
    const elements = (outputs: number): number =>
      (auc().accumulator?.shape(64, { link: 'softmax', outputs }) ?? []).reduce((product, size) => product * size, 1);
    expect([2, 3, 10, 100, 1000].map(elements)).toEqual([
      2 ** 16,
      3 * 2 ** 15,
      10 * 2 ** 13,
      100 * 2 ** 11,
      1000 * 2 ** 11,
    ]);
    expect(auc().unfit({ link: 'identity', outputs: 1 })).toContain('measures classes');
    expect(auc().unfit({ link: 'softmax', outputs: 1 })).toContain('Use binaryCrossEntropy()');
    expect(auc().unfit({ link: 'logistic', outputs: 4 })).toBeUndefined();
  });
});

test('an average can be monitored by early stopping and by a schedule; values of classes cannot', async () => {
  const { model, data } = await smallTraining();
  const trained = async (metrics: readonly Metric<string, unknown>[], monitor: string) => {
    using trainer = await model.trainer({ ...options, metrics });
    return await trainer.fit(data, {
      epochs: 1,
      validation: data,
      earlyStopping: { monitor, mode: 'max' },
      schedule: reduceOnPlateau({ monitor, mode: 'max' }),
    });
  };
  const averaged = [f1({ average: 'macro' }), precision({ average: 'micro' }), recall({ average: 'weighted' }), auc()];
  for (const metric of averaged) {
    const [epoch] = await trained([metric], `validation.${metric.name}`);
    expect(epoch?.validation).toHaveProperty(metric.name, expect.any(Number));
  }
  expect(String(await errorOf(() => trained([f1(), accuracy()], 'validation.f1')))).toContain(
    'monitor = "validation.f1", which an epoch does not give. It gives ',
  );
});

test('two metrics of one name are refused, and one of them can have another name', async () => {
  const { model } = await smallTraining();
  await expect(model.trainer({ ...options, metrics: [f1(), f1({ average: 'macro' })] })).rejects.toThrow(
    expect.objectContaining({
      code: 'bad-metric',
      message: 'trainer: two metrics are named "f1". Rename one: { ...metric, name: "other" }.',
    }),
  );
  const macroF1 = { ...f1({ average: 'macro' }), name: 'macroF1' as const };
  using trainer = await model.trainer({ ...options, metrics: [f1(), macroF1] });
  expect(trainer.batchSize).toBe(4);
});
