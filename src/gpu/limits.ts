import { LimitError } from '../base/errors.js';

/** The limits that a buffer may exceed, in bytes. */
interface BufferLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
}

/** Changes with which a function needs smaller buffers. All other functions train. */
const REMEDIES: Readonly<Record<string, string>> = {
  'Mlp.create': 'use narrower layers',
  predict: 'use a smaller batchSize',
  '': 'divide it',
};

/**
 * Checks the size of a buffer. The error says what to do: a device from `Gpu.request` has the limits of its adapter
 * already, an app may have requested its own with lower ones.
 * @param owned true for a device from `Gpu.request`
 * @param what the public function that needs the buffer, or an empty string
 * @throws {LimitError}
 */
export function checkSize(label: string, size: number, limits: BufferLimits, owned: boolean, what: string): void {
  const exceeded = Object.entries(limits).filter(([, limit]) => size > limit);
  const [lowest] = exceeded.sort(([, a], [, b]) => a - b);
  if (lowest === undefined) return;
  const [name, limit] = lowest;
  const required = exceeded.map(([each]) => `${each}: ${size}`).join(', ');
  const remedy = REMEDIES[what] ?? 'use a smaller batchSize or narrower layers';
  const advice = owned
    ? `The adapter allows no more: ${remedy}.`
    : `Request the device with requiredLimits: { ${required} }, if adapter.limits are as high, or ${remedy}.`;
  throw new LimitError(
    `${what && `${what}: `}"${label}" needs a buffer of ${size} bytes, but this GPU allows ${limit} (${name}). ${advice}`,
  );
}
