import { patient } from './patience.ts';

/**
 * Errors and warnings of the current test that no promise reports: uncaptured GPU errors and unhandled rejections. The
 * page of the tests has one such list, and what fills it is installed once, while the setup file runs for each test file.
 */
export const unexpected: string[] = [];

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
