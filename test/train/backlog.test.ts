import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DataError, DeviceLostError, DisposedError, ShapeError } from '../../src/base/errors.js';
import { Backlog } from '../../src/train/backlog.js';
import { FakeDevice } from '../support/fake-device.js';
import { errorOf, quiet, type SmallTraining, smallTraining } from '../support/small-training.js';

const warn = vi.spyOn(console, 'warn');
beforeEach(() => warn.mockReset().mockImplementation(() => undefined));
afterEach(() => expect(unhandled).toEqual([]));

/** Rejections that nobody handles. */
const unhandled: unknown[] = [];
process.on('unhandledRejection', (error) => unhandled.push(error));

const MIB = 2 ** 20;

/** Counts the steps of a loop that awaits each of them, on a device that reports nothing until `settle`. */
function awaitedSteps({ trainer, x, y }: SmallTraining, count: number): { done: number; readonly all: Promise<void> } {
  const loop = { done: 0, all: Promise.resolve() };
  loop.all = (async () => {
    while (loop.done < count) {
      await trainer.step(x, y);
      loop.done += 1;
    }
  })();
  return loop;
}

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

test('an awaited step resolves at once, until the device is behind, and then each time it catches up', async () => {
  const on = await smallTraining();
  const { device } = on;
  await quiet(device);
  device.hold();
  const loop = awaitedSteps(on, 1000);
  await turns(3);
  const first = loop.done;
  // No step has asked the device for anything that it waited for.
  expect(first).toBeGreaterThan(4);
  expect(first).toBeLessThan(128);
  expect(device.settle()).toBe(true);
  await turns(3);
  expect(loop.done).toBeGreaterThan(first);
  expect(loop.done).toBeLessThan(first + 128);
  device.release();
  await loop.all;
  await quiet(device);
  expect(warn).not.toHaveBeenCalled();
  on.model.dispose();
});

test('the device is asked for the end of groups, not of steps', async () => {
  const on = await smallTraining();
  const idle = vi.spyOn(on.device, 'idle');
  await awaitedSteps(on, 640).all;
  // The fake device takes no time, so that groups grow: 8, 16, 32 and then 64 steps.
  expect(idle.mock.calls.length).toBeLessThan(20);
  on.model.dispose();
});

test('the bytes of a backlog are bounded, however large a minibatch is', async () => {
  const device = new FakeDevice();
  device.hold();
  const backlog = new Backlog(device, () => undefined);
  const isRoom = (): Promise<boolean> => Promise.race([backlog.room.then(() => true), turns(2).then(() => false)]);
  const before = async (bytes: number): Promise<number> => {
    for (let steps = 0; ; steps++) {
      if (steps === 100 || !(await isRoom())) return steps;
      backlog.add(bytes);
    }
  };
  expect(await before(300 * MIB)).toBe(2);
  device.release();
  await quiet(device);
  device.hold();
  expect(await before(3 * MIB)).toBeLessThanOrEqual(8);
  expect(warn).not.toHaveBeenCalled();
});

test('it warns once when nobody awaits the steps, and they pile up', async () => {
  const on = await smallTraining();
  const { device, trainer, x, y } = on;
  await quiet(device);
  device.hold();
  for (let i = 0; i < 40; i++) void trainer.step(x, y);
  expect(warn).not.toHaveBeenCalled();
  for (let i = 0; i < 2000; i++) void trainer.step(x, y);
  expect(warn).toHaveBeenCalledOnce();
  expect(warn.mock.calls[0]?.[0]).toMatch(/^webgpu-mlp: .* await trainer\.step\(inputs, targets\)\.$/);
  device.release();
  await quiet(device);
  for (let i = 0; i < 2000; i++) void trainer.step(x, y);
  expect(warn).toHaveBeenCalledOnce();
  await quiet(device);
  // What was piled up is run in order, and nothing of it is lost.
  const steps = device.replays.flatMap(({ what, step }) => (what === 'step' ? [step?.index] : []));
  expect(steps).toEqual(Array.from({ length: 4040 }, (_, index) => index));
  on.model.dispose();
});

const ends: Readonly<
  Record<string, readonly [typeof DisposedError | typeof DeviceLostError, (on: SmallTraining) => void]>
> = {
  'its trainer is disposed': [DisposedError, ({ trainer }) => trainer.dispose()],
  'its model is disposed': [DisposedError, ({ model }) => model.dispose()],
  'the device is lost': [
    DeviceLostError,
    ({ device }) => {
      device.lose();
      device.release();
    },
  ],
};
test.for(Object.entries(ends))('a step that waits for room rejects when %s', async ([, [kind, end]]) => {
  const on = await smallTraining();
  const { device, trainer, x, y } = on;
  await quiet(device);
  device.hold();
  const loop = awaitedSteps(on, 1000);
  const outcome = errorOf(() => loop.all);
  await turns(3);
  end(on);
  expect(await outcome).toBeInstanceOf(kind);
  expect(loop.done).toBeLessThan(1000);
  expect(await errorOf(() => trainer.step(x, y))).toBeInstanceOf(kind);
  device.release();
  await quiet(device);
});

test('disposal of a trainer whose steps nobody awaits is no unhandled rejection', async () => {
  const on = await smallTraining();
  const { device, trainer, x, y } = on;
  await quiet(device);
  device.hold();
  for (let i = 0; i < 100; i++) void trainer.step(x, y);
  on.model.dispose();
  device.release();
  await quiet(device);
  expect(unhandled).toEqual([]);
});

test('a step on bad data rejects, and loses nothing', async () => {
  const on = await smallTraining();
  const { device, trainer, x, y } = on;
  const before = await trainer.checkpoint();
  const queued = [...device.log];
  const bad: readonly [ArrayLike<number>, ArrayLike<number>, ArrayLike<number>?][] = [
    [x.subarray(1), y],
    [x, y.subarray(1)],
    [x.map(() => Number.NaN), y],
    [x, y, [1, 1, 1]],
    [x, y.map(() => 3)],
  ];
  for (const minibatch of bad) {
    // It does not throw before there is a promise.
    const step = trainer.step(...minibatch);
    const error = await errorOf(() => step);
    expect([ShapeError, DataError].some((kind) => error instanceof kind)).toBe(true);
  }
  expect(device.log).toEqual(queued);
  expect(await trainer.checkpoint()).toEqual(before);
  await trainer.step(x, y);
  expect(device.replays.at(-1)?.step?.index).toBe(0);
  on.model.dispose();
});
