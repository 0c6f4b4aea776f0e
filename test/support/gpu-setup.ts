import { afterAll, afterEach, beforeAll, expect } from 'vitest';

/** Errors and warnings of the current test that no promise reports. */
const unexpected: string[] = [];

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
