import { afterEach, expect, test, vi } from 'vitest';
import { atOnce, inSlices, nextTask, SLICE_COST, type Sliced } from '../../src/base/slices.js';

afterEach(() => vi.unstubAllGlobals());

/** Work of steps that have a cost each. */
function* work(costs: readonly number[], log: (string | number)[]): Sliced<string> {
  for (const cost of costs) {
    log.push(cost);
    yield cost;
  }
  return 'done';
}

test('work pauses when its steps have cost as much as a slice, and not before', async () => {
  const log: (string | number)[] = [];
  vi.stubGlobal('scheduler', { yield: async () => log.push('pause') });
  const half = SLICE_COST / 2;
  expect(await inSlices(work([half, half - 1, 1, half, half, 3 * SLICE_COST, 1], log))).toBe('done');
  expect(log).toEqual([half, half - 1, 1, 'pause', half, half, 'pause', 3 * SLICE_COST, 'pause', 1]);
});

test('the same work at once has no pause', () => {
  const log: (string | number)[] = [];
  expect(atOnce(work([SLICE_COST, SLICE_COST], log))).toBe('done');
  expect(log).toEqual([SLICE_COST, SLICE_COST]);
});

test('without a scheduler other tasks run meanwhile, too', async () => {
  vi.stubGlobal('scheduler', undefined);
  let ran = false;
  setImmediate(() => {
    ran = true;
  });
  for (let tasks = 0; !ran; tasks++) {
    expect(tasks).toBeLessThan(100);
    await nextTask();
  }
});

test('an error of the work rejects', async () => {
  const failing = (function* (): Sliced<void> {
    yield 2 * SLICE_COST;
    throw new RangeError('mine');
  })();
  await expect(inSlices(failing)).rejects.toThrow('mine');
});
