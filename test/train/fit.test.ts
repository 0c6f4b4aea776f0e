import { expect, test } from 'vitest';
import { DeviceLostError, DisposedError } from '../../src/base/errors.js';
import { adagrad, adam, cosine, exponentialDecay, type FitOptions, sgd, stepDecay, warmUp } from '../../src/index.js';
import type { AnyMetric } from '../../src/nn/metrics/metric.js';
import type { StepRecord } from '../../src/plan/step-records.js';
import { countRows, errorOf, quiet, type SmallTraining, smallTraining } from '../support/small-training.js';

/** The records of the steps of `fit`, in their order; a record of a run of steps is taken apart. */
const trainingSteps = ({ device }: SmallTraining): StepRecord[] =>
  device.replays.flatMap(({ what, step }) => {
    if (what !== 'fit' || step === undefined) return [];
    return Array.from({ length: Math.ceil(step.rows / 4) }, (_, i) => {
      const rows = Math.min(4, step.rows - 4 * i);
      return { ...step, first: step.first + 4 * i, rows, index: step.index + i };
    });
  });

const optimizers = { runs: sgd({ learningRate: 0.25 }), steps: adagrad({ learningRate: 0.25 }) };
const paces = Object.keys(optimizers).flatMap((kind) => [1, 2, 4, 64].map((pace) => [kind, pace] as const));
test.for(paces)(
  'a plan of %s, %i to a submit: each step has its place, its rows, its number and the rate',
  async (wanted) => {
    const [kind, stepsPerSubmit] = wanted;
    const on = await smallTraining({ stepsPerSubmit, optimizer: optimizers[kind as keyof typeof optimizers] });
    await on.trainer.fit(on.data, { epochs: 2 });
    const of = (index: number): StepRecord => ({
      first: 4 * (index % 6),
      rows: index % 6 === 5 ? 2 : 4,
      index,
      learning_rate: 0.25,
    });
    expect(trainingSteps(on)).toEqual(Array.from({ length: 12 }, (_, index) => of(index)));
    const submits = on.device.log.filter((entry) => entry === 'submit fit').length;
    expect(submits).toBe(2 * Math.ceil(6 / stepsPerSubmit));
    expect(on.device.replays.length).toBe(kind === 'runs' ? submits : 12);
  },
);

test.for(['makeData', 'makeStream'] as const)(
  'a batch that is larger than the data set is the whole set, in one step an epoch (%s)',
  async (make) => {
    const on = await smallTraining({ batchSize: 64 });
    countRows(on.device);
    const data = on[make]();
    const history = await on.trainer.fit(data, { epochs: 2, validation: data });
    const records = on.device.replays.filter(({ what }) => what === 'fit').map(({ step }) => step);
    expect(records).toMatchObject([
      { first: 0, rows: 22, index: 0 },
      { first: 0, rows: 22, index: 1 },
    ]);
    expect(history).toMatchObject([
      { steps: 1, loss: 1, validation: { loss: 1 } },
      { steps: 1, loss: 1, validation: { loss: 1 } },
    ]);
  },
);

test('an optimizer has numbers of its own behind each record', async () => {
  const on = await smallTraining({ optimizer: adam({ learningRate: 0.5, beta1: 0.5, beta2: 0.75 }) });
  await on.trainer.fit(on.data, { epochs: 1 });
  const own = adam({ learningRate: 0.5, beta1: 0.5, beta2: 0.75 });
  const expected = Array.from({ length: 6 }, (_, index) => own.perStep?.(index)?.map(Math.fround));
  expect(trainingSteps(on).map((record) => record.own)).toEqual(expected);
});

const schedules = {
  cosine: cosine({ epochs: 3 }),
  exponentialDecay: exponentialDecay({ factor: 0.5 }),
  stepDecay: stepDecay({ every: 2 }),
  warmUp: warmUp({ epochs: 1 }),
};
const moved = Object.entries(schedules).flatMap(([name, schedule]) =>
  ['makeData' as const, 'makeStream' as const].map((make) => ({ name, schedule, make })),
);
test.for(moved)(
  'the rates of $name, step by step, also of a trainer that goes on ($make)',
  async ({ schedule, make }) => {
    const on = await smallTraining({ stepsPerSubmit: 4, optimizer: sgd({ learningRate: 0.5 }) });
    const data = on[make]();
    await on.trainer.fit(data, { epochs: 1, schedule });
    const last = (await on.trainer.fit(data, { epochs: 2, schedule })).at(-1);
    const expected = Array.from({ length: 18 }, (_, index) =>
      Math.fround(schedule.rate(0.5, { epoch: Math.floor(index / 6), step: index % 6, steps: 6 }, undefined)),
    );
    expect(trainingSteps(on).map((record) => record.learning_rate)).toEqual(expected);
    expect(Math.fround(last?.learningRate ?? Number.NaN)).toBe(expected.at(-1));
  },
);

