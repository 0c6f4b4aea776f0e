import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.js';
import { elementwiseLossRows, type LossOutputs, Tensor } from '../../src/kernels.js';
import { type Bounded, exact } from '../reference/bounded.js';
import * as reference from '../reference/elementwise-loss.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';
import { labelTensor, randomClasses, randomNumbers, scattered } from '../support/labels.js';

const NONE = 0xffffffff;
const names = ['binaryCrossEntropy', 'squaredError', 'absoluteError', 'huber', 'logCosh'] as const;
type Name = (typeof names)[number];

interface Result {
  readonly losses: Float32Array;
  readonly gradient: Float32Array;
  readonly totals: Float32Array;
  readonly status: number;
}

/** Runs the kernel, `times` times on the same sums. @param order of a data set that the labels come from */
async function onGpu(
  name: Name,
  outputs: Bounded,
  targets: Float32Array | Uint32Array,
  rows: number,
  options: reference.ElementwiseLossOptions & { readonly order?: Uint32Array; readonly times?: number } = {},
): Promise<Result> {
  const gpu = await sharedGpu();
  const [batch, columns] = outputs.shape;
  const { delta, positiveWeights, weights, order, times = 1 } = options;
  const guards = { losses: new Guarded(gpu, [batch, 1]), gradient: new Guarded(gpu, [batch, columns]) };
  const status = Tensor.empty(gpu, [1], 'status', 'u32');
  status.write(Uint32Array.of(NONE));
  const results: LossOutputs = {
    losses: guards.losses.tensor,
    gradient: guards.gradient.tensor,
    totals: Tensor.empty(gpu, [4, batch]),
    status,
  };
  const form = {
    name,
    ...(delta === undefined ? {} : { delta }),
    positiveWeights: positiveWeights && Tensor.from(gpu, positiveWeights, [columns]),
  };
  const labels = labelTensor(gpu, targets, order?.length ?? batch, weights);
  const order32 = Tensor.empty(gpu, [order?.length ?? 1], 'order', 'u32');
  order32.write(Uint32Array.from(order ?? [0]));
  const a = upload(gpu, outputs);
  for (let i = 0; i < times; i++) {
    const step = { first: order === undefined ? 0 : 2, rows, index: 7 + i, learning_rate: 0 };
    gpu.run([elementwiseLossRows(form, a, order === undefined ? labels : { labels, order: order32 }, results, step)]);
  }
  return {
    losses: await guards.losses.read(),
    gradient: await guards.gradient.read(),
    totals: await results.totals.read(),
    status: (await status.read())[0] ?? 0,
  };
}

const shapes = [
  { batch: 1, columns: 1, rows: 1, scale: 1, because: 'the smallest' },
  { batch: 64, columns: 3, rows: 64, scale: 4, because: 'one workgroup' },
  { batch: 67, columns: 1, rows: 41, scale: 5, because: 'a partial batch' },
  { batch: 5, columns: 300, rows: 4, scale: 30, because: 'many columns' },
  { batch: 9, columns: 2, rows: 9, scale: 1e4, because: 'outputs of ±1e4' },
  { batch: 1, columns: 10_000, rows: 1, scale: 2, because: 'so many columns that their sum is compensated' },
];
const cases = names.flatMap((name) =>
  [false, true].flatMap((weighted) => shapes.map((shape) => ({ name, weighted, ...shape }))),
);
test.for(cases)(
  '$name ($batch, $columns), $rows valid, weighted $weighted: $because',
  async ({ name, weighted, batch, columns, rows, scale }) => {
    const outputs = randomMatrix(batch, columns, 3, scale);
    const isCross = name === 'binaryCrossEntropy';
    const targets = randomNumbers(batch * columns, isCross ? 0 : -scale, isCross ? 1 : scale, 4);
    // Targets that are met exactly, and both ends.
    targets.set(isCross ? [1] : [outputs.values[0] ?? 0]);
    const options = {
      delta: 0.3,
      weights: weighted ? randomNumbers(batch, 0, 2, 6) : undefined,
      positiveWeights: weighted && isCross ? randomNumbers(columns, 0.1, 5, 7) : undefined,
    };
    const expected = reference.elementwiseLoss(name, outputs, targets, rows, options);
    const { losses, gradient, totals, status } = await onGpu(name, outputs, targets, rows, options);
    expect(losses).toBeWithin(expected.losses, 'losses');
    expect(gradient).toBeWithin(expected.gradient, 'gradient');
    expect(totals.slice(0, batch)).toEqual(losses);
    expect(totals.slice(batch, 2 * batch)).toBeWithin(expected.correct, 'correct');
    expect(status).toBe(NONE);
  },
);

