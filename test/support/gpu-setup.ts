import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { patient } from './patience.ts';

/** Problems that no test has seen as a rejection: uncaptured GPU errors and unhandled rejections. */
const unexpected: string[] = [];

// The library gives an adapter ten seconds to answer. On a busy machine it gets as many more as every other limit.
const { setTimeout: start } = globalThis;
globalThis.setTimeout = ((handler: TimerHandler, milliseconds = 0, ...values: unknown[]) =>
  start(handler, milliseconds >= 10_000 ? patient(milliseconds) : milliseconds, ...values)) as typeof setTimeout;

const { requestDevice } = GPUAdapter.prototype;
GPUAdapter.prototype.requestDevice = async function (descriptor?: GPUDeviceDescriptor): Promise<GPUDevice> {
  const device = await requestDevice.call(this, descriptor);
  device.addEventListener('uncapturederror', ({ error }) => {
    unexpected.push(`uncaptured ${error.constructor.name}: ${error.message}`);
  });
  return device;
};
addEventListener('unhandledrejection', ({ reason }) => {
  unexpected.push(
    `unhandled rejection: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}`,
  );
});

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
