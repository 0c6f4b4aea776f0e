import { expect, test } from 'vitest';
import { type LossOutputs, softmaxCrossEntropyRows, Tensor } from '../../src/kernels.js';
import { type Bounded, exact } from '../reference/bounded.js';
import * as reference from '../reference/softmax-cross-entropy.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';
import { labelTensor, randomNumbers } from '../support/labels.js';
import { expectLateTotals, lateTotals } from '../support/totals.js';

const NONE = 0xffffffff;

interface Result {
  readonly losses: Float32Array;
  readonly gradient: Float32Array;
  /** The sums without their low parts. */
  readonly totals: Float32Array;
  /** The sums and their low parts. */
  readonly all: Float32Array;
  readonly status: number;
}

/** Runs the kernel, `times` times on the same sums. */
async function onGpu(
  logits: Bounded,
  labels: Uint32Array | Float32Array,
  rows: number,
  times = 1,
  { labelSmoothing = 0, classWeights, weights }: reference.CrossEntropyOptions = {},
  start?: Float32Array<ArrayBuffer>,
): Promise<Result> {
  const gpu = await sharedGpu();
  const [batch, classes] = logits.shape;
  const y = labelTensor(gpu, labels, batch, weights);
  const form = { labelSmoothing, classWeights: classWeights && Tensor.from(gpu, classWeights, [classes]) };
  const guards = { losses: new Guarded(gpu, [batch, 1]), gradient: new Guarded(gpu, [batch, classes]) };
  const sums = classWeights === undefined ? 2 : 3;
  const status = Tensor.empty(gpu, [1], 'status', 'u32');
  status.write(Uint32Array.of(NONE));
  const outputs: LossOutputs = {
    losses: guards.losses.tensor,
    gradient: guards.gradient.tensor,
    totals: Tensor.empty(gpu, [2 * sums, batch]),
    status,
  };
  if (start !== undefined) outputs.totals.write(start);
  const z = upload(gpu, logits);
  for (let i = 0; i < times; i++) {
    gpu.run([softmaxCrossEntropyRows(z, y, outputs, { first: 0, rows, index: 7 + i, learning_rate: 0 }, form)]);
  }
  const all = await outputs.totals.read();
  return {
    losses: await guards.losses.read(),
    gradient: await guards.gradient.read(),
    totals: all.slice(0, sums * batch),
    all,
    status: (await status.read())[0] ?? 0,
  };
}

const indices = (batch: number, classes: number): Uint32Array =>
  Uint32Array.from({ length: batch }, (_, r) => (r * 7) % classes);

function probabilities(batch: number, classes: number): Float32Array {
  const { values } = randomMatrix(batch, classes, 9);
  const rows = Float32Array.from(values, Math.abs);
  for (let r = 0; r < batch; r++) {
    const row = rows.subarray(r * classes, (r + 1) * classes);
    const sum = row.reduce((a, b) => a + b, 0);
    for (let k = 0; k < classes; k++) row[k] = (row[k] ?? 0) / sum;
  }
  return rows;
}

const shapes = [
  { batch: 1, classes: 1, rows: 1, scale: 1, because: 'the smallest' },
  { batch: 64, classes: 10, rows: 64, scale: 3, because: 'one workgroup' },
  { batch: 67, classes: 10, rows: 41, scale: 5, because: 'a partial batch' },
  { batch: 5, classes: 1000, rows: 5, scale: 8, because: 'many classes' },
  { batch: 2, classes: 1500, rows: 2, scale: 8, because: 'so many classes that sums are compensated' },
  { batch: 9, classes: 3, rows: 9, scale: 1e4, because: 'logits of ±1e4' },
];
for (const kind of ['indices', 'probabilities'] as const) {
  test.for(shapes)(`${kind}, ($batch, $classes), $rows valid: $because`, async ({ batch, classes, rows, scale }) => {
    const logits = randomMatrix(batch, classes, 3, scale);
    const labels = kind === 'indices' ? indices(batch, classes) : probabilities(batch, classes);
    const expected = reference.softmaxCrossEntropy(logits, labels, rows);
    const { losses, gradient, totals, status } = await onGpu(logits, labels, rows);
    expect(losses).toBeWithin(expected.losses, 'losses');
    expect(gradient).toBeWithin(expected.gradient, 'gradient');
    expect(totals.slice(0, batch)).toEqual(losses);
    expect(totals.slice(batch)).toBeWithin(expected.correct, 'correct');
    expect(status).toBe(NONE);
  });
}

