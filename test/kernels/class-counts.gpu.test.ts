import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.js';
import { type ClassCountsForm, classCounts, Tensor } from '../../src/kernels.js';
import { type Bounded, exact } from '../reference/bounded.js';
import * as reference from '../reference/class-counts.js';
import { randomMatrix, sharedGpu, upload } from '../support/gpu.js';
import { labelTensor, randomClasses, randomNumbers, randomProbabilities, scattered } from '../support/labels.js';

async function onGpu(
  outputs: Bounded,
  labels: Uint32Array | Float32Array,
  rows: number,
  form: ClassCountsForm = {},
  order?: Uint32Array,
): Promise<number[]> {
  const gpu = await sharedGpu();
  const [batch, columns] = outputs.shape;
  const classes = form.topK === undefined ? (form.logistic === true ? 2 : columns) : 1;
  const counts = Tensor.empty(gpu, [classes, classes], 'counts', 'u32');
  const order32 = Tensor.empty(gpu, [order?.length ?? 1], 'order', 'u32');
  order32.write(Uint32Array.from(order ?? [0]));
  const stored = labelTensor(gpu, labels, order?.length ?? batch, randomNumbers(order?.length ?? batch, 0, 1, 1));
  const source = order === undefined ? stored : { labels: stored, order: order32 };
  const step = { first: order === undefined ? 0 : 2, rows, index: 0, learning_rate: 0 };
  gpu.run([classCounts(upload(gpu, outputs), source, counts, step, form)]);
  return [...(await counts.read())];
}

/** Few different numbers, so that many are equal. */
function ties(batch: number, columns: number): Bounded {
  const random = new Random(3);
  return exact(
    [batch, columns],
    Array.from({ length: batch * columns }, () => random.integer(4)),
  );
}

const shapes = [
  { batch: 1, columns: 2, rows: 1, because: 'the smallest' },
  { batch: 130, columns: 10, rows: 130, because: 'three workgroups' },
  { batch: 67, columns: 7, rows: 41, because: 'a partial batch' },
];
const forms: (ClassCountsForm & { what: string })[] = [
  { what: 'matrix' },
  { what: 'top 1', topK: 1 },
  { what: 'top 2', topK: 2 },
];
for (const kind of ['indices', 'probabilities'] as const) {
  test.for(forms.flatMap((form) => shapes.map((shape) => ({ ...form, ...shape }))))(
    `$what of ${kind}, ($batch, $columns), $rows valid: $because`,
    async ({ topK, batch, columns, rows }) => {
      const labels = kind === 'indices' ? randomClasses(batch, columns, 2) : randomProbabilities(batch, columns, 2);
      const form = topK === undefined ? {} : { topK };
      for (const outputs of [randomMatrix(batch, columns, 4), ties(batch, columns)]) {
        expect(await onGpu(outputs, labels, rows, form)).toEqual([
          ...reference.classCounts(outputs, labels, rows, form),
        ]);
      }
    },
  );
}

test('by hand: rows are what is, columns what is predicted', async () => {
  const outputs = exact([4, 3], [5, 1, 1, 5, 1, 1, 0, 2, 2, 0, 1, 9]);
  expect(await onGpu(outputs, Uint32Array.of(0, 2, 2, 2), 4)).toEqual([1, 0, 0, 0, 0, 0, 1, 1, 1]);
  expect(await onGpu(outputs, Uint32Array.of(0, 2, 2, 2), 4, { topK: 1 })).toEqual([2]);
  expect(await onGpu(outputs, Uint32Array.of(0, 2, 2, 2), 4, { topK: 2 })).toEqual([3]);
});

test.for(['indices', 'numbers'])('one logistic output has two classes: %s', async (kind) => {
  const outputs = exact([5, 1], [0.1, -3, 0, 2, -1]);
  const labels = kind === 'indices' ? Uint32Array.of(1, 1, 0, 1, 0) : Float32Array.of(0.5, 1, 0.4, 1, 0);
  expect(await onGpu(outputs, labels, 5, { logistic: true })).toEqual([1, 1, 1, 2]);
  expect(await onGpu(outputs, labels, 4, { logistic: true })).toEqual([0, 1, 1, 2]);
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
  const counts = Tensor.empty(gpu, [2, 2], 'counts', 'u32');
  const step = { first: 0, rows: 2, index: 0, learning_rate: 0 };
  expect(() => classCounts(Tensor.empty(gpu, [2, 3]), labels, counts, step)).toThrow('must be (3, 3)');
  expect(() => classCounts(Tensor.empty(gpu, [2, 3]), labels, counts, step, { topK: 1 })).toThrow('must be (1, 1)');
});
