import { describe, expect, test } from 'vitest';
import { MlpError } from '../../src/base/errors.js';
import { Dataset, dense, Mlp, sgd, softmaxCrossEntropy, type Trainer } from '../../src/index.js';
import { Access, type Use } from '../../src/model/access.js';
import { FakeDevice } from '../support/fake-device.js';
import { clusters } from '../support/problems.js';

const codeOf = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return 'runs';
  } catch (error) {
    return (error as MlpError).code;
  }
};

describe('the rule', () => {
  const rule: readonly [asked: Use, running: Use, may: boolean][] = [
    ['update', 'update', false],
    ['update', 'borrow', false],
    ['update', 'read', true],
    ['borrow', 'update', false],
    ['borrow', 'borrow', false],
    ['borrow', 'read', false],
    ['read', 'update', true],
    ['read', 'borrow', false],
    ['read', 'read', true],
  ];
  test.for(rule)('%s beside %s: %s', async ([asked, running, may]) => {
    const access = new Access();
    let end = (): void => undefined;
    const work = access.during(running, 'one', () => new Promise<void>((resolve) => (end = resolve)));
    const busy = new MlpError('busy', 'two: one is running on this model. Await it.');
    const expectation = expect(() => access.check(asked, 'two'));
    if (may) expectation.not.toThrow();
    else expectation.toThrow(busy);
    let began = false;
    const second = access.during(asked, 'two', async () => {
      began = true;
    });
    if (may) await second;
    else await expect(second).rejects.toEqual(busy);
    expect(began).toBe(may);
    end();
    await work;
    access.check(asked, 'two');
  });

  test('work that throws is over, and so is its use', async () => {
    const access = new Access();
    const broken = access.during('borrow', 'one', () => Promise.reject(new Error('broken')));
    await expect(broken).rejects.toThrow('broken');
    access.check('update', 'two');
  });

  test('a fit that is held back makes way for others, not for its own trainer, and waits for them before it goes on', async () => {
    const access = new Access();
    const session = { isPaused: false, midEpoch: true };
    const other = { isPaused: true, midEpoch: false };
    const order: string[] = [];
    let endBorrow = (): void => {};
    const fit = access.during(
      'update',
      'fit',
      async () => {
        expect(() => access.check('update', 'step', other)).toThrow('fit is running');
        session.isPaused = true;
        access.check('update', 'step', other);
        access.check('update', 'setWeights');
        expect(() => access.check('update', 'step', session)).toThrow('fit is running');
        const surface = access.during(
          'borrow',
          'lossSurface',
          () => new Promise<void>((resolve) => (endBorrow = resolve)),
          other,
        );
        session.isPaused = false;
        const regained = access.regained(session).then(() => order.push('fit goes on'));
        await Promise.resolve();
        order.push('the surface ends');
        endBorrow();
        await Promise.all([regained, surface]);
      },
      session,
    );
    await fit;
    expect(order).toEqual(['the surface ends', 'fit goes on']);
  });

  test('between epochs a paused fit validates: nobody may borrow then', async () => {
    const access = new Access();
    const session = { isPaused: true, midEpoch: false };
    await access.during(
      'update',
      'fit',
      async () => {
        access.check('update', 'step');
        expect(() => access.check('borrow', 'lossSurface')).toThrow('lossSurface: fit is running');
      },
      session,
    );
  });

  test('a pause is of fit alone: whatever else a paused trainer does is in the way', async () => {
    const access = new Access();
    const session = { isPaused: true, midEpoch: true };
    await access.during(
      'borrow',
      'lossSurface',
      async () => expect(() => access.check('update', 'step')).toThrow('lossSurface is running'),
      session,
    );
  });

  test('fit can be stopped, too', async () => {
    const access = new Access();
    await access.during('update', 'fit', async () => {
      const message = 'step: fit is running on this model. Await it, or stop it through its signal.';
      expect(() => access.check('update', 'step')).toThrow(new MlpError('busy', message));
    });
  });
});

