import { expect, test } from 'vitest';
import { batchShare, Tensor } from '../../src/kernels.js';
import { upload } from '../../src/plan/tensor.js';
import * as reference from '../reference/batch-share.js';
import { exact } from '../reference/bounded.js';
import { Guarded, sharedGpu } from '../support/gpu.js';

const at = (index: number, rows: number) => ({ first: 0, rows, index, learning_rate: 0 });

test('shares of rows, batch by batch; a new step begins anew', async () => {
  const gpu = await sharedGpu();
  const share = new Guarded(gpu, [1, 2], new Float32Array(2).fill(Number.NaN));
  let before: reference.Share | undefined;
  // Two steps of three batches, of which the second is ragged.
  for (const [index, rows] of [8, 8, 5, 70, 1].entries()) {
    before = reference.batchShare(new Array<number>(rows).fill(1), index % 3 === 0 ? undefined : before);
    gpu.run([batchShare(share.tensor.view(0, [2]), 3, at(index, rows))]);
    const [found = 0, total] = await share.read();
    expect(Math.abs(found - before.share.value)).toBeLessThanOrEqual(before.share.bound);
    expect(total).toBe(before.total.value);
  }
});

test('shares of class weights, of labels with more words than the class; without any weight the share is 1', async () => {
  const gpu = await sharedGpu();
  const weights = Tensor.from(gpu, [0.5, 0, 3], [3]);
  const share = new Guarded(gpu, [1, 2], new Float32Array(2).fill(Number.NaN));
  const classes = Uint32Array.from({ length: 150 }, (_, row) => (row < 70 ? 1 : row % 3));
  let before: reference.Share | undefined;
  for (const [index, [first, rows]] of (
    [
      [0, 70],
      [70, 70],
      [140, 3],
    ] as const
  ).entries()) {
    const own = classes.slice(first, first + rows);
    before = reference.batchShare(
      Array.from(own, (label) => [0.5, 0, 3][label] ?? 0),
      before,
    );
    const words = Uint32Array.from({ length: 2 * 70 }, (_, i) => (i % 2 === 0 ? (own[i / 2] ?? 2) : 9));
    const labels = upload<'u32'>(gpu, words, [70, 2], 'labels');
    gpu.run([batchShare(share.tensor.view(0, [2]), 3, at(index, rows), { labels, weights })]);
    const found = await share.read();
    expect(found).toBeWithin(
      {
        ...exact([1, 2], [before.share.value, before.total.value]),
        bound: Float64Array.of(before.share.bound, before.total.bound),
      },
      `batch ${index}`,
    );
  }
});

test('shapes that do not fit are refused', async () => {
  const gpu = await sharedGpu();
  expect(() => batchShare(Tensor.empty(gpu, [3]), 2, at(0, 1))).toThrow('batchShare: share is (3)');
});
