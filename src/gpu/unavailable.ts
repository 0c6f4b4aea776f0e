import { type UnavailableReason, WebGpuUnavailableError } from '../base/errors.js';

/** Why there is no adapter: a reason, or an adapter that does not answer. */
export type Missing = Exclude<UnavailableReason, 'device-refused'> | 'no-answer';

/** What a page can tell its user, and what the user can do. */
export function unavailable(what: Missing): WebGpuUnavailableError {
  return new WebGpuUnavailableError(what === 'no-answer' ? 'no-adapter' : what, messages[what]());
}

const messages: Readonly<Record<Missing, () => string>> = {
  'insecure-context': () =>
    `WebGPU needs a secure page, but this one is ${globalThis.location?.origin}. Use https or localhost.`,
  'no-webgpu': () =>
    'This browser has no WebGPU. Chrome and Edge have it from version 113 (Android 121, Linux 144), Safari from 26, Firefox from 141 on Windows and 145 on macOS.',
  'no-adapter': () =>
    'WebGPU found no adapter: the GPU or its driver is not supported, or the page was blocked after GPU crashes. Reload the page; on Linux try chrome --enable-unsafe-webgpu --enable-features=Vulkan.',
  'no-answer': () => 'The GPU did not answer in 10 s. Reload the page, or restart the browser.',
};
