import { expect, test } from 'vitest';
import { adam, cosine, dense, type Loss, Mlp, sgd, softmaxCrossEntropy, type TrainerOptions } from '../../src/index.js';
import { FakeDevice } from '../support/fake-device.js';
import { countRows, type SmallTraining, smallTraining } from '../support/small-training.js';

/** What `fit` or `step` queued: batches as [first row, rows, number], updates as [number, learning rate]. */
function queued({ device }: SmallTraining): (readonly number[])[] {
  return device.replays.flatMap(({ dispatches, step }) => {
    if (step === undefined) return [];
    const isUpdate = dispatches.every(({ kernel }) => kernel === 'sgd' || kernel === 'adam');
    return [isUpdate ? [step.index, step.learning_rate] : [step.first, step.rows, step.index]];
  });
}

const paces = [1, 2, 4, 64].flatMap((pace) =>
  (['makeData', 'makeStream'] as const).map((make) => [pace, make] as const),
);
test.for(paces)(
  'the batches of each step, then its update; %i batches to a submit, %s',
  async ([stepsPerSubmit, make]) => {
    const on = await smallTraining({ accumulate: 4, stepsPerSubmit, optimizer: sgd({ learningRate: 0.5 }) });
    countRows(on.device);
    const schedule = cosine({ epochs: 2 });
    const steps: number[] = [];
    // 22 rows in batches of 4: six batches, of which the last has 2 rows. Chunks of a stream have 8 rows.
    const history = await on.trainer.fit(on[make](), {
      epochs: 2,
      schedule,
      shuffle: false,
      onStep: ({ step, steps: all, loss }) => {
        steps.push(step);
        expect([all, loss]).toEqual([2, 1]);
      },
    });
    const rate = (epoch: number, step: number): number =>
      Math.fround(schedule.rate(0.5, { epoch, step, steps: 2 }, undefined));
    const first = (batch: number): number => (make === 'makeData' ? 4 * batch : 4 * (batch % 2));
    const epoch = (number: number): (readonly number[])[] => [
      ...[0, 1, 2, 3].map((batch) => [first(batch), 4, 8 * number + batch]),
      [2 * number, rate(number, 0)],
      [first(4), 4, 8 * number + 4],
      [first(5), 2, 8 * number + 5],
      [2 * number + 1, rate(number, 1)],
    ];
    expect(queued(on)).toEqual([...epoch(0), ...epoch(1)]);
    expect(history).toMatchObject([
      { steps: 2, loss: 1 },
      { steps: 2, loss: 1 },
    ]);
    expect(steps.at(-1)).toBe(2);
    expect(steps.every((step) => step === 1 || step === 2)).toBe(true);
  },
);

test('the optimizer has its numbers of a step, and a checkpoint counts steps', async () => {
  const optimizer = adam({ learningRate: 0.5, beta1: 0.5 });
  const on = await smallTraining({ accumulate: 4, optimizer });
  await on.trainer.fit(on.data, { epochs: 1 });
  const updates = on.device.replays.filter(({ dispatches }) => dispatches.every(({ kernel }) => kernel === 'adam'));
  expect(updates.map(({ step }) => step?.own)).toEqual(
    [0, 1].map((step) => optimizer.perStep?.(step)?.map(Math.fround)),
  );
  const bytes = await on.trainer.checkpoint();
  const again = await smallTraining({ accumulate: 4, optimizer });
  await again.trainer.restore(bytes);
  await again.trainer.step(again.x, again.y);
  expect(again.device.replays.at(-1)?.step?.index).toBe(2);
  const other = await smallTraining({ accumulate: 2, optimizer });
  await expect(other.trainer.restore(bytes)).rejects.toThrow(
    'restore: the checkpoint has accumulate = 4, but this trainer has 2.',
  );
});

test('a step takes the samples of all its batches, and no more', async () => {
  const on = await smallTraining({ accumulate: 3 });
  const samples = (rows: number): [Float32Array, number[]] => [
    new Float32Array(5 * rows),
    new Array<number>(rows).fill(1),
  ];
  await on.trainer.step(...samples(10));
  await on.trainer.step(...samples(4));
  expect(queued(on).map((entry) => entry.slice(0, -1))).toEqual([[0, 4], [0, 4], [0, 2], [0], [0, 4], [1]]);
  await expect(on.trainer.step(...samples(13))).rejects.toThrow(
    'step: 13 samples came, but batchSize = 4 and accumulate = 3. Pass at most 12.',
  );
  await expect(on.trainer.gradients(...samples(5))).rejects.toThrow(
    'gradients: 5 samples came, but batchSize = 4. Pass at most that many.',
  );
});

test('numbers of batches stay multiples of the first one of a step, beyond 32 bits', async () => {
  const accumulate = 1_000_000_000;
  const on = await smallTraining({ accumulate });
  for (let step = 0; step < 6; step++) await on.trainer.step(on.x, on.y);
  const numbers = queued(on).flatMap(([, , index]) => (index === undefined ? [] : [index]));
  expect(numbers).toEqual([0, 1, 2, 3, 0, 1].map((step) => step * accumulate));
});

test('a model that is frozen as a whole has no update', async () => {
  const device = new FakeDevice();
  const model = await Mlp.create(device, { inputs: 5, layers: [dense(3, 'linear', { trainable: false })] });
  const trainer = await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 1 }),
    batchSize: 2,
    accumulate: 2,
    ema: {},
  });
  await trainer.step(new Float32Array(20), [0, 1, 2, 0]);
  expect(device.replays.flatMap(({ dispatches }) => dispatches.map(({ kernel }) => kernel))).not.toContain('sgd');
});

test('the plan has the dispatches of a batch and those of the update; one batch a step needs neither', async () => {
  const on = await smallTraining({ accumulate: 2 });
  const kernels = on.trainer.plan.dispatches.map(({ kernel }) => kernel);
  expect(kernels.slice(-4)).toEqual(['batch-share', 'running-average', 'running-average', 'sgd']);
  expect(`${on.trainer.plan}`).toContain('after each 2 batches, or the last of an epoch:');
  const plain = await smallTraining({ accumulate: 1 });
  expect(`${plain.trainer.plan}`).toBe(`${(await smallTraining()).trainer.plan}`);
});

const loss: Loss = { ...softmaxCrossEntropy({ classWeights: [1, 2, 3] }), classWeights: undefined };
test.for<readonly [Partial<TrainerOptions>, string]>([
  [{ accumulate: 0 }, 'trainer: accumulate = 0; accumulate must be a positive integer.'],
  [{ accumulate: 1.5 }, 'trainer: accumulate = 1.5; accumulate must be a positive integer.'],
  [{ accumulate: '2' as unknown as number }, 'trainer: accumulate = "2" is a string'],
  [{ accumulate: 2 ** 32 }, 'trainer: accumulate = 4294967296; it is 2147483648 at most.'],
  [{ accumulate: 2, loss }, 'trainer: accumulate = 2 needs classWeights of the loss (softmaxCrossEntropy)'],
])('%j is refused, and nothing is left behind', async ([options, message]) => {
  const device = new FakeDevice();
  const model = await Mlp.create(device, { inputs: 5, layers: [dense(3)] });
  const before = device.memory;
  const plain = { loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 1 }), batchSize: 4 };
  await expect(model.trainer({ ...plain, ...options })).rejects.toThrow(message);
  expect(device.memory).toEqual(before);
});