/** A model with two trainers, data for both, and a checkpoint and files to be read. */
async function setting() {
  const device = new FakeDevice();
  const model = await Mlp.create(device, { inputs: 2, layers: [dense(3)] });
  const { inputs, labels } = clusters(8, 2, 3);
  const data = Dataset.create(device, { inputs, features: 2, classes: labels });
  const make = (): Promise<Trainer> =>
    model.trainer({ loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 0.1 }), batchSize: 4 });
  const [first, second] = [await make(), await make()];
  const [x, y] = [inputs.subarray(0, 8), labels.subarray(0, 4)];
  const [weights, file, blob] = [await model.weights(), await model.save(), await second.checkpoint()];
  return { device, model, data, first, second, x, y, weights, file, blob };
}
type Setting = Awaited<ReturnType<typeof setting>>;

/** Every method that uses a model, and how. */
const operations: Readonly<Record<string, readonly [Use, (trainer: Trainer, on: Setting) => unknown]>> = {
  step: ['update', (trainer, { x, y }) => trainer.step(x, y)],
  fit: ['update', (trainer, { data }) => trainer.fit(data, { epochs: 1 })],
  restore: ['update', (trainer, { blob }) => trainer.restore(blob)],
  setWeights: ['update', (_, { model, weights }) => model.setWeights(weights)],
  loadWeights: ['update', (_, { model, file }) => model.loadWeights(file)],
  lossSurface: ['borrow', (trainer, { data }) => trainer.lossSurface(data, { points: 2 })],
  checkGradients: ['borrow', (trainer, { x, y }) => trainer.checkGradients(x, y, { elements: 1 })],
  evaluate: ['read', (trainer, { data }) => trainer.evaluate(data)],
  gradients: ['read', (trainer, { x, y }) => trainer.gradients(x, y)],
  diagnose: ['read', (trainer, { data }) => trainer.diagnose(data)],
  checkpoint: ['read', (trainer) => trainer.checkpoint()],
  predict: ['read', (_, { model, x }) => model.predict(x)],
  weights: ['read', (_, { model }) => model.weights()],
  save: ['read', (_, { model }) => model.save()],
};

/** Those that last longer than their call, and keep others off or out. */
const lasting = ['fit', 'lossSurface', 'checkGradients', 'evaluate', 'diagnose', 'predict'];
const may: Readonly<Record<Use, readonly Use[]>> = {
  update: ['read'],
  borrow: [],
  read: ['update', 'read'],
};

test.for(lasting)(
  'while %s runs on one trainer, the other and the model do what may be done beside it',
  async (name) => {
    const on = await setting();
    const [use, run] = operations[name] ?? expect.unreachable();
    const found: Record<string, string> = {};
    const expected: Record<string, string> = {};
    for (const [other, [asked, begin]] of Object.entries(operations)) {
      expected[other] = may[asked].includes(use) ? 'runs' : 'busy';
      on.device.hold();
      const running = Promise.resolve(run(on.first, on));
      // Until what is loaded late has been loaded, and the device has something to say.
      await expect.poll(() => on.device.isWaitedFor).toBe(true);
      const begun = codeOf(() => begin(on.second, on));
      on.device.release();
      found[other] = await begun;
      await running;
      expect(await codeOf(() => begin(on.second, on)), `${other} after ${name}`).toBe('runs');
    }
    expect(found).toEqual(expected);
    on.model.dispose();
    on.data.dispose();
    expect(on.device.memory.usedBytes).toBe(0);
  },
);

test('a message names both operations', async () => {
  const { first, second, model, data, x, y, weights } = await setting();
  const surface = first.lossSurface(data, { points: 2 });
  const refused = (what: string): MlpError =>
    new MlpError('busy', `${what}: lossSurface is running on this model. Await it.`);
  await expect(second.step(x, y)).rejects.toEqual(refused('step'));
  expect(() => model.setWeights(weights)).toThrow(refused('setWeights'));
  await expect(model.predict(x)).rejects.toEqual(refused('predict'));
  await expect(model.save()).rejects.toEqual(refused('save'));
  await expect(second.evaluate(data)).rejects.toEqual(refused('evaluate'));
  await surface;
  const training = first.fit(data, { epochs: 1 });
  await expect(second.lossSurface(data)).rejects.toThrow(
    'lossSurface: fit is running on this model. Await it, or stop it through its signal.',
  );
  await training;
});
