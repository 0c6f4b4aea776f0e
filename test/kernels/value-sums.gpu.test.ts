import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.js';
import { Tensor, valueSums } from '../../src/kernels.js';
import { type Bounded, exact } from '../reference/bounded.js';
import * as reference from '../reference/value-sums.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';
import { labelTensor, randomNumbers, scattered } from '../support/labels.js';

async function onGpu(
  outputs: Bounded,
  targets: Float32Array,
  slots: number,
  rows: number,
  order?: Uint32Array,
): Promise<Float64Array> {
  const gpu = await sharedGpu();
  const [batch, columns] = outputs.shape;
  const sums = new Guarded(gpu, [columns, slots, 2, 6], new Float32Array(columns * slots * 12));
  const order32 = Tensor.empty(gpu, [order?.length ?? 1], 'order', 'u32');
  order32.write(Uint32Array.from(order ?? [0]));
  const stored = labelTensor(gpu, targets, order?.length ?? batch, randomNumbers(order?.length ?? batch, 0, 1, 1));
  const source = order === undefined ? stored : { labels: stored, order: order32 };
  const step = { first: order === undefined ? 0 : 2, rows, index: 0, learning_rate: 0 };
  gpu.run([valueSums(upload(gpu, outputs), source, sums.tensor, step)]);
  // High and low parts, added in float64.
  const pairs = await sums.read();
  return Float64Array.from({ length: pairs.length / 2 }, (_, i) => {
    const high = Math.floor(i / 6) * 12 + (i % 6);
    return (pairs[high] ?? NaN) + (pairs[high + 6] ?? NaN);
  });
}

const shapes = [
  { batch: 1, columns: 1, slots: 1, rows: 1, because: 'the smallest' },
  { batch: 300, columns: 3, slots: 64, rows: 300, because: 'several rows a slot' },
  { batch: 67, columns: 2, slots: 64, rows: 41, because: 'a partial batch leaves slots empty' },
  { batch: 90, columns: 1, slots: 70, rows: 90, because: 'two workgroups' },
];
test.for(shapes)('($batch, $columns), $rows valid, $slots slots: $because', async ({ batch, columns, slots, rows }) => {
  const outputs = randomMatrix(batch, columns, 3, 5);
  const targets = randomNumbers(batch * columns, 995, 1005, 4);
  const sums = await onGpu(outputs, targets, slots, rows);
  const originOf = (column: number, slot: number): number => sums[(column * slots + slot) * 6 + 1] ?? NaN;
  expect(sums).toBeWithin(reference.valueSums(outputs, targets, slots, rows, originOf), 'sums');
});

const outliers = [
  { name: 'the first is 300, the others 0 and 1', target: (i: number) => (i === 0 ? 300 : i % 2) },
  { name: 'the first is 0, the others 290 and 291', target: (i: number) => (i === 0 ? 0 : 290 + (i % 2)) },
  { name: 'a thousand are 0, then all are 290 and 291', target: (i: number) => (i < 1000 ? 0 : 290 + (i % 2)) },
  { name: 'they rise', target: (i: number) => i },
];
test.for(outliers)('the origin stays near the mean of 20,000 targets: $name', async ({ target }) => {
  const rows = 20_000;
  const targets = Float32Array.from({ length: rows }, (_, i) => target(i));
  const outputs = exact([rows, 1], new Float32Array(rows).fill(0.5));
  const sums = await onGpu(outputs, targets, 1, rows);
  expect(sums).toBeWithin(
    reference.valueSums(outputs, targets, 1, rows, () => sums[1] ?? NaN),
    'sums',
  );
  const mean = targets.reduce((sum, y) => sum + y, 0) / rows;
  const spread = targets.reduce((sum, y) => sum + (y - mean) ** 2, 0);
  // The bound that the shader derives: then their difference loses no more than three bits.
  expect(sums[3]).toBeLessThanOrEqual(7 * spread);
});

test('labels of a data set are those of the samples that the batch takes', async () => {
  const outputs = randomMatrix(9, 2, 4);
  const targets = randomNumbers(18, -1, 1, 6);
  const order = new Random(2).shuffled(20);
  const moved = Float32Array.from(scattered(targets, 9, order, 2));
  expect(await onGpu(outputs, moved, 4, 7, order)).toEqual(await onGpu(outputs, targets, 4, 7));
});

test('what does not fit is refused', async () => {
  const gpu = await sharedGpu();
  const step = { first: 0, rows: 2, index: 0, learning_rate: 0 };
  const run = (labels: Tensor | Tensor<'u32'>, sums: Tensor): unknown =>
    valueSums(Tensor.empty(gpu, [2, 3]), labels, sums, step);
  expect(() => run(Tensor.empty(gpu, [2, 3]), Tensor.empty(gpu, [3, 5, 6]))).toThrow('(3, slots, 2, 6)');
  expect(() => run(Tensor.empty(gpu, [2, 1], 'labels', 'u32'), Tensor.empty(gpu, [3, 5, 2, 6]))).toThrow(
    'labels are u32',
  );
});
