import { LimitError } from '../base/errors.js';

/** A buffer that a device does not allow. */
interface TooLarge {
  readonly label: string;
  /** Bytes that are needed. */
  readonly size: number;
  /** The limit that is exceeded first, and its bytes. */
  readonly name: 'maxBufferSize' | 'maxStorageBufferBindingSize';
  readonly limit: number;
  /** The public function that needs the buffer, if it is known. */
  readonly what: string | undefined;
}

/** What the caller of a function can change, so that it needs smaller buffers. */
const REMEDIES: Readonly<Record<string, string>> = {
  'Mlp.create': 'use narrower layers',
  predict: 'use a smaller batchSize',
  statistics: 'use fewer samples, or a smaller chunk',
  lossSurface: 'use narrower layers, or fewer points',
};
const TRAINING = 'use a smaller batchSize or narrower layers';
const UNKNOWN = 'divide it';

/**
 * The error for a buffer that is too large, with what to do: a device from `Gpu.request` has the limits of its adapter
 * already, an app's own device may have been requested with lower ones.
 * @param owned true for a device from `Gpu.request`
 * @param allowed the device's limits
 */
export function tooLarge(
  { label, size, name, limit, what }: TooLarge,
  owned: boolean,
  allowed: Readonly<Record<TooLarge['name'], number>>,
): LimitError {
  const remedy = what === undefined ? UNKNOWN : (REMEDIES[what] ?? TRAINING);
  const exceeded = (['maxBufferSize', 'maxStorageBufferBindingSize'] as const).filter((each) => allowed[each] < size);
  const required = exceeded.map((each) => `${each}: ${size}`).join(', ');
  const advice = owned
    ? `The adapter allows no more: ${remedy}.`
    : `Request the device with requiredLimits: { ${required} }, if adapter.limits are as high, or share the device of Gpu.request(); else ${remedy}.`;
  const where = what === undefined ? '' : `${what}: `;
  return new LimitError(
    `${where}"${label}" needs a buffer of ${size} bytes, but this GPU allows ${limit} (${name}). ${advice}`,
  );
}