const forms: { form: string; labelSmoothing?: number; classes?: boolean; samples?: boolean }[] = [
  { form: 'label smoothing', labelSmoothing: 0.1 },
  { form: 'class weights', classes: true },
  { form: 'sample weights', samples: true },
  { form: 'everything', labelSmoothing: 0.3, classes: true, samples: true },
];
for (const kind of ['indices', 'probabilities'] as const) {
  test.for(forms.flatMap(({ form, ...more }) => shapes.map((shape) => ({ form, more, ...shape }))))(
    `${kind} with $form, ($batch, $classes), $rows valid: $because`,
    async ({ more, batch, classes, rows, scale }) => {
      const logits = randomMatrix(batch, classes, 3, scale);
      const labels = kind === 'indices' ? indices(batch, classes) : probabilities(batch, classes);
      const options = {
        labelSmoothing: more.labelSmoothing,
        classWeights: more.classes === true ? randomNumbers(classes, 0.1, 3, 5) : undefined,
        weights: more.samples === true ? randomNumbers(batch, 0, 2, 6) : undefined,
      };
      const expected = reference.softmaxCrossEntropy(logits, labels, rows, options);
      const { losses, gradient, totals, status } = await onGpu(logits, labels, rows, 1, options);
      expect(losses).toBeWithin(expected.losses, 'losses');
      expect(gradient).toBeWithin(expected.gradient, 'gradient');
      expect(totals.slice(0, batch)).toBeWithin(expected.summed, 'summed');
      expect(totals.slice(batch, 2 * batch)).toBeWithin(expected.correct, 'correct');
      if (more.classes === true) expect(totals.slice(2 * batch)).toBeWithin(expected.divisors, 'divisors');
      expect(status).toBe(NONE);
    },
  );
}

test('a batch whose classes weigh nothing has no loss and no gradient', async () => {
  const logits = randomMatrix(3, 2, 5);
  const { losses, gradient, totals } = await onGpu(logits, Uint32Array.of(1, 1, 1), 3, 1, {
    classWeights: Float32Array.of(1, 0),
  });
  expect([...losses, ...gradient].every((value) => value === 0)).toBe(true);
  expect([...totals.slice(6)]).toEqual([0, 0, 0]);
});

test('sums over many steps keep what they would lose', async () => {
  const logits = randomMatrix(6, 4, 5, 2);
  const { losses, totals } = await onGpu(logits, indices(6, 4), 6);
  const { all } = await onGpu(logits, indices(6, 4), 6, 9, {}, lateTotals(6));
  expectLateTotals(all, losses, totals.slice(6), 9);
});

test('sums go on from step to step', async () => {
  const logits = randomMatrix(6, 4, 5, 2);
  const once = await onGpu(logits, indices(6, 4), 6, 1);
  const thrice = await onGpu(logits, indices(6, 4), 6, 3);
  for (let i = 0; i < once.totals.length; i++) {
    expect(Math.abs((thrice.totals[i] ?? NaN) - 3 * (once.totals[i] ?? NaN))).toBeLessThanOrEqual(
      2 * 2 ** -23 * 3 * (once.totals[i] ?? NaN),
    );
  }
});

