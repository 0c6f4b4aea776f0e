import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { DisposedError, LimitError, type MlpError } from '../../src/base/errors.js';
import { confusionMatrix, dense, type Metric, Mlp, type Sums, sgd, softmaxCrossEntropy } from '../../src/index.js';
import { FakeDevice } from '../support/fake-device.js';
import { countRows, errorOf, quiet, type SmallTraining, smallTraining } from '../support/small-training.js';

const between: Readonly<Record<string, readonly [code: string | undefined, call: (on: SmallTraining) => unknown]>> = {
  gradients: [undefined, ({ trainer, x, y }) => trainer.gradients(x, y)],
  diagnose: [undefined, ({ trainer, data }) => trainer.diagnose(data)],
  checkGradients: ['busy', ({ trainer, x, y }) => trainer.checkGradients(x, y)],
  lossSurface: ['busy', ({ trainer, data }) => trainer.lossSurface(data)],
  evaluate: [undefined, async ({ trainer, data }) => void trainer.evaluate(data)],
  step: [undefined, ({ trainer, x, y }) => trainer.step(x, y)],
  fit: [undefined, ({ trainer, data }) => trainer.fit(data, { epochs: 1 })],
};
const sizes = Object.entries(between).flatMap(([name, [code, call]]) =>
  // Plans of one dispatch add to other tensors than those of several.
  [70, 1000].map((units) => ({ name, code, call, units })),
);
test.for(sizes)('$name between the submits of an evaluation adds nothing to it ($units units)', async (wanted) => {
  const { code, call, units } = wanted;
  const on = await smallTraining({ units });
  countRows(on.device);
  const codes: unknown[] = [];
  const stream = on.makeStream(async (first) => {
    if (first > 0) codes.push(((await errorOf(() => call(on))) as MlpError | undefined)?.code);
  });
  expect((await on.trainer.evaluate(stream)).loss).toBe(1);
  expect(codes).toEqual([code, code]);
  expect((await on.trainer.evaluate(on.data)).loss).toBe(1);
});

/** Everything of a model that a caller waits for. */
const waitedFor: Readonly<Record<string, (on: SmallTraining) => Promise<unknown>>> = {
  trainer: async ({ makeTrainer }) => (await makeTrainer()).batchSize,
  fit: async ({ trainer, data: validation }) => {
    const earlyStopping = { monitor: 'validation.loss' };
    return (await trainer.fit(validation, { epochs: 2, validation, earlyStopping })).length;
  },
  'fit of a stream': async ({ trainer, makeStream }) => (await trainer.fit(makeStream(), { epochs: 2 })).length,
  evaluate: ({ trainer, data }) => trainer.evaluate(data),
  'evaluate of a stream': ({ trainer, makeStream }) => trainer.evaluate(makeStream()),
  gradients: ({ trainer, x, y }) => trainer.gradients(x, y),
  checkGradients: async ({ trainer, x, y }) => `${await trainer.checkGradients(x, y, { elements: 1 })}`,
  diagnose: async ({ trainer, data }) => `${await trainer.diagnose(data)}`,
  lossSurface: ({ trainer, data }) => trainer.lossSurface(data, { points: 2 }),
  predict: ({ model, x }) => model.predict(x),
};

/** The result of a call, or its error. */
async function outcomeOf(call: () => unknown): Promise<{ readonly result?: unknown; readonly error?: unknown }> {
  try {
    return { result: await call() };
  } catch (error) {
    return { error };
  }
}

/** Lets promises that have settled call back, one round after the other. */
async function after(rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) await Promise.resolve();
}

/**
 * Disposes of a model some rounds of callbacks after the n-th promise of the device has settled.
 * @returns the outcome of the call, and everything that was queued afterwards; nothing if the call had ended by then
 */
async function disposedDuring(name: string, settlement: number, rounds: number) {
  const on = await smallTraining();
  const { device, model, data } = on;
  await quiet(device);
  let [settled, isOver] = [0, false];
  let queued: number | undefined;
  const dispose = (): void => {
    if (!isOver) queued = device.log.length;
    model.dispose();
  };
  device.onSettle = () => {
    settled += 1;
    if (settled !== settlement) return;
    if (rounds === 0) dispose();
    else void after(rounds).then(dispose);
  };
  const outcome = await outcomeOf(() => waitedFor[name]?.(on));
  isOver = true;
  await quiet(device);
  data.dispose();
  if (queued === undefined) return undefined;
  return { ...outcome, later: device.log.slice(queued), memory: device.memory, bound: device.bound.size };
}

