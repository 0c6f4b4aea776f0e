import { MlpError, WebGpuUnavailableError } from '../base/errors.js';

// The errors of `Gpu.request`. Their texts also suit the user of a page: they say what the user can do.

export const insecureContext = (): MlpError =>
  new WebGpuUnavailableError(
    'insecure-context',
    `WebGPU needs a secure page, but this one is ${globalThis.location?.origin}. Use https or localhost.`,
  );

export const noWebGpu = (): MlpError =>
  new WebGpuUnavailableError(
    'no-webgpu',
    'This browser has no WebGPU. Chrome and Edge have it from version 113 (Android 121, Linux 144), Safari from 26, Firefox from 141 on Windows and 145 on macOS.',
  );

const DAWN =
  'In Node, import { create, globals } from the npm package webgpu (Dawn), call Object.assign(globalThis, globals), pass { adapter: await create([]).requestAdapter() }, and keep the result of create() while in use.';

export const notABrowser = (): MlpError =>
  new WebGpuUnavailableError('no-webgpu', `This is not a browser: there is no navigator.gpu. ${DAWN}`);

export const noGlobals = (): MlpError =>
  new WebGpuUnavailableError('no-webgpu', `There is an adapter, but WebGPU's globals are missing. ${DAWN}`);

export const noAdapter = (): MlpError =>
  new WebGpuUnavailableError(
    'no-adapter',
    'WebGPU found no adapter: the GPU or its driver is not supported, or the page was blocked after GPU crashes. Reload the page; on Linux try chrome --enable-unsafe-webgpu --enable-features=Vulkan.',
  );

export const noAnswer = (): MlpError =>
  new WebGpuUnavailableError('no-adapter', 'The GPU did not answer in 10 s. Reload the page, or restart the browser.');

/** Error for a rejected `requestAdapter()`, for example after an unknown `powerPreference`. */
export const askedWrongly = (cause: unknown): MlpError =>
  new WebGpuUnavailableError('no-adapter', `WebGPU refused to look for an adapter: ${said(cause)}`, { cause });

export const nullAdapter = (): MlpError =>
  new WebGpuUnavailableError(
    'no-adapter',
    'Gpu.request: adapter is null: requestAdapter() found none. Request another adapter, or omit the option.',
  );

export const notAnAdapter = (given: unknown): MlpError =>
  new MlpError(
    'bad-option',
    `Gpu.request: adapter is ${kindOf(given)}; it must be a GPUAdapter, from await navigator.gpu.requestAdapter().`,
  );

export const lacks = (lacking: readonly string[], has: Iterable<string>): MlpError =>
  new WebGpuUnavailableError(
    'device-refused',
    `Gpu.request: the adapter has no ${lacking.join(' and no ')}; it has ${[...has].sort().join(', ')}. Remove from features what the app does not need.`,
  );

export const refused = (cause: unknown): MlpError =>
  new WebGpuUnavailableError(
    'device-refused',
    `The adapter refused a device: ${said(cause)} Reload the page, or restart the browser.`,
    { cause },
  );

export const refusedByOwn = (cause: unknown): MlpError =>
  new WebGpuUnavailableError(
    'device-refused',
    `Gpu.request: the adapter refused a device: ${said(cause)} An adapter gives only one device. Pass a new adapter, or share the device with Gpu.from().`,
    { cause },
  );

/** Text of an error, ended with a full stop. */
const said = (cause: unknown): string => {
  const text = String(cause).trim();
  return text.endsWith('.') ? text : `${text}.`;
};

/** Class of a value, such as [object Promise]. */
const kindOf = (value: unknown): string => Object.prototype.toString.call(value);