test.for([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  'a logit of %s is noticed with its step',
  async (bad) => {
    const logits = randomMatrix(4, 5, 6);
    logits.values[2 * 5 + 3] = bad;
    const { status, losses } = await onGpu(logits, indices(4, 5), 4, 2);
    expect(status).toBe(7);
    expect(Number.isFinite(losses[2])).toBe(false);
    expect(Number.isFinite(losses[1])).toBe(true);
  },
);

test('a bad logit in a row that does not count is not noticed', async () => {
  const logits = randomMatrix(4, 5, 6);
  logits.values[3 * 5] = Number.NaN;
  expect((await onGpu(logits, indices(4, 5), 3)).status).toBe(NONE);
});

test('labels of another shape are refused', async () => {
  const gpu = await sharedGpu();
  const outputs: LossOutputs = {
    losses: Tensor.empty(gpu, [2, 1]),
    gradient: Tensor.empty(gpu, [2, 3]),
    totals: Tensor.empty(gpu, [2, 2]),
    status: Tensor.empty(gpu, [1], 'status', 'u32'),
  };
  const step = { first: 0, rows: 2, index: 0, learning_rate: 0 };
  const labels = (width: number): Tensor<'u32'> => Tensor.empty(gpu, [2, width], 'labels', 'u32');
  expect(() => softmaxCrossEntropyRows(Tensor.empty(gpu, [2, 3]), labels(3), outputs, step)).toThrow(
    'labels are (2, 3) u32',
  );
  expect(() => softmaxCrossEntropyRows(Tensor.empty(gpu, [2, 4]), labels(1), outputs, step)).toThrow(
    'the gradient (2, 4)',
  );
});

test('worked example 1 of the vocabulary', async () => {
  const logits = exact([3, 3], [0.439, 0.343, 0.1921, 1.5034, 1.1745, 0.6577, 1.8298, 1.4295, 0.8005]);
  const { losses } = await onGpu(logits, Uint32Array.of(0, 1, 2), 3);
  expect((losses[0] ?? 0) / 3 + (losses[1] ?? 0) / 3 + (losses[2] ?? 0) / 3).toBeCloseTo(1.2731, 4);
});

test.for([1, 6])(
  'labels of a data set, %i words each, are those of the samples that the batch takes',
  async (words) => {
    const gpu = await sharedGpu();
    const [batch, rows, classes, first, samples] = [9, 7, 6, 4, 20];
    const all = words === 1 ? indices(samples, classes) : probabilities(samples, classes);
    const order = Uint32Array.from({ length: samples }, (_, i) => (i * 7 + 3) % samples);
    const taken = new (words === 1 ? Uint32Array : Float32Array)(batch * words);
    for (let row = 0; row < rows; row++) {
      const sample = order[first + row] ?? 0;
      taken.set(all.subarray(sample * words, (sample + 1) * words), row * words);
    }
    const logits = randomMatrix(batch, classes, 4);
    const expected = await onGpu(logits, taken, rows);
    const tensor = (values: Uint32Array<ArrayBuffer>, shape: readonly number[]): Tensor<'u32'> => {
      const made = Tensor.empty(gpu, shape, 'words', 'u32');
      made.write(values);
      return made;
    };
    const outputs: LossOutputs = {
      losses: Tensor.empty(gpu, [batch, 1]),
      gradient: Tensor.empty(gpu, [batch, classes]),
      totals: Tensor.empty(gpu, [2, batch]),
      status: tensor(Uint32Array.of(NONE), [1]),
    };
    const source = { labels: labelTensor(gpu, all, samples), order: tensor(order, [samples]) };
    gpu.run([
      softmaxCrossEntropyRows(upload(gpu, logits), source, outputs, { first, rows, index: 7, learning_rate: 0 }),
    ]);
    expect(await outputs.losses.read()).toEqual(expected.losses);
    expect(await outputs.gradient.read()).toEqual(expected.gradient);
    // Totals without low parts, which an app may pass, are the same after one step.
    expect(await outputs.totals.read()).toEqual(expected.totals);
  },
);
