import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { STEP_CAPACITY, SubmitPace } from '../../src/train/submit-pace.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const plan = { takesRuns: false };

/** A function that submits: by then the GPU is done with the submit before, so many milliseconds a step. */
function gpuFor(pace: SubmitPace): (milliseconds: number) => Promise<void> {
  let inFlight = 0;
  return async (milliseconds) => {
    vi.advanceTimersByTime(milliseconds * inFlight);
    inFlight = pace.steps;
    await pace.submitted(inFlight, Promise.resolve());
  };
}

test('as many steps make a submit as take 64 ms where nobody looks; it doubles at most, and has its limit', async () => {
  const pace = new SubmitPace();
  const submit = gpuFor(pace);
  pace.begin(plan);
  const steps: number[] = [];
  for (let i = 0; i < 6; i++) {
    await submit(5);
    steps.push(pace.steps);
  }
  // What is known of the first submit is known when the second is there.
  expect(steps).toEqual([1, 2, 4, 8, 12, 12]);
  for (let i = 0; i < 9; i++) await submit(0.01);
  expect(pace.steps).toBe(STEP_CAPACITY);
});

test('a number that the caller gives stays', async () => {
  const pace = new SubmitPace(3);
  const submit = gpuFor(pace);
  pace.begin(plan);
  for (let i = 0; i < 4; i++) await submit(500);
  expect(pace.steps).toBe(3);
});

test('a pause is no slow step', async () => {
  const pace = new SubmitPace();
  const submit = gpuFor(pace);
  pace.begin(plan);
  for (let i = 0; i < 6; i++) await submit(5);
  const before = pace.steps;
  pace.hold();
  vi.advanceTimersByTime(60_000);
  pace.release();
  await submit(5);
  expect(pace.steps).toBe(before);
});
