import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.js';
import { gatherRows, type RowSource, Tensor } from '../../src/kernels.js';
import { upload as uploadData } from '../../src/plan/tensor.js';
import * as reference from '../reference/gather-rows.js';
import { Guarded, sharedGpu } from '../support/gpu.js';

const cases = [
  { samples: 1, columns: 1, batch: 1, first: 0, rows: 1, words: 1, because: 'the smallest' },
  { samples: 9, columns: 3, batch: 4, first: 5, rows: 4, words: 1, because: 'rows that begin within a word' },
  {
    samples: 20,
    columns: 257,
    batch: 8,
    first: 16,
    rows: 3,
    words: 1,
    because: 'a partial batch, one past a workgroup',
  },
  { samples: 12, columns: 784, batch: 5, first: 2, rows: 5, words: 10, because: 'images with rows of targets' },
];
for (const kind of ['u8', 'f32'] as const) {
  test.for(cases)(
    `${kind}, $samples × $columns, batch $batch: $because`,
    async ({ samples, columns, batch, first, rows, words }) => {
      const gpu = await sharedGpu();
      const random = new Random(3);
      const count = samples * columns;
      const data =
        kind === 'u8'
          ? Uint8Array.from({ length: count }, () => random.integer(256))
          : Float32Array.from({ length: count }, () => random.uniform(-300, 300));
      const labels = Uint32Array.from({ length: samples * words }, () => random.bits());
      const order = random.shuffled(samples);
      const scale = Array.from({ length: columns }, () => random.uniform(0.001, 0.01));
      const shift = Array.from({ length: columns }, () => random.uniform(-1, 1));
      const words32 = (values: Uint32Array<ArrayBuffer>, shape: readonly number[]): Tensor<'u32'> => {
        const tensor = Tensor.empty(gpu, shape, 'words', 'u32');
        tensor.write(values);
        return tensor;
      };
      const source = {
        data: uploadData<'u8' | 'f32'>(gpu, data, [samples, columns], 'data') as RowSource['data'],
        labels: words32(labels, [samples, words]),
        order: words32(order, [samples]),
        normalization: Tensor.from(
          gpu,
          scale.flatMap((s, c) => [s, shift[c] ?? 0]),
          [columns, 2],
        ),
      };
      const X = new Guarded(gpu, [batch, columns]);
      const Y = words32(new Uint32Array(batch * words), [batch, words]);
      gpu.run([gatherRows(source, X.tensor, Y, { first, rows, index: 0, learning_rate: 0 })]);
      const options = { first, rows, batch, scale, shift };
      expect(await X.read()).toBeWithin(reference.gatherRows(data, columns, order, options));
      expect(await Y.read()).toEqual(reference.gatherLabels(labels, words, order, options));
    },
  );
}

test('shapes that do not fit are refused', async () => {
  const gpu = await sharedGpu();
  const source = {
    data: Tensor.empty(gpu, [4, 3]),
    labels: Tensor.empty(gpu, [4, 1], 'labels', 'u32'),
    order: Tensor.empty(gpu, [4], 'order', 'u32'),
    normalization: Tensor.empty(gpu, [3, 2]),
  };
  const Y = Tensor.empty(gpu, [2, 1], 'Y', 'u32');
  expect(() =>
    gatherRows(source, Tensor.empty(gpu, [2, 4]), Y, { first: 0, rows: 2, index: 0, learning_rate: 0 }),
  ).toThrow('X is (2, 4) and Y is (2, 1), but data is (4, 3)');
});