test('classes 0 and 1 are the targets of one logit', async () => {
  const outputs = randomMatrix(20, 1, 3, 5);
  const classes = randomClasses(20, 2, 5);
  for (const weights of [undefined, randomNumbers(20, 0, 2, 6)]) {
    const asIndices = await onGpu('binaryCrossEntropy', outputs, classes, 20, { weights });
    expect(asIndices).toEqual(await onGpu('binaryCrossEntropy', outputs, Float32Array.from(classes), 20, { weights }));
  }
});

test('binary cross-entropy stays finite and exact far out', async () => {
  const outputs = exact([4, 1], [1e4, -1e4, 1e4, -1e4]);
  const { losses, gradient } = await onGpu('binaryCrossEntropy', outputs, Float32Array.of(1, 0, 0, 1), 4);
  expect([...losses]).toEqual([0, 0, 1e4, 1e4]);
  expect([...gradient]).toEqual([0, 0, 0.25, -0.25].map((value) => expect.closeTo(value, 12)));
});

test.for(names)('%s: labels of a data set are those of the samples that the batch takes', async (name) => {
  const [batch, columns, rows] = [9, 3, 7];
  const outputs = randomMatrix(batch, columns, 4, 2);
  const targets = randomNumbers(batch * columns, 0, 1, 8);
  const weights = randomNumbers(batch, 0, 2, 9);
  const order = new Random(2).shuffled(20);
  const expected = await onGpu(name, outputs, targets, rows, { weights });
  const found = await onGpu(name, outputs, scattered(targets, batch, order, 2), rows, {
    weights: Float32Array.from(scattered(weights, batch, order, 2)),
    order,
  });
  expect(found).toEqual(expected);
});

test('sums go on from step to step, with the same bits each time', async () => {
  const outputs = randomMatrix(6, 4, 5, 2);
  const targets = randomNumbers(24, -2, 2, 3);
  const [once, twice] = [
    await onGpu('huber', outputs, targets, 6),
    await onGpu('huber', outputs, targets, 6, { times: 2 }),
  ];
  expect(twice.losses).toEqual(once.losses);
  expect([...twice.totals]).toEqual([...once.totals].map((sum) => 2 * sum));
});

test.for(names.flatMap((name) => [Number.NaN, Number.POSITIVE_INFINITY].map((bad) => ({ name, bad }))))(
  '$name: an output of $bad is noticed with its step, unless its row does not count',
  async ({ name, bad }) => {
    const outputs = randomMatrix(4, 5, 6);
    outputs.values[2 * 5 + 3] = bad;
    const targets = randomNumbers(20, 0, 1, 3);
    const { status, losses } = await onGpu(name, outputs, targets, 4, { times: 2 });
    expect(status).toBe(7);
    expect([...losses].map(Number.isFinite)).toEqual([true, true, false, true]);
    expect((await onGpu(name, outputs, targets, 2)).status).toBe(NONE);
  },
);

test('what does not fit is refused', async () => {
  const gpu = await sharedGpu();
  const results: LossOutputs = {
    losses: Tensor.empty(gpu, [2, 1]),
    gradient: Tensor.empty(gpu, [2, 3]),
    totals: Tensor.empty(gpu, [2, 2]),
    status: Tensor.empty(gpu, [1], 'status', 'u32'),
  };
  const step = { first: 0, rows: 2, index: 0, learning_rate: 0 };
  const run = (labels: Tensor | Tensor<'u32'>, others: Partial<LossOutputs> = {}, positiveWeights?: Tensor): unknown =>
    elementwiseLossRows(
      { name: 'binaryCrossEntropy', positiveWeights },
      Tensor.empty(gpu, [2, 3]),
      labels,
      { ...results, ...others },
      step,
    );
  expect(() => run(Tensor.empty(gpu, [2, 2]))).toThrow('outputs are (2, 3), but labels are (2, 2) f32');
  expect(() => run(Tensor.empty(gpu, [2, 1], 'labels', 'u32'))).toThrow('each needs a target');
  expect(() => run(Tensor.empty(gpu, [2, 3]), { losses: Tensor.empty(gpu, [3, 1]) })).toThrow('the losses are (2, 1)');
  expect(() => run(Tensor.empty(gpu, [2, 3]), {}, Tensor.empty(gpu, [2]))).toThrow('2 positiveWeights for 3 columns');
});
