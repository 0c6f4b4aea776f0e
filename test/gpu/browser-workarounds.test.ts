import { afterEach, beforeEach, expect, type Mock, test, vi } from 'vitest';
import { wake } from '../../src/gpu/browser-workarounds.js';
import type { Faults } from '../../src/gpu/faults.js';
import { Queue } from '../../src/gpu/queue.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

type Submit = (buffers: Iterable<GPUCommandBuffer>) => undefined;

/** A queue that counts empty submits, and work on it that ends when the test says so. */
function busy(): { submit: Mock<Submit>; work: Promise<void>; finish: () => void; fail: () => void } {
  let finish = (): void => undefined;
  let fail = (): void => undefined;
  const work = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = () => reject(new Error('lost'));
  });
  return { submit: vi.fn<Submit>(), work, finish, fail };
}

/** Milliseconds of the timers that are set while `count` of them run out, one after the other. */
function pauses(start: () => void, count: number): (number | undefined)[] {
  const set = vi.spyOn(globalThis, 'setTimeout');
  start();
  for (let i = 0; i < count; i++) vi.advanceTimersToNextTimer();
  return set.mock.calls.map(([, milliseconds]) => milliseconds);
}

test('Chrome: awaited work gets four nudges, 0, 1, 1 and 1 ms apart, and then none', () => {
  const { submit, work } = busy();
  expect(pauses(() => wake({ submit }, work, true, false), 20)).toEqual([0, 1, 1, 1]);
  expect(submit.mock.calls).toEqual([[[]], [[]], [[]], [[]]]);
  expect(vi.getTimerCount()).toBe(0);
});

test('Chrome: work that nobody waits for gets none', () => {
  const { submit, work } = busy();
  wake({ submit }, work, false, false);
  expect(vi.getTimerCount()).toBe(0);
  expect(submit).not.toHaveBeenCalled();
});

test.for([true, false])(
  'Firefox: nudges, awaited (%s) or not, until the work is done, at most 16 ms apart',
  (awaited) => {
    const { submit, work } = busy();
    const apart = pauses(() => wake({ submit }, work, awaited, true), 200);
    expect(apart.slice(0, 4)).toEqual([0.5, 0.75, 1.125, 1.6875]);
    for (const [number, milliseconds = 0] of apart.slice(1).entries()) {
      expect(milliseconds).toBe(Math.min(1.5 * (apart[number] ?? 0), 16));
    }
    expect(apart.at(-1)).toBe(16);
    // One for each timer that ran out; the next is set.
    expect(submit).toHaveBeenCalledTimes(200);
    expect(vi.getTimerCount()).toBe(1);
  },
);

const ends: [string, boolean, boolean, 'finish' | 'fail', number][] = [
  ['Chrome, done at once', true, false, 'finish', 0],
  ['Chrome, done after two nudges', true, false, 'finish', 2],
  ['Chrome, rejected after one', true, false, 'fail', 1],
  ['Firefox, done at once', false, true, 'finish', 0],
  ['Firefox, done after 30', true, true, 'finish', 30],
  ['Firefox, rejected after 3', false, true, 'fail', 3],
];
test.for(ends)('%s: nothing is sent any more, and no timer stays', async ([, awaited, firefox, end, nudges]) => {
  const { submit, work, ...endings } = busy();
  wake({ submit }, work, awaited, firefox);
  for (let i = 0; i < nudges; i++) vi.advanceTimersToNextTimer();
  endings[end]();
  await work.catch(() => undefined);
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(1000);
  expect(submit).toHaveBeenCalledTimes(nudges);
});

const agents: [string, { userAgent: string } | undefined, number, number][] = [
  ['Chrome', { userAgent: 'Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36' }, 0, 4],
  ['Firefox', { userAgent: 'Mozilla/5.0 (X11; rv:153.0) Gecko/20100101 Firefox/153.0' }, 10, 10],
  ['Node 20', undefined, 0, 4],
];
test.for(agents)('%s: idle() and reads are waited for as the browser needs', async ([, navigator, idle, read]) => {
  vi.stubGlobal('navigator', navigator);
  vi.stubGlobal('GPUMapMode', { READ: 1 });
  const { submit, work, finish } = busy();
  const device = { queue: { submit, onSubmittedWorkDone: () => work } } as unknown as GPUDevice;
  const queue = new Queue(device, {} as Faults);
  const nudges = (): number => {
    submit.mockClear();
    for (let i = 0; i < 10; i++) vi.advanceTimersToNextTimer();
    return submit.mock.calls.length;
  };
  const waiting = queue.idle();
  expect(nudges()).toBe(idle);
  finish();
  await waiting;
  expect(vi.getTimerCount()).toBe(0);
  const mapping = busy();
  const staging = {
    size: 4,
    label: 'staging',
    mapAsync: () => mapping.work,
    getMappedRange: () => new ArrayBuffer(4),
    unmap: () => undefined,
  };
  const reading = queue.readStaging(staging, 4, true);
  expect(nudges()).toBe(read);
  mapping.finish();
  expect((await reading).byteLength).toBe(4);
  expect(vi.getTimerCount()).toBe(0);
});

test('an app of Node may define a navigator with nothing but gpu', () => {
  vi.stubGlobal('navigator', { gpu: {} });
  const { submit, work } = busy();
  expect(pauses(() => wake({ submit }, work, true), 20)).toEqual([0, 1, 1, 1]);
});
