import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { unexpected } from './unexpected.ts';

function expectNothingUnexpected(): void {
  const found = unexpected.splice(0);
  expect(found, 'No test may leave an uncaptured GPU error or an unhandled rejection behind.').toEqual([]);
}

beforeAll(async () => {
  const adapter = await navigator.gpu?.requestAdapter();
  expect(adapter ?? null, 'This browser has no WebGPU adapter, so nothing would be tested.').not.toBeNull();
});

afterEach(expectNothingUnexpected);

afterAll(async () => {
  // Errors of the GPU process arrive as events: wait for the last ones.
  await new Promise((resolve) => setTimeout(resolve, 50));
  expectNothingUnexpected();
});