test.for(Object.keys(waitedFor))(
  'a model that is disposed at any moment of %s ends it, and frees everything',
  async (name) => {
    const intact = await outcomeOf(async () => waitedFor[name]?.(await smallTraining()));
    for (let settlement = 1; ; settlement++) {
      for (const rounds of [0, 1, 3, 9]) {
        const found = await disposedDuring(name, settlement, rounds);
        if (found === undefined && rounds === 0) {
          expect(settlement).toBeGreaterThan(name === 'gradients' ? 2 : 3);
          return;
        }
        if (found === undefined) continue;
        const when = `${rounds} rounds after ${settlement} promises of the device`;
        // A result that had been computed by then is whole.
        if (found.error === undefined) expect(found.result, when).toEqual(intact.result);
        else expect(found.error, when).toBeInstanceOf(DisposedError);
        expect(
          found.later.filter((entry) => !entry.startsWith('read')),
          when,
        ).toEqual([]);
        expect([found.memory.usedBytes, found.bound], when).toEqual([0, 0]);
      }
    }
  },
);

test('a hundred data sets come and go, and a trainer keeps none of them', async () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const { device, trainer, makeData, data } = await smallTraining();
  data.dispose();
  const sets: WeakRef<object>[] = [];
  const round = async (): Promise<unknown> => {
    using own = makeData();
    sets.push(new WeakRef(own));
    await trainer.fit(own, { epochs: 1, validation: own });
    await trainer.evaluate(own);
    return { ...device.memory, plans: device.bound.size };
  };
  await round();
  await quiet(device);
  const first = { ...device.memory, plans: device.bound.size };
  const second = await round();
  for (let number = 2; number < 100; number++) expect(await round(), `round ${number}`).toEqual(second);
  await quiet(device);
  expect({ ...device.memory, plans: device.bound.size }).toEqual(first);
  device.replays.length = 0;
  collect();
  // The latest step and the latest compilation have the data sets that they were of.
  expect(sets.filter((set) => set.deref() !== undefined).length).toBeLessThan(4);
});

test('a trainer that is disposed while a compilation waits its turn is named in the error', async () => {
  for (let rounds = 0; rounds < 30; rounds++) {
    const { trainer, data, makeData } = await smallTraining();
    const errors = [errorOf(() => trainer.diagnose(data)), errorOf(() => trainer.evaluate(makeData()))];
    await after(rounds);
    trainer.dispose();
    for (const error of await Promise.all(errors)) {
      if (error !== undefined)
        expect((error as Error).message, `${rounds} rounds`).toContain('This trainer has been disposed.');
    }
  }
});

test('a trainer that is refused leaves the memory as it was', async () => {
  const device = new FakeDevice();
  const model = await Mlp.create(device, { inputs: 2, layers: [dense(6000)] });
  const before = device.memory;
  const refused = model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0.1 }),
    batchSize: 4,
    metrics: [confusionMatrix()],
  });
  await expect(refused).rejects.toThrow(LimitError);
  await expect(refused).rejects.toThrow('"accumulator" needs a buffer of 144000000 bytes');
  expect(device.memory).toEqual(before);
});

test('a metric names its accumulator by the earlier name too, and is given its sums by both', async () => {
  const { model, data } = await smallTraining();
  const { accumulator, ...counting } = confusionMatrix();
  if (accumulator === undefined) throw new Error('confusionMatrix has an accumulator.');
  const given: Sums[] = [];
  const earlier: Metric<'confusionMatrix', number> = {
    ...counting,
    tally: accumulator,
    value: (sums) => given.push(sums),
  };
  const options = { loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 0.1 }), batchSize: 4 };
  const trainer = await model.trainer({ ...options, metrics: [earlier] });
  await trainer.evaluate(data);
  const [sums] = given;
  expect(sums?.tallies.get(accumulator)).toHaveLength(9);
  expect(sums?.accumulators).toEqual(sums?.tallies);
});
