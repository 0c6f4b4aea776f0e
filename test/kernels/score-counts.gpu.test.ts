import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.js';
import { type ScoreCountsForm, scoreCounts, Tensor } from '../../src/kernels.js';
import { type Bounded, exact } from '../reference/bounded.js';
import * as reference from '../reference/score-counts.js';
import { randomMatrix, sharedGpu, upload } from '../support/gpu.js';
import { labelTensor, randomClasses, randomNumbers, randomProbabilities, scattered } from '../support/labels.js';

const BINS = 64;

async function onGpu(
  outputs: Bounded,
  labels: Uint32Array | Float32Array,
  rows: number,
  form: ScoreCountsForm = {},
  order?: Uint32Array,
): Promise<Uint32Array> {
  const gpu = await sharedGpu();
  const [batch, columns] = outputs.shape;
  const scores = columns === 2 && form.logistic !== true ? 1 : columns;
  const counts = Tensor.empty(gpu, [scores, 2, BINS], 'counts', 'u32');
  const order32 = Tensor.empty(gpu, [order?.length ?? 1], 'order', 'u32');
  order32.write(Uint32Array.from(order ?? [0]));
  const stored = labelTensor(gpu, labels, order?.length ?? batch, randomNumbers(order?.length ?? batch, 0, 1, 1));
  const source = order === undefined ? stored : { labels: stored, order: order32 };
  const step = { first: order === undefined ? 0 : 2, rows, index: 0, learning_rate: 0 };
  gpu.run([scoreCounts(upload(gpu, outputs), source, counts, step, form)]);
  return await counts.read();
}

const shapes = [
  { batch: 1, columns: 2, rows: 1, because: 'the smallest' },
  { batch: 70, columns: 10, rows: 70, because: 'two workgroups' },
  { batch: 67, columns: 3, rows: 41, because: 'a partial batch' },
];
const labelsOf = {
  indices: randomClasses,
  probabilities: randomProbabilities,
  numbers: (rows: number, columns: number, seed: number) => randomNumbers(rows * columns, 0, 1, seed),
};
const forms = [
  { kind: 'indices', form: {} },
  { kind: 'probabilities', form: {} },
  { kind: 'numbers', form: { logistic: true } },
] as const;
test.for(forms.flatMap((form) => shapes.map((shape) => ({ ...form, ...shape }))))(
  '$kind, $form, ($batch, $columns), $rows valid: $because',
  async ({ kind, form, batch, columns, rows }) => {
    const outputs = randomMatrix(batch, columns, 4, 6);
    const labels = labelsOf[kind](batch, columns, 2);
    const { counts, doubtful } = reference.scoreCounts(outputs, labels, BINS, rows, form);
    expect(doubtful, 'another seed leaves no score near a border').toBe(0);
    expect(await onGpu(outputs, labels, rows, form)).toEqual(counts);
  },
);

test('scores do not saturate: of a row with odds of e³⁰⁰ and less, each class is in its own bin', async () => {
  const outputs = exact([2, 3], [300, -1, -2, 17, 301, -4.5]);
  const labels = Uint32Array.of(0, 2);
  const { counts, doubtful } = reference.scoreCounts(outputs, labels, BINS);
  expect(doubtful).toBe(0);
  const found = await onGpu(outputs, labels, 2);
  expect(found).toEqual(counts);
  expect(found.reduce((sum, count) => sum + count, 0)).toBe(6);
});

test('one logistic output with class indices; scores that are not finite do not count', async () => {
  const outputs = exact([5, 1], [-1, 3, Infinity, NaN, -Infinity]);
  const { counts } = reference.scoreCounts(outputs, Uint32Array.of(1, 0, 1, 0, 1), BINS, 5, { logistic: true });
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2);
  expect(await onGpu(outputs, Uint32Array.of(1, 0, 1, 0, 1), 5, { logistic: true })).toEqual(counts);
});

test('labels of a data set are those of the samples that the batch takes', async () => {
  const outputs = randomMatrix(9, 4, 4);
  const labels = randomClasses(9, 4, 6);
  const order = new Random(2).shuffled(20);
  expect(await onGpu(outputs, scattered(labels, 9, order, 2), 7, {}, order)).toEqual(await onGpu(outputs, labels, 7));
});

test('counts of another shape are refused', async () => {
  const gpu = await sharedGpu();
  const labels = Tensor.empty(gpu, [2, 1], 'labels', 'u32');
  const step = { first: 0, rows: 2, index: 0, learning_rate: 0 };
  const run = (columns: number, shape: number[], form?: ScoreCountsForm): unknown =>
    scoreCounts(Tensor.empty(gpu, [2, columns]), labels, Tensor.empty(gpu, shape, 'counts', 'u32'), step, form);
  expect(() => run(3, [1, 2, 8])).toThrow('counts must be (3, 2, bins)');
  expect(() => run(2, [2, 2, 8])).toThrow('counts must be (1, 2, bins)');
  expect(() => run(1, [1, 2, 8])).toThrow('for at least two columns without logistic');
  expect(() => run(1, [1, 3, 8], { logistic: true })).toThrow('counts must be (1, 2, bins)');
});