test('losses are means over the rows of a report and of an epoch', async () => {
  const on = await smallTraining();
  countRows(on.device);
  const reports: { loss: number; step: number }[] = [];
  const history = await on.trainer.fit(on.data, {
    epochs: 2,
    validation: on.data,
    onStep: ({ loss, step: done }) => {
      reports.push({ loss, step: done });
    },
  });
  expect(history.map(({ loss, validation, epoch, steps }) => [loss, validation?.loss, epoch, steps])).toEqual([
    [1, 1, 1, 6],
    [1, 1, 2, 6],
  ]);
  expect(reports.every(({ loss }) => loss === 1)).toBe(true);
  expect(reports.filter(({ step: done }) => done === 6)).toHaveLength(2);
});

/** The ways to end `fit` from outside, and what it does then. */
type End = (on: SmallTraining, stop: AbortController) => void;
const ends: Readonly<Record<string, readonly [end: End, error: (new (...args: never[]) => Error) | undefined]>> = {
  'a signal': [(_, stop) => stop.abort(), undefined],
  'the loss of the device': [({ device }) => device.lose(), DeviceLostError],
  'the end of its trainer': [({ trainer }) => trainer.dispose(), DisposedError],
  'the end of its data set': [({ data }) => data.dispose(), DisposedError],
};
const sources = ['resident', 'streamed', 'paused'] as const;
const ended = Object.entries(ends).flatMap(([name, [end, error]]) =>
  sources.map((source) => ({ name, source, end, error })),
);
test.for(ended)('$name at any moment ends fit within a submit ($source)', async ({ name, source, end, error }) => {
  for (let settlement = 1; ; settlement++) {
    const made = await smallTraining();
    const on = source === 'streamed' ? { ...made, data: made.makeStream() } : made;
    const { device, model, trainer, data } = on;
    const submits = (): number => device.log.filter((entry) => entry === 'submit fit').length;
    const stop = new AbortController();
    let [settled, queued] = [0, -1];
    device.onSettle = () => {
      settled += 1;
      if (settled === 12 && source === 'paused') trainer.pause();
      if (settled !== settlement) return;
      queued = submits();
      end(on, stop);
    };
    let epochs: number | undefined;
    const training = errorOf(async () => {
      epochs = (await trainer.fit(data, { epochs: 3, signal: stop.signal })).length;
    });
    await quiet(device);
    // Whatever else ends fit ends its pause, too.
    if (queued < 0 || name === 'the end of its data set') trainer.resume();
    const found = await training;
    if (queued < 0) {
      expect([found, epochs]).toEqual([undefined, 3]);
      expect(settlement).toBeGreaterThan(source === 'paused' ? 12 : 30);
      return;
    }
    const when = `after ${settlement} promises of the device`;
    expect(submits() - queued, when).toBeLessThanOrEqual(1);
    if (error === undefined || epochs === 3) {
      expect([found, epochs], when).toEqual([undefined, Math.floor(submits() / 6)]);
    } else expect(found, when).toBeInstanceOf(error);
    if (error === undefined) {
      // The next step goes on behind those that were queued.
      await trainer.step(on.x, on.y);
      expect(device.replays.at(-1)?.step?.index, when).toBe(submits());
    }
    model.dispose();
    for (const each of [data, made.data]) each.dispose();
    await quiet(device);
    expect([device.memory.usedBytes, device.bound.size], when).toEqual([0, 0]);
  }
});

test('nothing is queued while fit is held back, and it goes on where it was', async () => {
  const on = await smallTraining();
  const { device, trainer, data } = on;
  let settled = 0;
  device.onSettle = () => {
    settled += 1;
    if (settled === 10) trainer.pause();
  };
  const training = trainer.fit(data, { epochs: 2 });
  await quiet(device);
  const { length } = trainingSteps(on);
  expect(length).toBeGreaterThan(0);
  expect(length).toBeLessThan(12);
  await quiet(device);
  expect(trainingSteps(on)).toHaveLength(length);
  trainer.resume();
  expect(await training).toHaveLength(2);
  expect(trainingSteps(on).map(({ index }) => index)).toEqual(Array.from({ length: 12 }, (_, index) => index));
});

const callbacks: readonly ('onStep' | 'onEpoch')[] = ['onStep', 'onEpoch'];
test.for(callbacks)('what %s throws rejects fit, and the trainer can go on', async (name) => {
  const on = await smallTraining();
  const { device, trainer, data } = on;
  await trainer.fit(data, { epochs: 1 });
  const before = device.memory;
  let calls = 0;
  const options: FitOptions<AnyMetric> = {
    epochs: 3,
    [name]: () => {
      calls += 1;
      if (calls === 2) throw new Error('the app is wrong');
    },
  };
  await expect(trainer.fit(data, options)).rejects.toThrow('the app is wrong');
  expect(await errorOf(() => trainer.checkpoint())).toBeUndefined();
  await quiet(device);
  expect(device.memory).toEqual(before);
  expect(await trainer.fit(data, { epochs: 1 })).toHaveLength(1);
});
